"""Text from outside does no harm, and blocks break no limit."""

import pytest

from chalicelib.messages.payload import (
    CONTEXT_LIMIT,
    FIELDS_LIMIT,
    HEADER_LIMIT,
    base_payload,
    clean,
    context,
    escape,
    fields,
    header,
    safe,
    tidy,
)
from tests.support.stage import stage


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("alice", "alice"),
        ("two\nlines\r\n\tand more", "two lines and more"),
        ("\u202etxt.exe\u202c", "txt.exe"),
        ("zero\u200bwidth\ufeff", "zero width"),
        ("line\u2028paragraph\u2029", "line paragraph"),
        ("no\u00a0break", "no break"),
        ("bell\x07\x00", "bell"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("`code`", "'code'"),
        ("日本 한국", "日本 한국"),
        ("\u200b \u2060", ""),
        ("", ""),
    ],
)
def test_text_from_outside_is_one_plain_line(said: str, shown: str) -> None:
    assert clean(said, 80) == shown


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    assert clean("abcdef", 6) == "abcdef"
    assert clean("abcdefg", 6) == "abcde…"
    assert clean("abcd fg", 6) == "abcd…"
    assert clean("x" * 5_000, 6) == "xxxxx…"


def test_exactly_the_three_characters_that_slack_reads_are_escaped() -> None:
    assert escape("<!channel> & \"'*_~") == "&lt;!channel&gt; &amp; \"'*_~"


def test_no_escape_is_cut_in_two() -> None:
    assert escape("a&b", 7) == "a&amp;b"
    assert escape("a&bc", 7) == "a&amp;…"
    assert escape("a&bc", 6) == "a…"
    assert escape("a b&c", 6) == "a b…"
    assert escape("&" * 5_000, 3_000) == "&amp;" * 599 + "…"


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "svc_deploy_bot",
        "a*b ~ c",
        "user.name+tag@example.com",
        "2001:db8:4c1f:9a00::17",
        "10:02:33 UTC",
        "Mozilla/5.0 (X11; Linux x86_64; rv:149.0)",
    ],
)
def test_what_slack_does_not_render_stays_as_it_is(text: str) -> None:
    assert safe(text, 80) == text


@pytest.mark.parametrize(
    "text",
    [
        "_admin_",
        "*Root*",
        "~Li Wei~",
        "x :fire: y",
        "한국어*굵게*는",
        "opens *here",
        "closes_ here",
        "> quote",
        "2001:db8:100:a::1",
        "arn:aws:iam::111122223333:user/alice",
    ],
)
def test_what_slack_would_render_becomes_a_code_span(text: str) -> None:
    assert safe(text, 80) == f"`{text.replace('>', '&gt;')}`"


def test_no_text_from_outside_is_a_live_link() -> None:
    assert safe("see https://evil.example\nnow", 80) == "see https[:]//evil.example now"


@pytest.mark.parametrize("text", ["<" * 500, "://" * 500, "*" * 500])
def test_a_safe_text_keeps_its_limit_once_escaped(text: str) -> None:
    assert len(safe(text, 200)) <= 300


def test_code_spans_have_one_space_around_them_and_none_at_the_end_of_a_line() -> None:
    assert tidy("*Label*\n `a`  b  `c` \n`d`") == "*Label*\n`a` b `c`\n`d`"


def test_blocks_are_kept_within_slacks_limits() -> None:
    assert len(header("x" * 500)["text"]["text"]) == HEADER_LIMIT
    assert len(fields(["x"] * 50)["fields"]) == FIELDS_LIMIT
    assert len(context(["x"] * 50)["elements"]) == CONTEXT_LIMIT


def test_a_payload_names_the_addressee_that_the_stage_has_set() -> None:
    addressee = {"channel": "#security", "username": "監視Bot", "icon_emoji": ":lock:"}
    settings = stage(**{f"SLACK_{name.upper()}": value for name, value in addressee.items()})
    assert addressee.items() <= base_payload(settings).items()
