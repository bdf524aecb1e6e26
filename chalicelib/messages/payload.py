"""What a Slack payload is made of: text that does no harm, blocks that break no limit.

Text from outside passes `safe` where markup is read, `clean` and `escape` where it is not: Slack
reads escapes in plain text too. Limits: "Reference: Blocks" and "Reference: Composition objects";
markup: "Formatting text for app surfaces" (Slack developer documentation).
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, Final

from chalicelib.settings import Settings

Payload = dict[str, Any]
Block = dict[str, Any]

HEADER_LIMIT: Final = 150
SECTION_LIMIT: Final = 3_000
FIELDS_LIMIT: Final = 10
CONTEXT_LIMIT: Final = 10
_LINES_PER_SECTION: Final = 5  # of 500 characters each at most, to stay below the limit

_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MENTIONS: Final = {"U": "<@{}>", "W": "<@{}>", "S": "<!subteam^{}>"}
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"})
# Letters and symbols by their category that show nothing: Hangul's fillers, Braille's blank, the
# joiner of combining marks, the place of an object, a note without a head.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0\ufffc\U0001d159")
_MARKS: Final = frozenset({"Me", "Mn"})
_MOST_MARKS: Final = 2  # on one letter
# A mark at the edge of a word, which opens or closes bold, italics or a strike, perhaps with a mark
# in another text of the line; an emoji's name; a quote. A group of an IPv6 address is no emoji's
# name, but for the few that are hexadecimal digits.
_RENDERED: Final = re.compile(
    r"(?<![A-Za-z0-9])[*_~](?!\s)|(?<!\s)[*_~](?![A-Za-z0-9])"
    r"|:(?![0-9a-f]+:)[\w+'-]+:|:(?:100|1234|a|ab|abc|abcd|b|bed|bee|cd):"
    r"|^>"
)


def clean(text: str, limit: int) -> str:
    """Flatten a text from outside to one line of at most `limit` characters.

    Control, format (bidi, zero-width), blank, private-use and lone surrogate characters become a
    space, runs of space one space, backticks apostrophes. Combining marks stand on a letter, at
    most two.
    """
    text = text[: limit * 4]
    if not (text.isascii() and text.isprintable()):
        text = "".join(_visible(text))
    text = " ".join(text.replace("`", "'").split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _visible(text: str) -> Iterator[str]:
    marks = _MOST_MARKS  # at the beginning there is no letter to stand on
    for character in text:
        category = unicodedata.category(character)
        if category in _INVISIBLE or character in _BLANK:
            marks = _MOST_MARKS
            yield " "
        elif category not in _MARKS:
            marks = 0
            yield character
        elif marks < _MOST_MARKS:
            marks += 1
            yield character


def escape(text: str, limit: int = SECTION_LIMIT) -> str:
    """Escape what Slack reads as markup: `&`, `<` and `>`, and nothing else.

    What comes out has at most `limit` characters; an escape is kept whole or left out.
    """
    escaped = text.translate(_ESCAPES)
    if len(escaped) <= limit:
        return escaped
    lengths = list(accumulate(len(character.translate(_ESCAPES)) for character in text))
    kept = text[: bisect_right(lengths, limit - 1)]
    return kept.rstrip().translate(_ESCAPES) + "…"


def safe(text: str, limit: int) -> str:
    """Make a text from outside fit for markup: one line, escaped, with no live link.

    It is put into a code span if Slack would render something in it, and otherwise stays as it
    is. It has at most half as many characters again as `limit` allows.
    """
    text = clean(text, limit).replace("://", "[:]//")
    escaped = escape(text, limit + limit // 2 - 2)
    return f"`{escaped}`" if _RENDERED.search(text) else escaped


def mention(settings: Settings) -> str:
    """Return the mention of whom the stage has set, with a space after it; or nothing."""
    target = settings.critical_mention
    return f"{_MENTIONS.get(target[0], '<!{}>').format(target)} " if target else ""


def format_utc(time: datetime) -> str:
    """Write a time in UTC, whole."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def format_local(
    time: datetime, parts: str = "{date_short_pretty} {time_secs}", utc: str = ""
) -> str:
    """Write a time so that Slack shows it in each reader's own zone, or else `utc`."""
    return f"<!date^{int(time.timestamp())}^{parts}|{utc or format_utc(time)}>"


def link(address: str, label: str) -> str:
    """Write a link; the address is the project's own or the operator's."""
    return f"<{address.translate(_ESCAPES)}|{label}>"


def tidy(text: str) -> str:
    """Leave one space between words, and none at the end of a line, where code spans brought more.

    Slack may not render a code span that touches Korean or Japanese: there it comes with spaces.
    """
    if "`" not in text:
        return text
    return "\n".join(" ".join(line.split()) for line in text.split("\n"))


def mrkdwn(text: str) -> Block:
    """Make a text object that reads markup but links nothing by itself."""
    return {"type": "mrkdwn", "text": tidy(text), "verbatim": True}


def plain_text(text: str) -> Block:
    """Make a text object that reads no markup."""
    return {"type": "plain_text", "text": text, "emoji": False}


def header(text: str) -> Block:
    """Make a header."""
    return {"type": "header", "text": plain_text(text[:HEADER_LIMIT])}


def section(text: Block) -> Block:
    """Make a section of one text object."""
    return {"type": "section", "text": text}


def sections(lines: Sequence[str]) -> list[Block]:
    """Make sections of lines in markup, as many as it takes."""
    return [
        section(mrkdwn("\n".join(lines[i : i + _LINES_PER_SECTION])))
        for i in range(0, len(lines), _LINES_PER_SECTION)
    ]


def fields(texts: Sequence[str]) -> Block:
    """Make a section of fields, two columns wide, in markup."""
    return {"type": "section", "fields": [mrkdwn(text) for text in texts[:FIELDS_LIMIT]]}


def context(texts: Sequence[str]) -> Block:
    """Make a small line below the others, in markup."""
    return {"type": "context", "elements": [mrkdwn(text) for text in texts[:CONTEXT_LIMIT]]}


def base_payload(settings: Settings) -> Payload:
    """Return what every payload carries: no unfurling, and the addressee where one is set."""
    addressee = {
        "channel": settings.slack_channel,
        "username": settings.slack_username,
        "icon_emoji": settings.slack_icon_emoji,
    }
    return {
        "unfurl_links": False,
        "unfurl_media": False,
        **{key: value for key, value in addressee.items() if value is not None},
    }
