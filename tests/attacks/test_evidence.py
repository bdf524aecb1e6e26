"""What was tried with lines that look older than they are, or are another run's or stage's."""

import json
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.decision import authenticated
from chalicelib.self_check.decision_log import POSTING_HANDLERS, DecisionLog
from chalicelib.self_check.log_groups import LogGroups, LogLine
from chalicelib.self_check.run import SelfCheck
from tests.attacks.test_self_check import HOUR, hide
from tests.self_check.test_run import (
    DAY,
    Stage,
    deploy_again,
    disable_the_rule,
    shown,
    stage,
)
from tests.support import deployed_stage

__all__ = ["stage"]

pytestmark = pytest.mark.usefixtures("quick_history")


def last_line(stage: Stage) -> str:
    """Return the newest checkpoint."""
    return next(line for line in reversed(stage.logged("self_check")) if '"ran"' in line)


def test_a_function_is_changed_so_that_a_forged_line_looks_older(stage: Stage) -> None:
    happened = stage.happened("iam-user-without-mfa")
    line = {"decision": "posted", "event_id": happened["detail"]["eventID"]}
    stage.log("on_sign_in", json.dumps(line))
    deploy_again(stage, "on_sign_in")
    posted, report = stage.check()
    assert posted.startswith("[Warning] IAM user")
    assert "were not written by signin-monitor" in report


def test_the_newest_checkpoint_is_copied_after_lines_were_forged(stage: Stage) -> None:
    stage.log("on_sign_in", json.dumps({"decision": "posted", "event_id": "x", "mac": "0"}))
    stage.log("self_check", last_line(stage))
    (report,) = stage.check()
    assert "were not written by signin-monitor" in report


@pytest.mark.parametrize(
    "until", ["0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z", "2099-01-01"]
)
def test_a_checkpoint_is_forged_before_the_webhook_is_rotated(stage: Stage, until: str) -> None:
    stage.forget_runs()
    fault = {"check": "rule", "code": "rule_disabled", "region": None}
    rule = stage.deployment.rule("on_sign_in")
    line = {
        "self_check": "ran",
        "regions": {"us-east-1": [until]},
        "faults": [{**fault, "resource": rule, "posted": "2099-01-01T00:00:00+00:00"}],
        "heartbeat": "2099-01-01T00:00:00+00:00",
        "unused": ["x"],
    }
    stage.log("self_check", json.dumps(line))
    deploy_again(stage, "self_check")
    stage.happened("root-without-mfa", minutes_ago=-60)
    disable_the_rule(stage)
    stage.now += 2 * HOUR
    posted, report = stage.check()
    assert posted.startswith("[Critical] Root user signed in")
    assert report.startswith("[Critical] signin-monitor")
    stage.now += 7 * DAY
    assert "In the last week" in "".join(stage.check()) + shown(stage)


def test_a_checkpoint_of_another_stage_with_the_same_webhook_is_copied(stage: Stage) -> None:
    stage.now += 3 * HOUR
    other = replace(stage.deployment, account_id="444455556666")
    clients = deployed_stage.clients(stage.aws)
    SelfCheck(other, clients, stage.notifier, stage.now - timedelta(minutes=1)).run({}, 60)
    copied = stage.output()
    stage.happened("root-without-mfa", minutes_ago=100)
    stage.log("self_check", copied)
    posted, *_ = stage.check()
    assert posted.startswith("[Critical] Root user signed in")


def flooded(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, written: Sequence[str], copies: int
) -> DecisionLog:
    """Return the log of a stage, each span of which is copies of these lines."""

    def lines(*_: object) -> Iterator[LogLine]:
        for number in range(copies):
            at = stage.now - timedelta(seconds=number)
            yield LogLine(json.loads(written[number % len(written)]), at, at, is_of_lambda=False)

    monkeypatch.setattr(LogGroups, "lines", lines)
    clients, key = deployed_stage.clients(stage.aws), stage.notifier.evidence_key
    groups = LogGroups(stage.deployment, clients, stage.now)
    return DecisionLog(stage.deployment, clients, groups, key)


def test_the_log_of_the_self_check_is_flooded_beyond_its_memory(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.now += HOUR
    own = json.loads(last_line(stage))
    mine = {**own, "mac": "0"}, authenticated(own, stage.notifier.evidence_key)
    log = flooded(stage, monkeypatch, [json.dumps(line) for line in mine], 3_000)
    log.last_run(stage.now - DAY, time.monotonic() + 60)  # makes clients
    tracemalloc.start()
    assert log.last_run(stage.now - DAY, time.monotonic() + 60).at
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


def test_an_authentic_decision_is_copied_beyond_the_memory(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = hide(stage, stage.happened("root-without-mfa"))
    log = flooded(stage, monkeypatch, [line], 500)
    decisions, _ = log.decisions(stage.now - DAY, time.monotonic() + 60)
    assert len(decisions) == len(POSTING_HANDLERS)
    assert log.forged["on_sign_in"]
