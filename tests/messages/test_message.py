"""How a message is put together: mention, word of severity, and what replaces its blocks."""

import pytest

from chalicelib.messages.message import build_message, may_repeat
from chalicelib.messages.payload import context, header
from chalicelib.signin.severity import Severity
from playground.slack.rules import refusal
from tests.support.stage import LANGUAGES, stage

BLOCKS = [header("Sign-in")]


@pytest.mark.parametrize(
    ("target", "mention"),
    [
        ("here", "<!here>"),
        ("channel", "<!channel>"),
        ("everyone", "<!everyone>"),
        ("U012AB3CD", "<@U012AB3CD>"),
        ("W012AB3CD", "<@W012AB3CD>"),
        ("S012AB3CD", "<!subteam^S012AB3CD>"),
    ],
)
def test_a_critical_message_mentions_whom_the_stage_has_set(target: str, mention: str) -> None:
    message = build_message("Root.", Severity.CRITICAL, stage(CRITICAL_MENTION=target), BLOCKS)
    assert message.payload["text"] == f"{mention} [Critical] Root."


@pytest.mark.parametrize(
    ("severity", "text"), [(Severity.INFO, "Alice."), (Severity.WARNING, "[Warning] Alice.")]
)
def test_a_message_that_is_not_critical_mentions_nobody(severity: Severity, text: str) -> None:
    message = build_message("Alice.", severity, stage(CRITICAL_MENTION="here"), BLOCKS)
    assert message.payload["text"] == text


def test_without_a_setting_nobody_is_mentioned() -> None:
    assert build_message("Root.", Severity.CRITICAL, stage()).payload["text"] == "[Critical] Root."


def test_what_shows_no_blocks_shows_the_sentence_and_mentions_nobody_twice() -> None:
    message = build_message("Root.", Severity.CRITICAL, stage(CRITICAL_MENTION="here"), BLOCKS)
    (attachment,) = message.payload["attachments"]
    assert attachment["fallback"] == "[Critical] Root."


def test_a_payload_that_slack_calls_invalid_is_replaced_by_its_text() -> None:
    settings = stage(SLACK_CHANNEL="#security")
    message = build_message("Alice.", Severity.INFO, settings, BLOCKS)
    assert message.fallback == build_message("Alice.", Severity.INFO, settings).payload


def test_each_severity_has_a_colour_of_its_own() -> None:
    built = [build_message("x", severity, stage(), BLOCKS).payload for severity in Severity]
    assert len({payload["attachments"][0]["color"] for payload in built}) == len(Severity)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_message_that_may_repeat_another_says_so_in_text_and_below_its_blocks(
    language: str,
) -> None:
    settings = stage(MESSAGE_LANGUAGE=language)
    whole = build_message("alice signed in.", Severity.WARNING, settings, [context(["a line"])])
    part = build_message("alice signed in.", Severity.WARNING, settings)
    whole = may_repeat(whole, settings, partly=False)
    part = may_repeat(part, settings, partly=True)
    begin, note = whole.payload["text"].split("alice signed in. ")
    assert whole.payload["attachments"][0]["blocks"][-1] == context([note])
    assert part.payload["text"].startswith(f"{begin}alice signed in. ")
    assert part.payload["text"] != whole.payload["text"]
    assert (refusal(whole.payload), refusal(part.payload)) == (None, None)
