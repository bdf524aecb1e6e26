"""Messages as a terminal shows them."""

import io
import os
from datetime import UTC, datetime
from typing import Any

import pytest

from ops.terminal import Screen

NOW = datetime(2026, 5, 4, 2, 17, 40, tzinfo=UTC)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return -1


def shown(payload: dict[str, Any], out: io.StringIO | None = None, **environ: str) -> str:
    out = out or io.StringIO()
    Screen(out, environ).show(payload, NOW)
    return out.getvalue()


def of_blocks(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"text": "Somebody", "attachments": [{"color": "#e01e5a", "blocks": list(blocks)}]}


def mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def test_a_mention_a_link_and_an_escape_are_shown_as_slack_shows_them() -> None:
    text = shown(
        {"text": "<!here> *root* `*x*` <https://a.example/b|CloudTrail> &lt;b&gt; &amp;amp;"}
    )

    assert "@here root `*x*` CloudTrail (https://a.example/b) <b> &amp;" in text


def test_a_date_is_shown_in_the_zone_of_the_terminal() -> None:
    local = datetime.fromtimestamp(1777861056, UTC).astimezone()

    text = shown({"text": "<!date^1777861056^{date_short_pretty} {time_secs}|in UTC>"})

    assert f"{local:%Y-%m-%d %H:%M:%S}" in text


def test_fields_stand_in_two_columns_in_korean_too() -> None:
    fields = [mrkdwn("*사용자*\nroot"), mrkdwn("*MFA*\n미사용")]

    text = shown(of_blocks({"type": "section", "fields": fields}))

    assert "┃ 사용자  root\n" in text
    assert "┃ MFA     미사용\n" in text


def test_no_line_is_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((60, 24)))
    words = {"type": "section", "text": mrkdwn("word " * 40)}

    text = shown(of_blocks(words) | {"text": "word " * 40}, Terminal(), NO_COLOR="1")

    assert 50 < max(len(line) for line in text.splitlines()) <= 60


def test_a_link_that_is_wider_than_the_terminal_can_be_clicked_all_the_same() -> None:
    address = f"https://a.example/{'x' * 150}"
    block = {"type": "context", "elements": [mrkdwn(f"1 · <{address}|CloudTrail>")]}

    text = shown(of_blocks(block) | {"text": f"words <{address}>"})

    assert text.count(address) == 2


def test_plain_text_is_not_read_as_markup() -> None:
    block = {"type": "section", "text": {"type": "plain_text", "text": "*a* <!here>"}}

    assert "┃ *a* <!here>" in shown(of_blocks(block))


@pytest.mark.parametrize("control", ["\x1b[2J", "\x07", "\x9b2J", "\u202e"])
def test_no_control_character_of_a_message_reaches_the_terminal(control: str) -> None:
    payload = {
        "username": control,
        **of_blocks(
            {
                "type": "section",
                "text": mrkdwn(control),
                "fields": [mrkdwn(f"{control}\n{control}")],
            }
        ),
    }
    payload["text"] = control

    assert control not in shown(payload)


def test_a_terminal_gets_colour() -> None:
    text = shown(of_blocks({"type": "divider"}), Terminal(), TERM="xterm-256color")
    assert "\x1b[38;5;" in text


def test_a_terminal_that_wants_no_colour_gets_none() -> None:
    text = shown(of_blocks({"type": "divider"}), Terminal(), TERM="xterm-256color", NO_COLOR="1")
    assert "\x1b[38;5;" not in text


def test_what_is_no_terminal_gets_no_colour() -> None:
    assert "\x1b" not in shown(of_blocks({"type": "divider"}))
