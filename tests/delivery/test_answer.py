"""What each answer of a receiver means."""

import json

import pytest

from chalicelib.delivery import answer as answers
from chalicelib.delivery.answer import Answer, Destination
from chalicelib.delivery.webhook import CRITICAL, MAIN
from chalicelib.errors import Act, PayloadInvalid, PostError, RefusedForNow, WebhookDead
from playground.slack.answers import ANSWERS, HTML_PAGE, WORDS
from tests.support.stage import stage

ERRORS: dict[Act, type[PostError]] = {
    "developers": PayloadInvalid,
    "operator": WebhookDead,
    "nobody": RefusedForNow,
}
REMEDIES = {
    "developers": "please report this to the developers of signin-monitor.",
    "operator": (
        "Make a new one, then: python -m ops setup --stage prod --rotate-webhook, then "
        "chalice deploy --stage prod."
    ),
    "nobody": "later it may take the message.",
}


def error_for(
    status: int, body: str = "", retry_after: str | None = None, *, is_slack: bool = True
) -> PostError | None:
    host = "hooks.slack.com" if is_slack else "chat.example"
    return answers.error_for(Answer(status, body, retry_after), Destination(host, stage(), MAIN))


def wait(status: int, body: str = "", retry_after: str | None = None) -> float | None:
    failure = error_for(status, body, retry_after)
    assert isinstance(failure, RefusedForNow)
    return failure.retry_after


@pytest.mark.parametrize("act", WORDS)
def test_slacks_word_says_who_must_act_whatever_the_status(act: Act) -> None:
    for word in WORDS[act]:
        for status in (200, 400, 404, 429, 500):
            failure = error_for(status, word)
            assert isinstance(failure, ERRORS[act]), word
            assert (failure.reason, failure.act) == (word, act)
            assert word in str(failure)
            assert str(failure).endswith(REMEDIES[act])


def test_a_channel_that_slack_does_not_post_to_is_looked_for_in_slack_channel_first() -> None:
    settings = stage(SLACK_CHANNEL="#alerts")
    destination = Destination("hooks.slack.com", settings, CRITICAL)
    for word in ("channel_not_found", "user_not_found", "restricted_action"):
        failure = answers.error_for(Answer(404, word, None), destination)
        assert failure
        assert failure.reason == word
        assert str(failure) == (
            f"The webhook may not post to SLACK_CHANNEL, #alerts ({word}). Correct that setting "
            "or leave it empty, for the webhook of a Slack app has a channel of its own. Then: "
            "chalice deploy --stage prod. If the channel is right, the webhook is gone. Make a new "
            "one, then: python -m ops setup --stage prod --critical-webhook, then "
            "chalice deploy --stage prod."
        )
    gone = answers.error_for(Answer(404, "no_service", None), destination)
    assert "SLACK_CHANNEL" not in str(gone)


def test_a_bad_request_of_another_receiver_is_no_bug_of_signin_monitor() -> None:
    failure = error_for(400, '{"message": "Cannot send an empty message"}', is_slack=False)
    assert isinstance(failure, PayloadInvalid)
    assert (failure.reason, failure.act) == ("http_400", "operator")
    assert "chat.example does not take the message (http_400). It is not Slack" in str(failure)
    assert "plain text as well, name a receiver that takes Slack's format" in str(failure)


def test_rate_limited_is_for_later_whatever_the_status() -> None:
    assert {type(error_for(status, "rate_limited")) for status in (200, 400, 429)} == {
        RefusedForNow
    }


def test_the_word_may_stand_in_json() -> None:
    failure = error_for(500, json.dumps({"ok": False, "error": "no_service"}))
    assert isinstance(failure, WebhookDead)
    assert failure.reason == "no_service"


@pytest.mark.parametrize("body", ["", HTML_PAGE, "what_is_this", "ok"])
def test_too_many_requests_and_a_broken_server_are_for_later(body: str) -> None:
    assert {type(error_for(status, body)) for status in (429, 500, 599)} == {RefusedForNow}


@pytest.mark.parametrize("status", [400, 413])
def test_a_bad_request_in_no_known_word_is_most_likely_the_payloads_fault(status: int) -> None:
    failure = error_for(status, HTML_PAGE)
    assert isinstance(failure, PayloadInvalid)
    assert failure.reason == f"http_{status}"


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 410, 418])
def test_any_other_status_is_a_dead_webhook(status: int) -> None:
    failure = error_for(status, HTML_PAGE)
    assert isinstance(failure, WebhookDead)
    assert failure.reason == f"http_{status}"


def test_a_word_that_is_new_is_quoted() -> None:
    failure = error_for(403, "moon_is_full")
    assert isinstance(failure, WebhookDead)
    assert failure.reason == "moon_is_full"


@pytest.mark.parametrize(
    "body",
    [
        "Two words",
        "two words",
        "x" * 65,
        "<script>",
        "https://hooks.slack.com/services/T0/B0/fake",
        '{"error": "Not A Word"}',
        '{"error": 7}',
        '["no_service"]',
        "[" * 100_000,
    ],
)
@pytest.mark.usefixtures("without_collector")
def test_what_is_no_word_is_not_quoted(body: str) -> None:
    failure = error_for(403, body)
    assert isinstance(failure, WebhookDead)
    assert failure.reason == "http_403"
    assert body not in str(failure)


def test_a_word_may_be_as_long_as_slacks_longest() -> None:
    failure = error_for(403, "x" * 64)
    assert failure
    assert failure.reason == "x" * 64


@pytest.mark.parametrize("body", ["", "OK", "okay", '{"ok": true}', HTML_PAGE, "{}"])
def test_a_200_of_slacks_without_ok_is_no_success(body: str) -> None:
    failure = error_for(200, body)
    assert isinstance(failure, WebhookDead)


@pytest.mark.parametrize("status", [199, 300, 304, 404])
def test_ok_with_a_status_of_failure_is_no_success(status: int) -> None:
    failure = error_for(status, "ok")
    assert isinstance(failure, WebhookDead)
    assert failure.reason == f"http_{status}"
    assert isinstance(error_for(status, "", is_slack=False), WebhookDead)


@pytest.mark.parametrize("body", ["ok", "", "{}", "[]", '{"ok": true}', '{"success": true}'])
def test_another_receiver_may_say_ok_or_nothing_or_json(body: str) -> None:
    assert {error_for(status, body, is_slack=False) for status in (200, 204, 299)} == {None}


@pytest.mark.parametrize(
    "body", [HTML_PAGE, "Accepted", '{"ok": false}', '{"success": false, "ok": true}', "null"]
)
def test_another_receiver_that_says_no_or_shows_a_page_took_nothing(body: str) -> None:
    assert isinstance(error_for(200, body, is_slack=False), WebhookDead)


def test_the_header_says_how_many_seconds_to_wait() -> None:
    assert wait(429, "", "30") == 30
    assert wait(503, "", "0.5") == 0.5
    assert wait(429, "", "0") == 0


def test_the_body_says_how_long_to_wait_where_the_header_does_not() -> None:
    body = json.dumps({"retry_after": 7, "ok": False, "error": "rate_limited"})
    assert wait(429, body) == 7
    assert wait(429, body, "9") == 9


@pytest.mark.parametrize("said", ["3601", "1e300", "inf"])
def test_nobody_is_made_to_wait_longer_than_an_hour(said: str) -> None:
    assert wait(429, "", said) == 3_600


@pytest.mark.parametrize(
    ("body", "header"),
    [
        ("", None),
        ("", "soon"),
        ("", "-1"),
        ("", "nan"),
        ("", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ('{"retry_after": [3]}', None),
        ('{"retry_after": -3}', None),
        ('{"retry_after": 1' + "0" * 400 + "}", None),
        ("[7]", None),
    ],
)
def test_a_wait_that_cannot_be_read_is_a_second_if_limited_and_none_if_broken(
    body: str, header: str | None
) -> None:
    assert wait(429, body, header) == 1
    assert wait(503, body, header) is None


def test_of_all_that_the_receiver_can_say_slack_means_only_ok_as_success() -> None:
    errors = {name: error_for(answer.status, answer.body) for name, answer in ANSWERS.items()}
    taken = [name for name, error in errors.items() if error is None]
    assert taken == ["ok"]
