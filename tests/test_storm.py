"""Many sign-ins at once, before a receiver that limits as Slack does; only the waiting is not real.

The whole storm, ten thousand sign-ins through the deployed package, is in benchmarks/.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from chalicelib.delivery.slack import Slack
from chalicelib.reports import report_in
from playground.catalogue import renewed
from playground.slack.certificates import Certificates
from playground.slack.rate import Rate
from playground.slack.receiver import Receiver
from tests.support.clock import Clock
from tests.support.records import changed, event
from tests.support.stage_harness import StageHarness
from tests.support.webhook import SECRET_PATH

Event = dict[str, Any]


class TickingClock(Clock):
    """A clock that goes on a little with every look."""

    def __call__(self) -> float:
        self.now += 0.001
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = TickingClock()
    monkeypatch.setattr(
        "chalicelib.delivery.channel.Slack", partial(Slack, clock=clock, sleep=clock.sleep)
    )
    return clock


@pytest.fixture
def receiver(certificates: Certificates, clock: Clock) -> Iterator[Receiver]:
    with Receiver(tls=certificates.good, path=SECRET_PATH, rate=Rate(), clock=clock) as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def _no_waiting(harness: StageHarness, clock: Clock) -> None:
    harness.settings["LOG_EVENTS"] = "false"
    harness.app._sleep = clock.sleep


def failed(number: int) -> Event:
    """Return the failed sign-in of a name that somebody made up."""
    failure = renewed(event("iam-user-wrong-password"), datetime.now(UTC))
    return changed(failure, "detail", "userIdentity", "userName", to=f"guess-{number}")


def root() -> Event:
    return renewed(event("root-without-mfa"), datetime.now(UTC))


def ids(events: list[Event]) -> list[str]:
    return [sign_in["detail"]["eventID"] for sign_in in events]


def records(events: list[Event]) -> list[dict[str, Any]]:
    return [{"body": json.dumps({"event": sign_in}), "receiptHandle": "none"} for sign_in in events]


def times_posted(capsys: pytest.CaptureFixture[str]) -> Counter[str]:
    """Count for each event how often the log says that it was posted."""
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return Counter(line["event_id"] for line in lines if line.get("decision") == "posted")


@pytest.mark.parametrize("count", [1, 2, 26, 1_000])
def test_a_batch_of_any_size_is_posted_within_slacks_limits(
    count: int, harness: StageHarness, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [failed(number) for number in range(count)]
    harness.app.redeliver(records(events), 60, report_in)
    assert receiver.refused == []  # by size or by rate
    assert times_posted(capsys) == Counter(ids(events))


def test_in_a_storm_every_sign_in_is_posted_once_and_root_at_once(
    harness: StageHarness, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [*map(failed, range(40)), root(), *map(failed, range(40, 80))]
    decisions = {
        sign_in["detail"]["eventID"]: harness.app.notify(sign_in, 60) for sign_in in events
    }
    assert decisions[events[40]["detail"]["eventID"]]["decision"] == "posted"
    assert "parked" in {decision["decision"] for decision in decisions.values()}
    assert harness.deliver() is None
    assert harness.records() == []
    assert times_posted(capsys) == Counter(ids(events))
    assert receiver.hits_while_limited == 0


def test_what_slack_took_before_it_failed_is_not_posted_again_and_the_rest_is(
    harness: StageHarness, receiver: Receiver, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.behave("html_500")
    events = [*(root() for _ in range(5)), *map(failed, range(5))]
    assert {harness.app.notify(sign_in, 60)["decision"] for sign_in in events} == {"parked"}
    receiver.behave("ok")
    sleep = clock.sleep

    def fail_at_the_third(seconds: float) -> None:
        sleep(seconds)
        if len(clock.slept) == 2:
            receiver.behave("no_service")

    harness.app._sleep = fail_at_the_third
    assert str(harness.deliver()) == "8 of 10 events stay in the undelivered queue"
    receiver.behave("ok")
    assert harness.deliver() is None
    assert harness.records() == []
    assert times_posted(capsys) == Counter(ids(events))
    assert len(receiver.messages) == 6
    assert "5 failed sign-ins" in receiver.messages[-1].payload["text"]


def test_an_event_delivered_twice_is_posted_once(
    harness: StageHarness, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.behave("html_500")
    sign_in = root()
    for _ in range(2):  # EventBridge and Lambda deliver at least once
        harness.app.notify(sign_in, 60)
    receiver.behave("ok")
    assert harness.deliver() is None
    assert harness.app.notify(sign_in, 60)["reason"] == "duplicate"
    assert len(receiver.messages) == 1
    assert times_posted(capsys) == Counter(ids([sign_in]))
