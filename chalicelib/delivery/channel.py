"""Brings a message to its channel: the critical one, the main one, in plain text if need be."""

from typing import Final

from chalicelib import log
from chalicelib.aws.json_protocol import JSONClient
from chalicelib.delivery.slack import Slack
from chalicelib.delivery.webhook import CRITICAL, MAIN, WebhookLookup
from chalicelib.errors import DeliveryError, PayloadInvalid, WebhookDead, WebhookUnavailable
from chalicelib.messages.message import Message
from chalicelib.resource_names import APP
from chalicelib.settings import Settings
from chalicelib.signin.severity import Severity
from chalicelib.timeout import Deadline, call_with_timeout

_LOOKUP_SECONDS: Final = 9.0
_AHEAD_SECONDS: Final = 5.0  # Lambda starts INIT anew when it takes more than ten


class Delivery:
    """Posts messages to the stage's webhooks, and keeps a line to each while the function is warm.

    A webhook that is dead, or cannot be had, is looked up anew for the next message.
    """

    def __init__(self, settings: Settings, lookup: WebhookLookup) -> None:
        self._lookup = lookup
        self._stage = settings.stage
        self._has_critical = settings.critical_webhook_url_encrypted is not None
        self._lines: dict[str, Slack] = {}

    @classmethod
    def of_stage(cls, settings: Settings) -> "Delivery":
        """Make the delivery of a stage, with a KMS client of its home region."""
        return cls(settings, WebhookLookup(JSONClient("kms", settings.sign_in_region), settings))

    def connect(self) -> None:
        """Do ahead what every message needs: decrypt, and open a connection to the host.

        Raises WebhookError or NoAnswer.
        """
        self._line(MAIN, Deadline(_AHEAD_SECONDS)).connect()

    def derive_key(self, purpose: str) -> bytes | None:
        """Return a key for a purpose, the same in all functions of the stage; None for now.

        It is None until the main webhook is known, for which this asks nobody.
        """
        webhook = self._lookup.known(MAIN)
        return webhook.derive_key(f"{APP} {self._stage} {purpose}") if webhook else None

    def post(self, message: Message, deadline: Deadline, *, patient: bool) -> str | None:
        """Post a message; give the reason why it had to go out in plain text, or None.

        Raises DeliveryError: the reason of the last webhook that was tried.
        """
        if message.severity is Severity.CRITICAL and self._has_critical:
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
        line = self._line(setting, deadline)
        try:
            try:
                line.post(message.payload, deadline, patient=patient)
            except PayloadInvalid as error:
                log.write(level="ERROR", message=str(error))
                line.post(message.fallback, deadline, patient=patient)
                return error.reason
        except WebhookDead:
            self._lookup.forget(setting)
            del self._lines[setting]
            raise
        return None

    def _line(self, setting: str, deadline: Deadline) -> Slack:
        if setting not in self._lines:
            seconds = min(_LOOKUP_SECONDS, deadline.seconds_left)
            try:
                webhook = call_with_timeout(seconds, lambda: self._lookup.webhook(setting))
            except TimeoutError:
                raise WebhookUnavailable(
                    "kms_timeout", f"KMS did not decrypt {setting} in time."
                ) from None
            self._lines[setting] = Slack(webhook)
        return self._lines[setting]
