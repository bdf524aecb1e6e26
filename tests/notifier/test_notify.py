"""What becomes of one event: posted, ignored, parked or failed, and why."""

import json
import threading
from typing import Any

import pytest

from chalicelib import notifier as module
from chalicelib.delivery.undelivered import Undelivered
from chalicelib.errors import WebhookDead
from playground.slack.receiver import Receiver
from tests.support.notifier_harness import (
    SECONDS,
    NotifierHarness,
    decided,
    event,
    id_of,
    report_decided,
)
from tests.support.records import changed, without

AUDIT = {
    "detail-type": "signin-monitor MFA audit",
    "account": "111122223333",
    "detail": {"eventName": "MfaAudit", "without_mfa": 1},
}


def fail(*_: object) -> None:
    raise ValueError("fake-secret")


def test_a_sign_in_is_posted_and_the_decision_is_logged_and_returned(
    harness: NotifierHarness,
) -> None:
    decision = harness.notifier().notify(event("iam-user-with-mfa"), SECONDS)
    assert (decision["decision"], decision["reason"], decision["Stage"]) == ("posted", None, "prod")
    assert len(harness.texts) == 1
    assert "alice" in harness.texts[0]
    assert harness.log()[-1] == decision


def test_the_event_is_logged_with_its_credentials_redacted(harness: NotifierHarness) -> None:
    received = event("get-signin-token")
    received["detail"]["responseElements"]["credentials"]["sessionToken"] = "fake-session-token"
    harness.notifier().notify(received, SECONDS)
    line = harness.log()[0]
    assert (line["level"], line["message"]) == ("INFO", "Received event")
    assert line["event"]["detail"]["userAgent"] == received["detail"]["userAgent"]
    assert "fake-session-token" not in json.dumps(line)


@pytest.mark.parametrize("field", ["eventName", "errorMessage", "userAgent"])
def test_a_credential_in_a_text_shows_neither_in_the_log_nor_in_the_channel(
    field: str, harness: NotifierHarness
) -> None:
    received = changed(
        event("iam-user-wrong-password"), "detail", field, to="see https://a.example/?code=hush"
    )
    harness.notifier().notify(received, SECONDS)
    harness.receiver.behave("no_service")
    harness.notifier().notify(received, SECONDS)
    shown = [post.payload for post in harness.receiver.posts]
    assert "hush" not in json.dumps([*shown, *harness.log(), *harness.parked])


def test_with_log_events_off_names_and_addresses_stay_out_of_the_log(
    harness: NotifierHarness,
) -> None:
    received = event("iam-user-with-mfa")
    harness.notifier(LOG_EVENTS="false").notify(received, SECONDS)
    (line,) = harness.log()
    assert line["decision"] == "posted"
    assert received["detail"]["sourceIPAddress"] not in json.dumps(line)
    assert "alice" not in json.dumps(line).lower()


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("iam-user-with-mfa", "arn:aws:iam::111122223333:user/alice"),
        ("iam-user-with-mfa", "arn:aws:iam::*:user/al*"),
        ("saml-role", "arn:aws:iam::444455556666:role/Developers"),
        ("saml-role", "arn:aws:iam::111122223333:user/x,arn:aws:iam::*:role/Dev*"),
    ],
)
def test_a_principal_that_is_to_be_ignored_is_ignored(
    name: str, pattern: str, harness: NotifierHarness
) -> None:
    notifier = harness.notifier(IGNORED_PRINCIPALS=pattern)
    assert decided(notifier, event(name)) == ("ignored", "ignored_principal")
    assert harness.texts == []


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("iam-user-with-mfa", "arn:aws:iam::444455556666:user/alice"),
        ("iam-user-with-mfa", "arn:aws:iam::111122223333:user/Alice"),
        ("iam-user-with-mfa", "arn:aws:iam::111122223333:user/ali"),
        ("saml-role", "arn:aws:iam::*:role/*minjun*"),
        ("web-identity-user", "arn:aws:iam::*:user/*"),
        ("iam-user-without-mfa", "arn:aws:iam::*:user/*"),
        ("iam-user-wrong-password", "arn:aws:iam::*:user/*"),
        ("root-with-mfa", "arn:aws:iam::*:user/*"),
    ],
)
def test_nobody_else_is_ignored_nor_a_failure_nor_a_warning(
    name: str, pattern: str, harness: NotifierHarness
) -> None:
    notifier = harness.notifier(IGNORED_PRINCIPALS=pattern)
    assert decided(notifier, event(name)) == ("posted", None)


def test_an_event_that_is_to_be_ignored_is_ignored(harness: NotifierHarness) -> None:
    notifier = harness.notifier(IGNORED_EVENTS="ConsoleLogin,SwitchRole")
    assert decided(notifier, event("iam-user-with-mfa")) == ("ignored", "ignored_event")
    assert decided(notifier, event("check-mfa-virtual")) == ("posted", None)


@pytest.mark.parametrize(
    "received",
    [
        event("root-with-mfa"),
        event("iam-user-without-mfa"),
        event("iam-user-wrong-password"),
        changed(event("iam-user-with-mfa"), "detail", "responseElements", to=None),
    ],
    ids=["critical", "warning", "failure", "unknown outcome"],
)
def test_an_event_to_be_ignored_is_posted_if_it_is_more_than_a_usual_success(
    received: dict[str, Any], harness: NotifierHarness
) -> None:
    assert decided(harness.notifier(IGNORED_EVENTS="ConsoleLogin"), received) == ("posted", None)


@pytest.mark.parametrize(
    ("minimum", "posted"), [("info", "iwc"), ("warning", "wc"), ("critical", "c")]
)
def test_what_is_below_the_minimum_severity_is_not_posted_failures_included(
    minimum: str, posted: str, harness: NotifierHarness
) -> None:
    notifier = harness.notifier(MINIMUM_SEVERITY=minimum)
    for letter, name in (
        ("i", "iam-user-with-mfa"),
        ("w", "iam-user-wrong-password"),
        ("c", "root-with-mfa"),
    ):
        expected = ("posted", None) if letter in posted else ("ignored", "below_minimum_severity")
        assert decided(notifier, event(name)) == expected


@pytest.mark.parametrize(
    ("answer", "act"),
    [("no_service", "operator"), ("html_500", "nobody"), ("invalid_payload", "developers")],
)
def test_what_cannot_be_posted_is_parked_with_the_reason_and_who_must_act(
    answer: str, act: str, harness: NotifierHarness
) -> None:
    harness.receiver.behave(answer)
    received = event("iam-user-with-mfa")
    decision = harness.notifier().notify(received, SECONDS)
    (body,) = harness.parked
    assert (decision["decision"], decision["act"], body["act"]) == ("parked", act, act)
    assert decision["reason"] == body["reason"]
    assert str(decision["reason"]) in decision["message"]
    assert body["event"] == received
    assert harness.log()[-1] == decision


def test_without_a_queue_what_cannot_be_posted_fails_the_invocation_and_is_logged(
    harness: NotifierHarness,
) -> None:
    harness.receiver.behave("no_service")
    received = event("iam-user-with-mfa")
    with pytest.raises(WebhookDead):
        harness.notifier(UNDELIVERED_QUEUE="").notify(received, SECONDS)
    line = harness.log()[-1]
    assert (line["decision"], line["reason"], line["act"]) == ("failed", "no_service", "operator")
    assert "rotate-webhook" in line["message"]
    assert line["Failed"] == 1


def test_a_queue_that_refuses_fails_the_invocation_and_the_log_says_both(
    harness: NotifierHarness,
) -> None:
    harness.receiver.behave("no_service")
    with pytest.raises(WebhookDead):
        harness.notifier(UNDELIVERED_QUEUE="never-made").notify(event("root-with-mfa"), SECONDS)
    refused, failed = harness.log()[-2:]
    assert refused["level"] == "ERROR"
    assert "queue never-made did not take" in refused["message"]
    assert failed["decision"] == "failed"


def test_a_queue_that_hangs_fails_the_invocation_in_time(
    harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    monkeypatch.setattr(module, "QUEUE_SECONDS", 0.1)
    monkeypatch.setattr(Undelivered, "park", lambda *_, **__: released.wait(10))
    harness.receiver.behave("no_service")
    with pytest.raises(WebhookDead):
        harness.notifier().notify(event("root-with-mfa"), SECONDS)
    released.set()
    slow, failed = harness.log()[-2:]
    assert (slow["level"], slow["message"]) == ("ERROR", "The undelivered queue is too slow.")
    assert failed["decision"] == "failed"
    assert "possibly_posted" not in failed


@pytest.mark.parametrize("name", ["iam-user-with-mfa", "root-with-mfa"])
@pytest.mark.parametrize("warm", [False, True])
def test_a_receiver_that_takes_a_message_and_answers_late_gets_it_once(
    warm: bool,  # noqa: FBT001 — the parameter is the case
    name: str,
    harness: NotifierHarness,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notifier = harness.notifier()
    if warm:
        notifier.notify(event("saml-role"), SECONDS)
    monkeypatch.setattr("chalicelib.http.READ_SECONDS", 0.5)
    harness.receiver.behave("hang")
    assert decided(notifier, event(name)) == ("parked", "read_timeout")
    assert [post.answer for post in harness.receiver.posts] == [*["ok"] * warm, "hang"]
    assert [body["possibly_posted"] for body in harness.parked] == [True]
    assert harness.log()[-1]["possibly_posted"] is True


def test_only_a_critical_message_waits_long_for_its_turn(harness: NotifierHarness) -> None:
    notifier = harness.notifier()
    harness.receiver.behave("rate_limited", times=1, retry_after=30)
    assert decided(notifier, event("root-with-mfa")) == ("posted", None)
    assert harness.slept == [30]
    notifier = harness.notifier()
    harness.receiver.behave("rate_limited", times=1, retry_after=30)
    assert decided(notifier, event("iam-user-without-mfa")) == ("parked", "rate_limited")
    assert harness.slept == [30]


def test_a_message_that_slack_calls_invalid_is_posted_in_plain_text_and_the_reason_says_so(
    harness: NotifierHarness,
) -> None:
    harness.receiver.behave("invalid_attachments", times=1)
    assert decided(harness.notifier(), event("saml-role")) == ("posted", "invalid_attachments")
    assert harness.texts[0].startswith("minjun.kim@example.com signed in to dev")


def test_a_message_that_cannot_be_built_goes_out_in_plain_text_with_its_severity(
    harness: NotifierHarness, critical_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "sign_in_message", fail)
    harness.lead_critical_to(critical_receiver)
    received = event("root-with-mfa")
    assert decided(harness.notifier(), received) == ("posted", None)
    (post,) = critical_receiver.messages
    assert set(post.payload) == {"text", "unfurl_links", "unfurl_media"}
    assert id_of(received) in post.payload["text"]
    said = harness.log()[1]
    assert (said["message"], said["error"]) == ("The message could not be built.", "ValueError")
    assert "fake-secret" not in json.dumps(said)


def test_a_message_that_cannot_be_built_has_a_plain_text_that_can_be_tried_twice(
    harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "sign_in_message", fail)
    harness.receiver.behave("invalid_payload", times=1)
    assert decided(harness.notifier(), event("saml-role")) == ("posted", "invalid_payload")
    first, second = harness.receiver.posts
    assert first.payload == second.payload


@pytest.mark.parametrize(("minutes", "late"), [(4.9, False), (5.1, True), (300, True)])
def test_a_sign_in_posted_more_than_five_minutes_after_it_says_so(
    minutes: float,
    late: bool,  # noqa: FBT001 — the parameter is the case
    harness: NotifierHarness,
) -> None:
    harness.notifier().notify(event("iam-user-with-mfa", minutes_ago=minutes), SECONDS)
    assert (" late" in harness.texts[0]) == late


def test_a_sign_in_of_an_unknown_time_is_not_called_late(harness: NotifierHarness) -> None:
    received = without(without(event("iam-user-with-mfa"), "detail", "eventTime"), "time")
    assert decided(harness.notifier(), received) == ("posted", None)
    assert " late" not in harness.texts[0]


def in_sns(*contents: object) -> dict[str, Any]:
    return {
        "Records": [{"EventSource": "aws:sns", "Sns": {"Message": json.dumps(c)}} for c in contents]
    }


def in_sqs(*contents: object) -> dict[str, Any]:
    return {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(c)} for c in contents]}


SIGN_IN = event("iam-user-with-mfa")


@pytest.mark.parametrize(
    "received",
    [
        SIGN_IN,
        SIGN_IN["detail"],
        without(SIGN_IN["detail"], "eventSource"),
        {"detail": SIGN_IN["detail"]},
        without(SIGN_IN, "version"),
        in_sns(SIGN_IN),
        in_sqs(SIGN_IN["detail"]),
        in_sqs({"Type": "Notification", "Message": json.dumps(SIGN_IN)}),
    ],
    ids=["whole", "record", "no source", "detail", "no version", "SNS", "SQS", "SNS in SQS"],
)
def test_a_sign_in_is_read_however_it_is_wrapped(
    received: dict[str, Any], harness: NotifierHarness
) -> None:
    line = harness.notifier().receive(received, SECONDS)
    assert isinstance(line, dict)
    assert (line["decision"], line["event_id"]) == ("posted", id_of(SIGN_IN))
    assert "alice" in harness.texts[0]


def test_an_envelope_without_its_event_is_posted_as_what_it_is(harness: NotifierHarness) -> None:
    line = harness.notifier().receive(without(SIGN_IN, "detail"), SECONDS)
    assert isinstance(line, dict)
    assert (line["decision"], line["reasons"]) == ("posted", ["not_understood", "outcome_unknown"])


@pytest.mark.parametrize(
    ("received", "described"),
    [
        ({}, {"type": "object", "keys": []}),
        ({"key1": "hush", "key2": {"key3": "hush"}}, {"type": "object", "keys": ["key1", "key2"]}),
        ({"Records": [{"s3": "hush"}]}, {"type": "object", "keys": ["Records"]}),
        ({"Records": ["hush"]}, {"type": "object", "keys": ["Records"]}),
        ({"Records": [{"Sns": {"Message": "hush"}}]}, {"type": "string"}),
        ([SIGN_IN], {"type": "array"}),
        (None, {"type": "null"}),
        ("hush", {"type": "string"}),
        (True, {"type": "boolean"}),
        (7, {"type": "number"}),
        ({"k" * 100: 1}, {"type": "object", "keys": ["k" * 64]}),
    ],
)
def test_what_is_no_event_is_ignored_and_described_without_its_values(
    received: object, described: dict[str, object], harness: NotifierHarness
) -> None:
    harness.notifier().receive(received, SECONDS)
    (line,) = harness.log()
    found = (line["level"], line["decision"], line["reason"], line["received"])
    assert found == ("WARNING", "ignored", "not_an_event", described)
    assert line["message"] == "What arrived is no event, and was ignored."
    assert "CloudTrail record" in line["expected"]
    assert "hush" not in json.dumps(line)
    assert harness.texts == []


def test_each_sign_in_of_a_wrapper_is_posted_though_one_fails(harness: NotifierHarness) -> None:
    notifier = harness.notifier(UNDELIVERED_QUEUE="")
    harness.receiver.behave("no_service", times=1)
    with pytest.raises(WebhookDead):
        notifier.receive(in_sns(event("saml-role"), SIGN_IN, "no event"), SECONDS)
    assert [decision[:2] for decision in harness.decisions()] == [
        ("failed", "no_service"),
        ("posted", None),
        ("ignored", "not_an_event"),
    ]
    lines = notifier.receive(in_sns(event("saml-role"), SIGN_IN), SECONDS)
    assert isinstance(lines, list)
    assert [line["decision"] for line in lines] == ["posted", "ignored"]


def test_a_report_is_posted_with_its_severity(harness: NotifierHarness) -> None:
    assert report_decided(harness.notifier(), AUDIT) == ("posted", None)
    assert harness.log()[-1]["severity"] == "warning"
    assert "no MFA" in harness.texts[0]


def test_a_report_that_cannot_be_posted_is_parked(harness: NotifierHarness) -> None:
    harness.receiver.behave("no_service")
    assert report_decided(harness.notifier(), AUDIT) == ("parked", "no_service")
    assert [body["event"] for body in harness.parked] == [AUDIT]


def test_a_report_that_cannot_be_built_goes_out_in_plain_text(
    harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.mfa_audit.message.audit_message", fail)
    assert report_decided(harness.notifier(), AUDIT) == ("posted", None)
    (text,) = harness.texts
    assert "A report of signin-monitor about prod (111122223333) could not be shown" in text
