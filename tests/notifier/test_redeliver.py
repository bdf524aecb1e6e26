"""What becomes of a batch of the undelivered queue."""

import base64
import json
import tracemalloc
import zlib
from typing import Any

import pytest

from chalicelib import notifier as module
from chalicelib.errors import StillUndelivered
from chalicelib.reports import report_in
from playground.slack.receiver import Receiver
from tests.support.notifier_harness import SECONDS, NotifierHarness, event, events, id_of, stuck
from tests.support.records import changed


def redeliver(harness: NotifierHarness, *events: object) -> None:
    """Park events, and let a function post them."""
    harness.notifier().redeliver(harness.park(*events), SECONDS, report_in)


def test_one_event_alone_is_posted_as_itself_and_how_late(harness: NotifierHarness) -> None:
    received = event("iam-user-with-mfa", minutes_ago=3)
    redeliver(harness, received)
    (text,) = harness.texts
    assert "alice" in text
    assert "posted 3 min late" in text
    assert harness.decisions() == [("posted", None, id_of(received))]


def test_deleting_a_batch_that_was_posted_whole_is_left_to_lambda(harness: NotifierHarness) -> None:
    redeliver(harness, *events("iam-user-with-mfa", "saml-role"))
    assert len(harness.records()) == 2


def test_critical_sign_ins_are_posted_alone_and_first_the_rest_in_one_digest(
    harness: NotifierHarness,
) -> None:
    received = events(
        "saml-role", "root-with-mfa", "iam-user-wrong-password", "root-wrong-mfa-code"
    )
    redeliver(harness, *received)
    assert [text.startswith("[Critical]") for text in harness.texts] == [True, True, False]
    assert harness.texts[2].startswith(
        "[Warning] Signed in: minjun.kim@example.com. 1 failed sign-in to prod"
    )
    posted = [("posted", None, id_of(sign_in)) for sign_in in received]
    assert sorted(harness.decisions()) == sorted(posted)


def test_a_report_in_the_queue_is_posted_alone_and_the_most_severe_first(
    harness: NotifierHarness,
) -> None:
    report = {"detail-type": "signin-monitor MFA audit", "detail": {"without_mfa": 1}}
    received = [report, *events("saml-role", "root-with-mfa", "iam-user-with-mfa")]
    redeliver(harness, *received)
    critical, audit, digest = harness.texts
    assert critical.startswith("[Critical]")
    assert "no MFA" in audit
    assert "Signed in: " in digest


def test_messages_keep_slacks_pace_of_one_a_second(harness: NotifierHarness) -> None:
    redeliver(harness, *events("root-with-mfa", "root-without-mfa", "root-wrong-mfa-code"))
    assert harness.slept == [1, 1]


def test_a_message_of_the_queue_waits_its_turn(harness: NotifierHarness) -> None:
    harness.receiver.behave("rate_limited", times=1, retry_after=20)
    redeliver(harness, event("saml-role"))
    assert harness.slept == [20]
    assert len(harness.texts) == 1


def test_with_no_time_left_nothing_is_posted_and_everything_stays(harness: NotifierHarness) -> None:
    records = harness.park(*events("root-with-mfa", "root-without-mfa", "saml-role"))
    with pytest.raises(StillUndelivered, match="3 of 3 events stay in the undelivered queue"):
        harness.notifier().redeliver(records, 0, report_in)
    assert harness.slept == [0]
    assert len(harness.records()) == 3


def test_what_was_posted_is_deleted_before_the_invocation_fails_for_the_rest(
    harness: NotifierHarness, critical_receiver: Receiver
) -> None:
    harness.lead_critical_to(critical_receiver)
    harness.receiver.behave("no_service")
    root, *others = events("root-with-mfa", "saml-role", "iam-user-with-mfa")
    text = stuck(harness.notifier(), harness.park(root, *others))
    assert text == "2 of 3 events stay in the undelivered queue"
    assert len(critical_receiver.messages) == 1
    assert {id_of(body["event"]) for body in harness.parked} == {id_of(other) for other in others}
    assert harness.decisions() == [
        ("posted", None, id_of(root)),
        *(("parked", "no_service", id_of(other)) for other in others),
    ]


def test_what_stays_in_the_queue_says_who_must_act(harness: NotifierHarness) -> None:
    harness.receiver.behave("no_service")
    stuck(harness.notifier(), harness.park(event("saml-role")))
    line = harness.log()[-1]
    assert (line["decision"], line["act"], line["Parked"]) == ("parked", "operator", 1)
    assert "rotate-webhook" in line["message"]


def test_a_batch_of_which_nothing_was_posted_stays_whole(harness: NotifierHarness) -> None:
    harness.receiver.behave("html_500")
    stuck(harness.notifier(), harness.park(*events("saml-role", "iam-user-with-mfa")))
    assert len(harness.records()) == 2


def test_a_destination_that_failed_is_not_tried_again_in_the_same_batch(
    harness: NotifierHarness, critical_receiver: Receiver
) -> None:
    harness.lead_critical_to(critical_receiver)
    critical_receiver.behave("html_500")
    *roots, other = events("root-with-mfa", "root-without-mfa", "root-wrong-mfa-code", "saml-role")
    text = stuck(harness.notifier(), harness.park(*roots, other))
    assert text == "3 of 4 events stay in the undelivered queue"
    assert len(critical_receiver.posts) == 1
    assert len(harness.texts) == 1
    assert harness.decisions() == [
        *(("parked", "http_500", id_of(root)) for root in roots),
        ("posted", None, id_of(other)),
    ]
    assert {id_of(body["event"]) for body in harness.parked} == {id_of(root) for root in roots}


def test_a_message_that_slack_calls_invalid_keeps_no_other_back(harness: NotifierHarness) -> None:
    harness.receiver.behave("invalid_payload", times=2)
    first, second = events("root-with-mfa", "root-without-mfa")
    text = stuck(harness.notifier(), harness.park(first, second))
    assert text == "1 of 2 events stay in the undelivered queue"
    assert harness.decisions() == [
        ("parked", "invalid_payload", id_of(first)),
        ("posted", None, id_of(second)),
    ]


def test_copies_of_an_event_are_posted_once_and_all_deleted(
    harness: NotifierHarness, critical_receiver: Receiver
) -> None:
    harness.lead_critical_to(critical_receiver)
    harness.receiver.behave("html_500")
    twice, other = events("root-with-mfa", "saml-role")
    text = stuck(harness.notifier(), harness.park(twice, other, twice))
    assert text == "1 of 2 events stay in the undelivered queue"
    assert len(critical_receiver.messages) == 1
    assert [id_of(body["event"]) for body in harness.parked] == [id_of(other)]


def test_nobody_hides_a_sign_in_in_the_queue_behind_its_id(harness: NotifierHarness) -> None:
    real = event("root-with-mfa")
    forged = changed(event("saml-role"), "detail", "eventID", to=id_of(real))
    report = {**real, "detail-type": "signin-monitor MFA audit"}
    redeliver(harness, forged, report, real, real)
    assert len(harness.texts) == 3
    assert harness.texts[0].startswith("[Critical] Root user signed in")


def test_an_event_that_this_function_posted_before_is_ignored_and_deleted(
    harness: NotifierHarness, critical_receiver: Receiver
) -> None:
    harness.lead_critical_to(critical_receiver)
    notifier = harness.notifier()
    said, fresh = events("root-with-mfa", "saml-role")
    records = harness.park(said, said, fresh)
    notifier.notify(said, SECONDS)
    harness.log()
    harness.receiver.behave("html_500")
    assert stuck(notifier, records) == "1 of 2 events stay in the undelivered queue"
    assert len(critical_receiver.posts) == 1
    assert harness.decisions() == [
        ("ignored", "duplicate", id_of(said)),
        ("parked", "http_500", id_of(fresh)),
    ]
    assert [id_of(body["event"]) for body in harness.parked] == [id_of(fresh)]


def test_what_a_batch_posted_is_not_posted_by_the_next_batch(harness: NotifierHarness) -> None:
    notifier = harness.notifier()
    records = harness.park(*events("root-with-mfa", "saml-role", "iam-user-with-mfa"))
    notifier.redeliver(records, SECONDS, report_in)
    notifier.redeliver(records, SECONDS, report_in)
    assert len(harness.texts) == 2


def test_a_replay_in_the_queue_is_posted_though_the_event_was_posted_before(
    harness: NotifierHarness,
) -> None:
    notifier, received = harness.notifier(), event("root-with-mfa")
    notifier.notify(received, SECONDS)
    notifier.redeliver(harness.park({**received, "replay-name": "again"}), SECONDS, report_in)
    assert len(harness.texts) == 2


def test_poisoned_messages_are_posted_as_events_that_are_not_understood(
    harness: NotifierHarness,
) -> None:
    records: list[dict[str, Any]] = [
        {"body": "no JSON", "receiptHandle": "a"},
        {"body": None, "receiptHandle": "b"},
        *harness.park(event("saml-role")),
    ]
    harness.notifier().redeliver(records, SECONDS, report_in)
    (text,) = harness.texts
    assert text.endswith(". Other sign-in events: 2.")


@pytest.mark.parametrize("kind", [None, "signin-monitor self-check"])
def test_of_large_messages_one_at_a_time_is_in_memory(
    kind: str | None, harness: NotifierHarness
) -> None:
    facts = {"rule": "x" * 1_000_000}
    result = {"check": "rule", "result_code": "rule_disabled", "facts": facts}
    large = [
        {"detail-type": kind, "detail": {"eventID": str(number), "new": [result]}}
        for number in range(4)
    ]
    packed = [zlib.compress(json.dumps(report).encode()) for report in large]
    texts = [base64.b64encode(content).decode() for content in packed]
    records = [{"body": json.dumps({"event": {"compressed": text}})} for text in texts]
    notifier, peaks = harness.notifier(), []
    notifier.warm_up()
    for some in (records[:1], records):
        tracemalloc.start()
        notifier.redeliver(some, SECONDS, report_in)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_one_poisoned_message_shows_what_it_holds(harness: NotifierHarness) -> None:
    harness.notifier().redeliver([{"body": "buy now", "receiptHandle": "a"}], SECONDS, report_in)
    assert "buy now" in json.dumps(harness.receiver.messages[0].payload)


def test_a_digest_that_cannot_be_built_is_replaced_by_its_messages_critical_first(
    harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("fake-secret")

    monkeypatch.setattr(module, "digests", fail)
    received = events("saml-role", "iam-user-with-mfa", "root-with-mfa")
    redeliver(harness, *received)
    assert [text.startswith("[Critical]") for text in harness.texts] == [True, False, False]
    failed = harness.log()[0]
    assert (failed["message"], failed["error"]) == ("The digest could not be built.", "ValueError")
    assert "fake-secret" not in json.dumps(failed)


def test_what_sqs_does_not_delete_is_logged_and_the_invocation_still_fails(
    harness: NotifierHarness, critical_receiver: Receiver
) -> None:
    harness.lead_critical_to(critical_receiver)
    harness.receiver.behave("no_service")
    records = harness.park(*events("root-with-mfa", "saml-role"))
    for record in records:
        record["receiptHandle"] = "unknown"
    stuck(harness.notifier(), records)
    line = harness.log()[-1]
    assert line["level"] == "ERROR"
    assert "(ReceiptHandleIsInvalid)" in line["message"]


def test_a_function_without_a_queue_of_its_own_still_fails_for_the_rest(
    harness: NotifierHarness, critical_receiver: Receiver
) -> None:
    harness.lead_critical_to(critical_receiver)
    harness.receiver.behave("no_service")
    records = harness.park(*events("root-with-mfa", "saml-role"))
    text = stuck(harness.notifier(UNDELIVERED_QUEUE=""), records)
    assert text == "1 of 2 events stay in the undelivered queue"


def test_an_event_that_had_to_go_out_in_plain_text_says_why(harness: NotifierHarness) -> None:
    harness.receiver.behave("invalid_blocks", times=1)
    received = event("saml-role")
    redeliver(harness, received)
    assert harness.decisions() == [("posted", "invalid_blocks", id_of(received))]


def times_out(harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the receiver take one post, and never answer it."""
    monkeypatch.setattr("chalicelib.http.READ_SECONDS", 0.2)
    monkeypatch.setattr("chalicelib.delivery.undelivered._DELAY_SECONDS", 0)
    harness.receiver.behave("hang", times=1)


REPEAT = "This may repeat an earlier message: the receiver did not confirm that one in time."


@pytest.mark.parametrize(
    "names", [("root-with-mfa",), ("saml-role",), ("saml-role", "iam-user-with-mfa")]
)
def test_what_slack_did_not_confirm_in_the_queue_is_marked_there_and_says_so(
    names: tuple[str, ...], harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_out(harness, monkeypatch)
    stuck(harness.notifier(), harness.park(*events(*names)))
    marked = harness.records()
    assert len(marked) == len(names)
    harness.notifier().redeliver(marked, SECONDS, report_in)
    (post,) = harness.receiver.messages
    assert post.payload["text"].endswith(REPEAT)
    assert REPEAT in json.dumps(post.payload["attachments"])


def test_what_was_not_even_tried_after_a_time_out_is_not_marked(
    harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_out(harness, monkeypatch)
    stuck(harness.notifier(), harness.park(*events("root-with-mfa", "root-without-mfa")))
    assert sorted("possibly_posted" in body for body in harness.parked) == [False, True]


def test_a_digest_of_which_part_was_possibly_posted_says_so(harness: NotifierHarness) -> None:
    first, second = harness.park(*events("saml-role", "iam-user-with-mfa"))
    first["body"] = json.dumps({**json.loads(first["body"]), "possibly_posted": True})
    harness.notifier().redeliver([first, second], SECONDS, report_in)
    (text,) = harness.texts
    assert text.endswith(
        "Part of this may repeat an earlier message: the receiver did not confirm that one in time."
    )
