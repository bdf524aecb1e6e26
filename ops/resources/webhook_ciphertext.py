"""A stage's webhooks on their way into KMS: asked for and checked. Never shown."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click
from botocore.exceptions import ClientError

from chalicelib.aws.error_codes import code_of, is_denied, is_missing
from chalicelib.delivery.webhook import CRITICAL, MAIN, Webhook
from chalicelib.errors import WebhookUnusable
from chalicelib.settings import Settings
from ops.errors import OpsError
from ops.resources.key import StageKey

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_SLACK_APPS: Final = "https://api.slack.com/apps, Incoming Webhooks"
_WRONG: Final = frozenset(
    {"IncorrectKeyException", "InvalidCiphertextException", "ValidationException"}
)
_ASLEEP: Final = frozenset({"DisabledException", "KMSInvalidStateException"})


@dataclass(frozen=True, slots=True)
class _Kept:
    """A webhook that the settings hold already; both are None where KMS does not let us look."""

    webhook: Webhook | None = None
    key_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What is to become of a stage's webhooks, by setting.

    `asked` are to be given by the operator; `encrypted_again` are known, and need another
    ciphertext because the key changes; `current` are those that could be read.
    """

    asked: tuple[str, ...]
    encrypted_again: Mapping[str, Webhook]
    current: Mapping[str, Webhook]

    @property
    def changing(self) -> tuple[str, ...]:
        """The settings that get another ciphertext."""
        return (*self.asked, *self.encrypted_again)

    def ask(self, settings: Settings) -> dict[str, Webhook]:
        """Return the webhooks to encrypt; ask the operator for theirs. Raises OpsError."""
        given = {name: ask(name, settings) for name in self.asked}
        for name, webhook in given.items():
            if name in self.current and self.current[name].reveal() == webhook.reveal():
                click.secho("That is the webhook which the stage has already.", fg="yellow")
        return {**self.encrypted_again, **given}


def plan_webhooks(
    kms: "KMSClient",
    settings: Settings,
    key: StageKey,
    *,
    held: Collection[str],
    replaced: Collection[str],
) -> Webhooks:
    """Return what is to become of the webhooks; print what cannot be read.

    `held` names the settings that have a ciphertext, `replaced` those that get another webhook. A
    ciphertext that is no good is replaced, too, and a ciphertext under another key than `key` is
    encrypted again. What may not be read counts as good while the key stays.
    """
    kept = {name: _kept(kms, settings, name) for name in held}
    lost = [name for name, it in kept.items() if it is None or (it.webhook is None and key.is_new)]
    if lost:
        click.echo(
            f"What {' and '.join(lost)} holds cannot be decrypted here. If that is a surprise, "
            "check whether this is the stage's account."
        )
    asked = tuple(name for name in (MAIN, CRITICAL) if name in replaced or name in lost)
    current = {name: it.webhook for name, it in kept.items() if it and it.webhook}
    again = {
        name: webhook
        for name, webhook in current.items()
        if name not in asked and (it := kept[name]) and it.key_arn != key.arn
    }
    return Webhooks(asked, again, current)


def _kept(kms: "KMSClient", settings: Settings, setting: str) -> _Kept | None:
    """Look whether a setting's ciphertext is good; None if its webhook must be given again."""
    ciphertext = (
        settings.critical_webhook_url_encrypted
        if setting == CRITICAL
        else settings.webhook_url_encrypted
    )
    try:
        answer = kms.decrypt(
            CiphertextBlob=ciphertext or b"",
            EncryptionContext=dict(settings.webhook_encryption_context),
        )
        text = answer["Plaintext"].decode(errors="replace")
        return _Kept(Webhook.parse(text, settings), answer["KeyId"])
    except WebhookUnusable:
        return None
    except ClientError as error:
        if is_denied(error) or code_of(error) in _ASLEEP:
            return _Kept()
        if is_missing(error) or code_of(error) in _WRONG:
            return None
        raise


def ask(setting: str, settings: Settings) -> Webhook:
    """Return a webhook, typed without echo on the terminal or a line of standard input; checked.

    A terminal is asked again after a typing error. Raises OpsError if none can be posted to.
    """
    which = "Webhook for critical messages" if setting == CRITICAL else "Webhook"
    if not sys.stdin.isatty():
        return _checked(sys.stdin.readline(), which, setting, settings)
    click.echo(f"Slack makes a webhook at {_SLACK_APPS}.")
    while True:
        text = click.prompt(f"{which} (it is not shown)", hide_input=True, type=str)
        try:
            return _checked(text, which, setting, settings)
        except OpsError as fault:
            click.secho(fault.message, fg="yellow")


def _checked(text: str, which: str, setting: str, settings: Settings) -> Webhook:
    if not text.strip():
        raise OpsError(
            f"{which}: none was given. Type it on a terminal, or give it on standard input, a "
            f"line of its own. Slack makes one at {_SLACK_APPS}."
        )
    try:
        return Webhook.parse(text, settings, setting)
    except WebhookUnusable as fault:
        if fault.reason == "webhook_not_a_url":
            raise OpsError(
                f"{which}: that is no webhook's URL. One looks like "
                "https://hooks.slack.com/services/…, on one line."
            ) from None
        raise OpsError(str(fault)) from None
