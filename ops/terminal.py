"""What the commands show on a terminal, drawn by rich: widths, colours and NO_COLOR are its work.

Control characters in a message never reach the terminal: an attacker's user agent must not move
its cursor.
"""

import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import Any, Final, TextIO

from rich.console import Console, Group, OverflowMethod, RenderableType
from rich.progress import Progress
from rich.segment import Segment, Segments
from rich.style import Style
from rich.table import Table
from rich.text import Text

_NAMED_COLOURS: Final = {"good": "#2eb67d", "warning": "#ecb22e", "danger": "#e01e5a"}
_ANGLE: Final = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
_STRONG: Final = re.compile(r"(`[^`\n]+`)|(?<!\w)\*(\S|\S[^*\n]*\S)\*(?!\w)")
_WIDEST: Final = 100  # columns that are still read well
_PIPE_WIDTH: Final = 200


def console(out: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> Console:
    """Return where to print to: standard output, or a stream of your own.

    A pipe is 200 columns wide, so that what reads it gets whole cells.
    """
    out = out or sys.stdout
    return Console(
        file=out,
        highlight=False,
        markup=False,
        emoji=False,
        width=None if out.isatty() or "COLUMNS" in environ else _PIPE_WIDTH,
        _environ=environ,
    )


@contextmanager
def progress(label: str, total: float) -> Iterator[Callable[[float], object]]:
    """Show on standard error, if it is a terminal, how far something is; yield what advances it."""
    with Progress(console=console(sys.stderr), disable=not sys.stderr.isatty()) as bar:
        yield partial(bar.advance, bar.add_task(label, total=total))


def plain(text: str) -> str:
    """Return a text without what a terminal could obey (categories Cc and Cf)."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(character) in ("Cc", "Cf")
        else character
        for character in text
    )


class Screen:
    """Where messages are shown, about as Slack shows them."""

    def __init__(self, out: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self._console = console(out, environ)
        self._width = min(self._console.width, _WIDEST)

    def show(self, payload: Mapping[str, Any], at: datetime) -> None:
        """Show one message that arrived at that time."""
        name = plain(str(payload.get("username", "signin-monitor")))
        time = (f"  {at.astimezone():%H:%M:%S}", "dim")
        self._print(Text.assemble((name, "bold"), time))
        self._print(_read({"type": "mrkdwn", "text": payload.get("text", "")}))
        for attachment in payload.get("attachments", ()):
            blocks = chain.from_iterable(map(_rendered, attachment.get("blocks", ())))
            self._barred(Group(*blocks), _colour(str(attachment.get("color", ""))))
        for block in payload.get("blocks", ()):
            self._print(Group(*_rendered(block)))
        self.line()

    def line(self, text: str = "") -> None:
        """Show a line of the playground's own."""
        self._console.print(text, soft_wrap=True)

    def note(self, text: str) -> None:
        """Show a line of the playground's own that matters less."""
        self._console.print(Text(plain(text), "dim"), soft_wrap=True)

    def _print(self, renderable: RenderableType) -> None:
        # In a group: rich joins bare texts, and forgets which may be wider than the terminal.
        self._console.print(Group(renderable), width=self._width, crop=False)

    def _barred(self, renderable: RenderableType, style: Style) -> None:
        """Show what stands in an attachment beside its coloured bar."""
        options = self._console.options.update_width(self._width - 4)
        for line in Segment.split_lines(self._console.render(renderable, options)):
            segments = [Segment("  "), Segment("┃ ", style), *_trimmed(line), Segment.line()]
            self._console.print(Segments(segments), end="", crop=False)


def _trimmed(line: list[Segment]) -> list[Segment]:
    while line and not line[-1].text.strip():
        line = line[:-1]
    if line:
        last = line[-1]
        line = [*line[:-1], Segment(last.text.rstrip(), last.style, last.control)]
    return line


def _rendered(block: Mapping[str, Any]) -> Iterator[RenderableType]:
    kind = block.get("type")
    if kind == "divider":
        yield ""
    if kind == "context":
        for element in block.get("elements", ()):
            yield _read(element, "dim")
    if "text" in block:
        yield _read(block["text"], "bold" if kind == "header" else "")
    if fields := block.get("fields"):
        grid = Table.grid(padding=(0, 2, 0, 0))
        for field in fields:
            label, _, value = str(_read(field)).partition("\n")
            grid.add_row(Text(label, "dim"), Text(value))
        yield grid


def _read(text: Mapping[str, Any], style: str = "") -> Text:
    """Return a text object, markup or plain, as what it shows; a link stays in one line."""
    shown = str(text.get("text", ""))
    if text.get("type") == "mrkdwn":
        shown = _STRONG.sub(lambda match: match[1] or match[2], shown)
        shown = _ANGLE.sub(lambda match: _angle(match[1], match[2]), shown)
    shown = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    overflow: OverflowMethod = "ignore" if "://" in shown else "fold"
    return Text("\n".join(map(plain, shown.splitlines())), style, overflow=overflow)


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


def _colour(colour: str) -> Style:
    """Return the style of a bar; a colour that is none has no style."""
    colour = _NAMED_COLOURS.get(colour, colour)
    return Style(color=colour) if re.fullmatch("#[0-9a-fA-F]{6}", colour) else Style()
