"""What a receiver's answer means: posted, later, never, or our own fault.

A word decides, not the status: statuses drift between years. Sources: "Sending messages using
incoming webhooks" and "Rate limits" (Slack developer documentation).
"""

import json
import math
import re
from typing import Any, Final, NamedTuple, Self

from chalicelib.delivery.webhook import replacement
from chalicelib.errors import PayloadInvalid, PostError, RefusedForNow, WebhookDead
from chalicelib.http import Response
from chalicelib.resource_names import deploy_command
from chalicelib.settings import SLACK_HOSTS, Settings

_PAYLOAD_WORDS: Final = frozenset(
    {
        "invalid_payload",
        "invalid_blocks",
        "invalid_attachments",
        "no_text",
        "missing_text_or_fallback_or_attachments",
        "too_many_attachments",
    }
)
# What a webhook that may not post to another channel is answered, among others.
_CHANNEL_WORDS: Final = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "posting_to_general_channel_denied",
        "restricted_action",
        "user_not_found",
    }
)
_DEAD_WORDS: Final = _CHANNEL_WORDS | {
    "invalid_token",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "team_disabled",
}
_BUSY_WORDS: Final = frozenset({"rate_limited", "rollup_error"})

_LONGEST_WAIT_SECONDS: Final = 3_600.0


class Destination(NamedTuple):
    """The receiver that answers: its host, and the setting that holds its webhook."""

    host: str
    settings: Settings
    setting: str

    @property
    def is_slack(self) -> bool:
        """Whether Slack itself answers."""
        return self.host.removesuffix(":443") in SLACK_HOSTS


class Answer(NamedTuple):
    """What a receiver answered: status, the start of the body, the Retry-After header."""

    status: int
    body: str
    retry_after: str | None

    @classmethod
    def from_response(cls, response: Response) -> Self:
        """Read an answer; what is no text in it is replaced."""
        body = response.body.decode(errors="replace").strip()
        return cls(response.status, body, response.headers.get("Retry-After"))


def error_for(answer: Answer, destination: Destination) -> PostError | None:
    """Return None if the message is in the channel, else the error that an answer means.

    Slack's own hosts say `ok` and nothing else; other receivers may say nothing, or JSON.
    """
    word = _word(answer.body)
    reason = f"http_{answer.status}" if word in (None, "ok") else word
    if word in _PAYLOAD_WORDS:
        return _invalid(reason)
    if word in _DEAD_WORDS:
        return _dead(reason, destination)
    if word in _BUSY_WORDS or answer.status == 429 or answer.status >= 500:  # noqa: PLR2004
        return RefusedForNow(
            reason,
            f"The receiver is busy or broken ({reason}): later it may take the message.",
            retry_after=_seconds(answer),
        )
    is_success = 200 <= answer.status < 300  # noqa: PLR2004
    if is_success and _is_taken(answer.body, is_slack=destination.is_slack):
        return None
    if answer.status not in (400, 413):
        return _dead(reason, destination)
    if destination.is_slack:  # a word that is new to us, most likely about the payload
        return _invalid(reason)
    return PayloadInvalid(
        reason,
        f"The receiver {destination.host} does not take the message ({reason}). It is not Slack, "
        "whose format the message has: where it refuses plain text as well, name a receiver that "
        f"takes Slack's format: {replacement(destination.setting, destination.settings)}.",
        act="operator",
    )


def _is_taken(body: str, *, is_slack: bool) -> bool:
    if body == "ok" or is_slack:
        return body == "ok"
    if not body:
        return True
    document = _json(body)
    if isinstance(document, dict):
        return document.get("ok") is not False and document.get("success") is not False
    return document is not None


def _invalid(reason: str) -> PayloadInvalid:
    return PayloadInvalid(
        reason,
        f"The receiver calls our payload wrong ({reason}): please report this to the developers "
        "of signin-monitor.",
    )


def _dead(reason: str, destination: Destination) -> WebhookDead:
    settings = destination.settings
    replace = replacement(destination.setting, settings)
    if settings.slack_channel and reason in _CHANNEL_WORDS:
        return WebhookDead(
            reason,
            f"The webhook may not post to SLACK_CHANNEL, {settings.slack_channel} ({reason}). "
            "Correct that setting or leave it empty, for the webhook of a Slack app has a channel "
            f"of its own. Then: {deploy_command(settings.stage)}. If the channel is right, the "
            f"webhook is gone. Make a new one, then: {replace}.",
        )
    return WebhookDead(
        reason,
        f"The receiver refuses the webhook ({reason}): it was removed, or its channel is gone. "
        f"Make a new one, then: {replace}.",
    )


def _word(body: str) -> str | None:
    """Find the one word that an answer says, plain or in JSON; nothing else is quoted."""
    document = _json(body)
    word = document.get("error") if isinstance(document, dict) else body
    return word if isinstance(word, str) and re.fullmatch(r"[a-z_]{1,64}", word) else None


def _json(body: str) -> Any:  # noqa: ANN401 — any JSON
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _seconds(answer: Answer) -> float | None:
    """Read how long the receiver asks to wait, in seconds, an hour at most."""
    document = _json(answer.body)
    said = answer.retry_after or (isinstance(document, dict) and document.get("retry_after"))
    try:
        seconds = float(said or "nan")
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not seconds >= 0:  # not a number either
        return 1.0 if answer.status == 429 else None  # noqa: PLR2004
    return min(seconds, _LONGEST_WAIT_SECONDS)
