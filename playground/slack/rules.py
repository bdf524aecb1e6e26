"""What Slack refuses to show: the limits of its pages "Reference: blocks" and "Attachments".

Stricter than Slack in one place: a `text` that Slack would cut is refused.
"""

from collections.abc import Callable
from typing import Any

MAX_TEXT = 40_000
MAX_BLOCKS = 50
MAX_ATTACHMENTS = 100
MAX_BLOCK_ID = 255
MAX_HEADER = 150
MAX_SECTION_TEXT = 3_000
MAX_FIELDS = 10
MAX_FIELD = 2_000
MAX_CONTEXT_ELEMENTS = 10

_NAMED_COLOURS = ("good", "warning", "danger")
_HEX_COLOUR_LENGTHS = (3, 6)


def refusal(payload: object) -> str | None:
    """Return Slack's word for what is wrong with a payload, or None if Slack would show it."""
    if not isinstance(payload, dict):
        return "invalid_payload"
    text, blocks, attachments = (payload.get(key) for key in ("text", "blocks", "attachments"))
    if text is not None and not (isinstance(text, str) and len(text) <= MAX_TEXT):
        return "invalid_payload"
    if blocks is not None and not _are_blocks(blocks):
        return "invalid_blocks"
    if attachments is not None and not isinstance(attachments, list):
        return "invalid_attachments"
    if attachments and len(attachments) > MAX_ATTACHMENTS:
        return "too_many_attachments"
    if attachments and not all(map(_is_attachment, attachments)):
        return "invalid_attachments"
    if not (text or blocks or attachments):
        return "no_text"
    return None


def _is_attachment(attachment: object) -> bool:
    if not isinstance(attachment, dict):
        return False
    shown = [attachment.get(key) for key in ("blocks", "text", "fallback")]
    return any(shown) and _is_colour(attachment.get("color")) and _are_blocks(shown[0] or [])


def _is_colour(colour: object) -> bool:
    if colour is None or colour in _NAMED_COLOURS:
        return True
    digits = str(colour).removeprefix("#")
    is_hex = all(digit in "0123456789abcdefABCDEF" for digit in digits)
    return isinstance(colour, str) and is_hex and len(digits) in _HEX_COLOUR_LENGTHS


def _are_blocks(blocks: object) -> bool:
    return isinstance(blocks, list) and len(blocks) <= MAX_BLOCKS and all(map(_is_block, blocks))


def _is_block(block: object) -> bool:
    if not isinstance(block, dict) or len(str(block.get("block_id", ""))) > MAX_BLOCK_ID:
        return False
    kind = block.get("type")
    return isinstance(kind, str) and kind in _BLOCKS and _BLOCKS[kind](block)


def _is_header(block: dict[str, Any]) -> bool:
    text = block.get("text")
    return _is_text(text, MAX_HEADER) and isinstance(text, dict) and text["type"] == "plain_text"


def _is_section(block: dict[str, Any]) -> bool:
    text, fields = block.get("text"), block.get("fields")
    if text is None and fields is None:
        return False
    return (text is None or _is_text(text, MAX_SECTION_TEXT)) and (
        fields is None or _are_texts(fields, MAX_FIELDS, MAX_FIELD)
    )


def _is_context(block: dict[str, Any]) -> bool:
    elements = block.get("elements")
    if not isinstance(elements, list):
        return False
    texts = [
        element
        for element in elements
        if not (isinstance(element, dict) and element.get("type") == "image")
    ]
    return 0 < len(elements) <= MAX_CONTEXT_ELEMENTS and all(
        _is_text(text, MAX_SECTION_TEXT) for text in texts
    )


def _is_shown_unread(_block: dict[str, Any]) -> bool:
    return True


_BLOCKS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "header": _is_header,
    "section": _is_section,
    "context": _is_context,
    "divider": _is_shown_unread,
    "image": _is_shown_unread,
    "rich_text": _is_shown_unread,
    "actions": _is_shown_unread,
}


def _are_texts(texts: object, most: int, longest: int) -> bool:
    return (
        isinstance(texts, list)
        and 0 < len(texts) <= most
        and all(_is_text(text, longest) for text in texts)
    )


def _is_text(text: object, longest: int) -> bool:
    if not isinstance(text, dict) or not isinstance(text.get("text"), str):
        return False
    option = {"plain_text": "emoji", "mrkdwn": "verbatim"}.get(str(text.get("type")))
    return (
        option is not None
        and set(text) <= {"type", "text", option}
        and isinstance(text.get(option, True), bool)
        and 0 < len(text["text"]) <= longest
    )
