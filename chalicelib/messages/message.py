"""Message: what is posted, put together in one way for sign-ins, digests and reports."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chalicelib.messages.payload import Block, Payload, base_payload, context, mention, tidy
from chalicelib.messages.phrases import phrases_in
from chalicelib.settings import Settings
from chalicelib.signin.severity import Severity

_COLOURS: Final = {
    Severity.INFO: "#2eb67d",
    Severity.WARNING: "#ecb22e",
    Severity.CRITICAL: "#e01e5a",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What to post, and how much it matters."""

    payload: Payload
    severity: Severity

    @property
    def fallback(self) -> Payload:
        """What to post if Slack calls the payload invalid: its text, and nothing else."""
        return {key: value for key, value in self.payload.items() if key != "attachments"}


def build_message(
    sentence: str, severity: Severity, settings: Settings, blocks: Sequence[Block] = ()
) -> Message:
    """Put a message together: the sentence in `text`, the blocks beside a coloured bar.

    `text` is what phones, screen readers and search show. It begins with the mention that the
    stage has set, if the message is critical, and with the word of a warning or a critical.
    `fallback` is what Slack shows of the blocks where it shows none: in its activity and threads.
    """
    sentence = tidy(sentence)
    if severity is not Severity.INFO:
        sentence = phrases_in(settings.message_language)(f"text.{severity.word}", sentence=sentence)
    text = f"{mention(settings)}{sentence}" if severity is Severity.CRITICAL else sentence
    payload = {"text": text, **base_payload(settings)}
    if blocks:
        attachment = {"color": _COLOURS[severity], "fallback": sentence, "blocks": list(blocks)}
        payload["attachments"] = [attachment]
    return Message(payload, severity)


def may_repeat(message: Message, settings: Settings, *, partly: bool) -> Message:
    """Return a message that says that it, or part of it, may repeat an earlier message."""
    phrase = "may_repeat.partly" if partly else "may_repeat"
    note = phrases_in(settings.message_language)(phrase)
    payload = {**message.payload, "text": f"{message.payload['text']} {note}"}
    if attachments := payload.get("attachments"):
        first, *others = attachments
        blocks = [*first["blocks"], context([note])]
        payload["attachments"] = [{**first, "blocks": blocks}, *others]
    return replace(message, payload=payload)
