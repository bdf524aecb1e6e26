"""Brings a message to the critical or the main channel, in plain text if need be."""

from typing import Self

from chalicelib import log
from chalicelib.aws.json_protocol import JSONClient
from chalicelib.delivery.slack import Slack
from chalicelib.delivery.webhook import CRITICAL, MAIN, WebhookLookup
from chalicelib.errors import DeliveryError, PayloadInvalid, WebhookDead, WebhookUnavailable
from chalicelib.messages.message import Message
from chalicelib.resource_names import APP
from chalicelib.settings import Settings
from chalicelib.signin.severity import Severity
from chalicelib.timeout import INIT_LOOKUP_SECONDS, LOOKUP_SECONDS, Deadline, call_with_timeout


class Delivery:
    """Posts messages to the stage's webhooks, and keeps each while the function is warm.

    A webhook that is dead, or cannot be decrypted, is looked up again for the next message.
    """

    def __init__(self, settings: Settings, lookup: WebhookLookup) -> None:
        self._settings = settings
        self._lookup = lookup
        self._webhooks: dict[str, Slack] = {}

    @classmethod
    def of_stage(cls, settings: Settings) -> Self:
        """Return the delivery of a stage, with a KMS client of its home region."""
        return cls(settings, WebhookLookup(JSONClient("kms", settings.sign_in_region), settings))

    def connect(self) -> None:
        """Do ahead what every message needs: decrypt, and open a connection to the host.

        Raises WebhookError or NoAnswer.
        """
        self._webhook(MAIN, Deadline(INIT_LOOKUP_SECONDS)).connect()

    def derive_key(self, purpose: str) -> bytes | None:
        """Return a key for a purpose, the same in all functions of the stage; None for now.

        It is None until the main webhook is known, for which this asks nobody.
        """
        webhook = self._lookup.known(MAIN)
        return webhook.derive_key(f"{APP} {self._settings.stage} {purpose}") if webhook else None

    def post(self, message: Message, deadline: Deadline, *, patient: bool) -> str | None:
        """Post a message; return the reason why it had to go out in plain text, or None.

        Raises DeliveryError: the reason of the last webhook that was tried.
        """
        has_critical = self._settings.critical_webhook_url_encrypted is not None
        if message.severity is Severity.CRITICAL and has_critical:
            try:
                return self._post_to(CRITICAL, message, deadline, patient=patient)
            except DeliveryError as error:
                if error.act != "operator":
                    raise
                log.write(level="ERROR", message=f"The critical webhook is dead. {error}")
        return self._post_to(MAIN, message, deadline, patient=patient)

    def _post_to(
        self, setting: str, message: Message, deadline: Deadline, *, patient: bool
    ) -> str | None:
        slack = self._webhook(setting, deadline)
        try:
            try:
                slack.post(message.payload, deadline, patient=patient)
            except PayloadInvalid as error:
                level = "ERROR" if error.act == "developers" else "WARNING"
                log.write(level=level, message=str(error))
                slack.post(message.fallback, deadline, patient=patient)
                return error.reason
        except WebhookDead:
            self._lookup.forget(setting)
            del self._webhooks[setting]
            raise
        return None

    def _webhook(self, setting: str, deadline: Deadline) -> Slack:
        if setting not in self._webhooks:
            seconds = min(LOOKUP_SECONDS, deadline.seconds_left)
            try:
                webhook = call_with_timeout(seconds, lambda: self._lookup.webhook(setting))
            except TimeoutError:
                raise WebhookUnavailable(
                    "kms_timeout", f"KMS did not decrypt {setting} in time."
                ) from None
            self._webhooks[setting] = Slack(webhook, self._settings, setting)
        return self._webhooks[setting]
