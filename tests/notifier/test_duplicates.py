"""The same event again: not posted twice, and never at the price of a loss."""

import pytest

from chalicelib import notifier as module
from chalicelib.errors import DeliveryError
from tests.support.notifier_harness import (
    SECONDS,
    NotifierHarness,
    decided,
    event,
    events,
    id_of,
    report_decided,
)
from tests.support.records import changed

MFA_AUDIT = "signin-monitor MFA audit"


def test_an_event_is_not_posted_twice(harness: NotifierHarness) -> None:
    notifier, received = harness.notifier(), event("root-with-mfa")
    assert decided(notifier, received) == ("posted", None)
    assert decided(notifier, {**received, "id": "another"}) == ("ignored", "duplicate")
    assert len(harness.texts) == 1


def test_an_event_counts_as_posted_only_once_slack_said_ok(harness: NotifierHarness) -> None:
    notifier, received = harness.notifier(), event("root-with-mfa")
    harness.receiver.behave("html_500", times=1)
    assert decided(notifier, received) == ("parked", "http_500")
    assert decided(notifier, received) == ("posted", None)
    no_queue = harness.notifier(UNDELIVERED_QUEUE="")
    harness.receiver.behave("html_500", times=1)
    with pytest.raises(DeliveryError):
        no_queue.notify(received, SECONDS)
    assert decided(no_queue, received) == ("posted", None)


def test_an_event_that_waits_for_its_digest_does_not_count_as_posted(
    harness: NotifierHarness,
) -> None:
    notifier, received = harness.notifier(FAILURES="digest"), event("iam-user-wrong-password")
    for _ in range(2):
        assert decided(notifier, received) == ("parked", "digest")


def test_events_without_an_id_are_never_taken_for_one_another(harness: NotifierHarness) -> None:
    notifier = harness.notifier()
    for _ in range(2):
        assert decided(notifier, event("region-global") | {"detail": {}}) == ("posted", None)


def test_a_report_is_not_posted_twice(harness: NotifierHarness) -> None:
    notifier = harness.notifier()
    report = {"detail-type": MFA_AUDIT, "detail": {"eventID": "run-1"}}
    assert report_decided(notifier, report) == ("posted", None)
    assert report_decided(notifier, report) == ("ignored", "duplicate")


def test_another_event_under_the_same_id_is_posted(harness: NotifierHarness) -> None:
    notifier, real = harness.notifier(), event("root-with-mfa")
    forged = changed(event("saml-role"), "detail", "eventID", to=id_of(real))
    assert report_decided(notifier, {**real, "detail-type": MFA_AUDIT}) == ("posted", None)
    for sign_in in (forged, real):
        assert decided(notifier, sign_in) == ("posted", None)


def test_a_replay_is_posted_again_and_says_so(harness: NotifierHarness) -> None:
    notifier, received = harness.notifier(), event("root-with-mfa")
    replay = {**received, "replay-name": "again"}
    for sign_in in (received, replay, replay):
        assert decided(notifier, sign_in) == ("posted", None)
    texts = [post.payload["text"] for post in harness.receiver.messages]
    assert ["(replayed)" in text for text in texts] == [False, True, True]


def test_only_so_many_events_are_remembered_the_newest(
    harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    notifier = harness.notifier()
    first, second, third = events(*["saml-role"] * 3)
    for sign_in in (first, second, third):
        notifier.notify(sign_in, SECONDS)
    assert decided(notifier, third) == ("ignored", "duplicate")
    assert decided(notifier, second) == ("ignored", "duplicate")
    assert decided(notifier, first) == ("posted", None)
