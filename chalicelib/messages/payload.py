"""What a Slack payload is made of: text that does no harm, blocks that break no limit.

Text from outside passes `clean`, then `escape`: Slack reads escapes in plain text too. Limits:
"Reference: Blocks" and "Reference: Composition objects" (Slack developer documentation).
"""

import html
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

_MENTIONS: Final = {"U": "<@{}>", "W": "<@{}>", "S": "<!subteam^{}>"}
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})
# Letters by their category that show nothing: Hangul's fillers, Braille's blank, and the joiner of
# combining marks.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
_MARKS: Final = frozenset({"Me", "Mn"})
_MOST_MARKS: Final = 2  # on one letter


def clean(text: str, limit: int) -> str:
    """Flatten a text from outside to one line of at most `limit` characters.

    Control, format (bidi, zero-width), blank and lone surrogate characters become a space, runs of
    space one space, backticks apostrophes. Combining marks stand on a letter, at most two.
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
    escaped = html.escape(text, quote=False)
    if len(escaped) <= limit:
        return escaped
    lengths = list(accumulate(len(html.escape(one, quote=False)) for one in text))
    kept = text[: bisect_right(lengths, limit - 1)]
    return html.escape(kept.rstrip(), quote=False) + "…"


def fallback_text(text: str, limit: int) -> str:
    """Make a text from outside fit for `text`: clean, escaped, and without live links."""
    return escape(clean(text, limit).replace("://", "[:]//"), limit)


def mention(settings: Settings) -> str:
    """Return the mention of whom the stage has set, with a space after it; or nothing."""
    target = settings.critical_mention
    return f"{_MENTIONS.get(target[0], '<!{}>').format(target)} " if target else ""


def format_utc(time: datetime) -> str:
    """Write a moment in UTC, whole."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC")


def format_local(time: datetime) -> str:
    """Write a moment so that Slack shows it in each reader's own zone."""
    return f"<!date^{int(time.timestamp())}^{{date_short_pretty}} {{time_secs}}|{format_utc(time)}>"


def mrkdwn(text: str) -> Block:
    """Make a text object that reads markup but links nothing by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain_text(text: str) -> Block:
    """Make a text object that reads no markup."""
    return {"type": "plain_text", "text": text, "emoji": False}


def header(text: str) -> Block:
    """Make a header."""
    return {"type": "header", "text": plain_text(text[:HEADER_LIMIT])}


def section(text: Block) -> Block:
    """Make a section of one text object."""
    return {"type": "section", "text": text}


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
