"""An independent check of a payload: Slack's SDK and Slack's pages, and nothing of ours.

The shapes and most limits are the SDK's own; beside them stand what only Slack's documentation
says ("Reference: Blocks", "Formatting text for app surfaces") and what Slack was seen to refuse.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, ContextBlock, HeaderBlock, SectionBlock

BLOCK_TEXT = 13_000  # beyond it Slack answers msg_blocks_too_long
TEXT = 4_000
FIELD = 2_000
BLOCKS = 50

KEYS = {
    "attachments",
    "channel",
    "icon_emoji",
    "text",
    "unfurl_links",
    "unfurl_media",
    "username",
}
OWN_MARKUP = re.compile(
    r"<(?:!date\^-?\d+\^(?:\{date_short_pretty\} )?\{time(?:_secs)?\}\|(?:[-\d]+ )?[\d:]+ UTC"
    r"|https://[a-z0-9-]+\.console\.[a-z0-9.-]+/cloudtrailv2/home\?region=[a-z0-9-]+#/events"
    r"(?:/[\w-]+|\?Username=[\w.~%-]+)?\|[^<>|\n]+"
    r"|https://support\.aws\.amazon\.com/#/contacts/aws-account-support\|[^<>|\n]+"
    r"|https://wiki\.example/[^<>|\s]*\|[^<>|\n]+)>"
)
MENTION = re.compile(r"<(?:!here|!channel|!everyone|@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+)> ")
OWN_LABEL = re.compile(r"^\*[^*\n]+\*(?=\n)", re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`")
# What Slack shows as something else: bold, italics, strike; an emoji; a quote. An IPv6 address is
# none: no emoji has the name of one of its groups, except a few.
RENDERED = re.compile(
    r"(?<![A-Za-z0-9])(?P<mark>[*_~])(?=\S)[^\n]*?(?<=\S)(?P=mark)(?![A-Za-z0-9])"
    r"|:(?![0-9a-f]+:)[\w+'-]+:|:(100|1234|a|b|ab|abc|abcd|harness|bee|cd):"
    r"|^&gt;",
    re.MULTILINE,
)
STRAY_AMPERSAND = re.compile(r"&(?!amp;|lt;|gt;)")
CONTROL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
CHINESE_JAPANESE_KOREAN = "\u1100-\u11ff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7af"
# Slack often leaves such a mark visible.
TOUCHING_MARK = re.compile(f"`[{CHINESE_JAPANESE_KOREAN}]|[{CHINESE_JAPANESE_KOREAN}]`")


def faults(payload: Mapping[str, Any], *, mention: str | None = None) -> list[str]:
    """List all that Slack would refuse or misread; `mention` is the one that is expected."""
    try:
        json.dumps(payload).encode()
        json.dumps(payload, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        return [f"no JSON: {error}"]
    text = payload["text"]
    with_mention = MENTION.match(text)
    return [
        *(f"unknown key {key}" for key in payload.keys() - KEYS),
        *_of_mention(with_mention and with_mention[0].strip(), mention),
        *_of_text(MENTION.sub("", text, count=1), TEXT),
        *_of_markup(MENTION.sub("", text, count=1)),
        *(
            fault
            for attachment in payload.get("attachments", [])
            for fault in _of_attachment(attachment)
        ),
    ]


def texts(payload: Mapping[str, Any]) -> Iterator[str]:
    """Return every text that a reader sees."""
    yield payload["text"]
    for attachment in payload.get("attachments", []):
        for block in attachment["blocks"]:
            for text in _text_objects(block):
                yield text["text"]


def _of_mention(found: str | None, expected: str | None) -> list[str]:
    return [] if found == expected else [f"mentions {found}, not {expected}"]


def _of_attachment(attachment: Mapping[str, Any]) -> Iterator[str]:
    blocks = attachment["blocks"]
    if attachment.keys() != {"color", "fallback", "blocks"} or not re.fullmatch(
        r"#[0-9a-f]{6}", attachment["color"]
    ):
        yield "an attachment of another shape"
    yield from _of_text(attachment["fallback"], TEXT)
    if not 0 < len(blocks) <= BLOCKS:
        yield f"{len(blocks)} blocks"
    if (length := sum(len(text["text"]) for b in blocks for text in _text_objects(b))) > BLOCK_TEXT:
        yield f"{length} characters in blocks"
    for block in blocks:
        yield from _of_block(block)


def _of_block(block: dict[str, Any]) -> Iterator[str]:
    parsed = Block.parse(block)
    if not isinstance(parsed, ContextBlock | HeaderBlock | SectionBlock):
        yield f"a block of type {block.get('type')}"
        return
    try:
        given = parsed.to_dict()
    except SlackObjectFormationError as error:
        yield str(error)
        return
    if given != block:
        yield f"the SDK reads {given} out of {block}"
    for text in _text_objects(block):
        yield from _of_text(text["text"], FIELD if "fields" in block else 3_000)
        if text["type"] == "mrkdwn":
            yield from _of_markup(text["text"])
        option = {"mrkdwn": ("verbatim", True), "plain_text": ("emoji", False)}[text["type"]]
        if text.get(option[0]) is not option[1]:
            yield f"{option[0]} is not {option[1]}"


def _of_markup(text: str) -> Iterator[str]:
    unlabelled = OWN_LABEL.sub("", text)
    if found := RENDERED.search(OWN_MARKUP.sub("", CODE.sub("code", unlabelled))):
        yield f"{found[0]!r} is rendered in {text!r}"
    if TOUCHING_MARK.search(CODE.sub("`code`", unlabelled)):
        yield f"a code span that touches a letter in {text!r}"
    if "  " in text or re.search(r"^ | $", text, re.MULTILINE):
        yield f"spaces that show in {text!r}"


def _text_objects(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        *([block["text"]] if "text" in block else []),
        *block.get("fields", []),
        *block.get("elements", []),
    ]


def _of_text(text: str, longest: int) -> Iterator[str]:
    if not 0 < len(text) <= longest:
        yield f"a text of {len(text)} characters"
    foreign = OWN_MARKUP.sub("", text)
    if "<" in foreign or ">" in foreign:
        yield f"markup from outside in {text!r}"
    if STRAY_AMPERSAND.search(foreign):
        yield f"an ampersand that is not escaped in {text!r}"
    if not text.strip():
        yield "an empty text"
    odd = {c for c in text if c != "\n" and unicodedata.category(c) in CONTROL}
    if odd:
        yield f"control characters {odd!r} in {text!r}"
