"""The same event again: not posted twice, and never at the price of a loss."""

import json

import pytest

from chalicelib import notifier as module
from chalicelib.errors import DeliveryError
from tests.support.notifier_bench import SECONDS, Bench, decided, event, events, id_of
from tests.support.records import changed


def test_an_event_is_not_posted_twice(bench: Bench) -> None:
    notifier, received = bench.notifier(), event("root-with-mfa")
    assert decided(notifier, received) == ("posted", None)
    assert decided(notifier, {**received, "id": "another"}) == ("ignored", "duplicate")
    assert len(bench.texts) == 1


def test_an_event_counts_as_posted_only_once_slack_said_ok(bench: Bench) -> None:
    notifier, received = bench.notifier(), event("root-with-mfa")
    bench.receiver.behave("html_500", times=1)
    assert decided(notifier, received) == ("parked", "http_500")
    assert decided(notifier, received) == ("posted", None)
    no_queue = bench.notifier(UNDELIVERED_QUEUE="")
    bench.receiver.behave("html_500", times=1)
    with pytest.raises(DeliveryError):
        no_queue.tell(received, SECONDS)
    assert decided(no_queue, received) == ("posted", None)


def test_an_event_that_waits_for_its_digest_does_not_count_as_posted(bench: Bench) -> None:
    notifier, received = bench.notifier(FAILURES="digest"), event("iam-user-wrong-password")
    for _ in range(2):
        assert decided(notifier, received) == ("parked", "digest")


def test_events_without_an_id_are_never_taken_for_one_another(bench: Bench) -> None:
    notifier = bench.notifier()
    for _ in range(2):
        assert decided(notifier, event("region-global") | {"detail": {}}) == ("posted", None)


def test_a_report_is_not_posted_twice(bench: Bench) -> None:
    notifier = bench.notifier()
    report = {"detail-type": "signin-monitor MFA audit", "detail": {"eventID": "run-1"}}
    assert decided(notifier, report) == ("posted", None)
    assert decided(notifier, report) == ("ignored", "duplicate")


def test_another_event_under_the_same_id_is_posted(bench: Bench) -> None:
    notifier, real = bench.notifier(), event("root-with-mfa")
    forged = changed(event("saml-role"), "detail", "eventID", to=id_of(real))
    report = {**real, "detail-type": "signin-monitor MFA audit"}
    for one in (forged, report, real):
        assert decided(notifier, one) == ("posted", None)


def test_a_replay_is_posted_again_and_says_so(bench: Bench) -> None:
    notifier, received = bench.notifier(), event("root-with-mfa")
    replay = {**received, "replay-name": "again"}
    for one in (received, replay, replay):
        assert decided(notifier, one) == ("posted", None)
    shown = json.dumps([post.payload for post in bench.receiver.messages])
    assert shown.count("A replay: this event was sent again on purpose.") == 2


def test_only_so_many_events_are_remembered_the_newest(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    notifier = bench.notifier()
    first, second, third = events(*["saml-role"] * 3)
    for one in (first, second, third):
        notifier.tell(one, SECONDS)
    assert decided(notifier, third) == ("ignored", "duplicate")
    assert decided(notifier, second) == ("ignored", "duplicate")
    assert decided(notifier, first) == ("posted", None)
