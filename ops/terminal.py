"""Draws a payload for a terminal, about as Slack shows it.

Colours go to a terminal only, and not where NO_COLOR is set (no-color.org). Control characters in
a message never reach the terminal: an attacker's user agent must not move its cursor.
"""

import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

_NAMED_COLOURS: Final = {"good": "#2eb67d", "warning": "#ecb22e", "danger": "#e01e5a"}
_ANGLE: Final = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
_STRONG: Final = re.compile(r"(?<!\w)\*(\S|\S[^*\n]*\S)\*(?!\w)")
_WELL_READ: Final = 96
_BOLD: Final = "1"
_DIM: Final = "2"


class Screen:
    """Where messages are written to."""

    def __init__(self, out: TextIO = sys.stdout, environ: Mapping[str, str] = os.environ) -> None:
        self._out = out
        self._coloured = out.isatty() and not environ.get("NO_COLOR")
        self._width = max(40, min(100, _width_of(out)))

    def show(self, payload: Mapping[str, Any], at: datetime) -> None:
        """Write one message that arrived at that time."""
        name = _plain(str(payload.get("username", "signin-monitor")))
        self.line(f"{self._in(_BOLD, name)}  {self._in(_DIM, f'{at.astimezone():%H:%M:%S}')}")
        sentence = {"type": "mrkdwn", "text": payload.get("text", "")}
        for line in self._wrapped(_read(sentence)):
            self.line(line)
        for attachment in payload.get("attachments", ()):
            colour = _colour_code(str(attachment.get("color", "")))
            for block in attachment.get("blocks", ()):
                for line in self._block(block):
                    self.line(f"  {self._in(colour, '┃')} {line}".rstrip())
        self.line()

    def line(self, text: str = "") -> None:
        """Write a line of the playground's own."""
        print(text, file=self._out, flush=True)

    def note(self, text: str) -> None:
        """Write a line of the playground's own that matters less."""
        self.line(self._in(_DIM, _plain(text)))

    def _block(self, block: Mapping[str, Any]) -> Iterator[str]:
        kind = block.get("type")
        if kind == "divider":
            yield ""
        if kind == "context":
            for element in block.get("elements", ()):
                yield from (self._in(_DIM, line) for line in self._wrapped(_read(element)))
        if "text" in block:
            lines = self._wrapped(_read(block["text"]))
            yield from (self._in(_BOLD, line) for line in lines) if kind == "header" else lines
        yield from self._fields([_read(field) for field in block.get("fields", ())])

    def _fields(self, fields: list[str]) -> Iterator[str]:
        """Set labels and values in two columns."""
        pairs = [
            (_plain(label), value) for label, _, value in (one.partition("\n") for one in fields)
        ]
        indent = 2 + max((_columns(label) for label, _ in pairs), default=0)
        for label, value in pairs:
            first, *more = self._wrapped(value, indent) or [""]
            yield self._in(_DIM, label) + " " * (indent - _columns(label)) + first
            yield from (" " * indent + line for line in more)

    def _wrapped(self, text: str, indent: int = 0) -> list[str]:
        lines = [_plain(line) for line in text.splitlines()]
        fold = textwrap.TextWrapper(
            width=self._width - indent - 4,
            break_long_words=False,  # a link stays whole, to be clicked
            break_on_hyphens=False,
        )
        return [part for line in lines for part in fold.wrap(line) or [""]]

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._coloured and code and text else text


def _width_of(out: TextIO) -> int:
    """Return a terminal's columns; where there is none, or it has no size, what is well read."""
    try:
        return os.get_terminal_size(out.fileno()).columns or _WELL_READ
    except OSError:
        return _WELL_READ


def _read(text: Mapping[str, Any]) -> str:
    """Return a text object, markup or plain, as what it shows."""
    shown = str(text.get("text", ""))
    if text.get("type") == "mrkdwn":
        shown = _STRONG.sub(r"\1", shown)
        shown = _ANGLE.sub(lambda match: _angle(match[1], match[2]), shown)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _angle(target: str, label: str | None) -> str:
    if target.startswith("!date^"):
        epoch = re.match(r"!date\^(\d{1,11})\^", target)
        when = datetime.fromtimestamp(int(epoch[1]), UTC).astimezone() if epoch else None
        return f"{when:%Y-%m-%d %H:%M:%S %Z}" if when else label or ""
    if target.startswith("!"):
        return label or f"@{target[1:]}"
    if target.startswith("@"):
        return label or target
    return f"{label} ({target})" if label else target


def _plain(text: str) -> str:
    """Replace what a terminal could obey (categories Cc and Cf)."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(one) in ("Cc", "Cf") else one
        for one in text
    )


def _columns(text: str) -> int:
    """Count a terminal's columns: Korean and Japanese letters take two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def _colour_code(colour: str) -> str:
    """Return the nearest of a terminal's 256 colours, or nothing."""
    match = re.fullmatch("#([0-9a-fA-F]{6})", _NAMED_COLOURS.get(colour, colour))
    if not match:
        return ""
    red, green, blue = (round(part / 255 * 5) for part in bytes.fromhex(match[1]))
    return f"38;5;{16 + 36 * red + 6 * green + blue}"
