"""The line that says what was decided of one event, and the metric in it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from unittest.mock import ANY

import pytest
from jsonschema import Draft202012Validator

from chalicelib import __version__
from chalicelib.decision import DecisionLine, Verdict, decision_line, is_authentic
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import assess
from playground.catalogue import NAMES, read

EMF = Draft202012Validator(json.loads((Path(__file__).parent / "emf-schema.json").read_text()))
VERDICTS = get_args(Verdict)
NOW = datetime(2026, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC)


def line(
    event: object,
    verdict: Verdict = "posted",
    reason: str | None = None,
    *,
    stage: str = "prod",
    now: datetime = NOW,
    **more: Any,  # noqa: ANN401 — any value
) -> dict[str, Any]:
    assessed = assess(read_sign_in(event))
    return {**decision_line(verdict, assessed, reason, stage=stage, now=now, **more)}


def detail(**fields: object) -> dict[str, Any]:
    return {"detail": fields}


def test_the_line_has_the_keys_that_operators_rely_on() -> None:
    event = read("iam-user-wrong-mfa-code")
    format_utc = datetime.fromisoformat(event["detail"]["eventTime"]) + timedelta(seconds=90.25)
    more = {"request_id": "r-1", "act": "operator"}
    assert line(event, "parked", "no_service", now=format_utc, **more) == {
        "level": "WARNING",
        "decision": "parked",
        "reason": "no_service",
        "event_id": event["detail"]["eventID"],
        "event_name": "ConsoleLogin",
        "account_id": event["account"],
        "outcome": "Failure",
        "mfa": "yes",
        "severity": "warning",
        "reasons": ["failed_at_mfa"],
        "familiar": None,
        "person": None,
        "delay_ms": 90_250,
        "request_id": "r-1",
        "version": __version__,
        "record": ANY,
        "mac": None,  # the webhook is not known
        "act": "operator",
        "Stage": "prod",
        "Parked": 1,
        "_aws": {
            "Timestamp": int(format_utc.timestamp()) * 1000 + 250,
            "CloudWatchMetrics": [
                {
                    "Namespace": "SigninMonitor",
                    "Dimensions": [["Stage"]],
                    "Metrics": [{"Name": "Parked", "Unit": "Count"}],
                }
            ],
        },
    }


def test_the_line_of_every_sign_in_has_values_of_the_promised_kinds() -> None:
    for written in map(line, map(read, NAMES)):
        assert written["outcome"] in ("Success", "Failure", "unknown")
        assert written["mfa"] in ("yes", "no", "unknown")
        assert written["severity"] in ("info", "warning", "critical")
        for key in ("event_id", "event_name", "account_id"):
            assert isinstance(written[key], str | None)
        assert isinstance(written["delay_ms"], int)
        assert json.loads(json.dumps(written)) == written


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("event", [read("root-with-mfa"), {}, detail(eventID="x" * 100_000)])
def test_cloudwatch_makes_a_metric_out_of_every_line(event: object, verdict: Verdict) -> None:
    for stage, shown in (("prod", "prod"), ("", "unset")):
        written = line(event, verdict, "a_reason", stage=stage)
        EMF.validate(written)
        (directive,) = written["_aws"]["CloudWatchMetrics"]
        (metric,) = directive["Metrics"]
        assert (directive["Dimensions"], written["Stage"]) == ([["Stage"]], shown)
        assert (metric["Name"], written[metric["Name"]]) == (verdict.capitalize(), 1)


def test_the_level_says_whether_anything_is_wrong() -> None:
    cases: dict[tuple[Verdict, str | None], str] = {
        ("posted", None): "INFO",
        ("ignored", "duplicate"): "INFO",
        ("parked", "digest"): "INFO",
        ("parked", "no_service"): "WARNING",
        ("ignored", "not_an_event"): "WARNING",
        ("failed", "no_service"): "ERROR",
    }
    assert {case: line({}, *case)["level"] for case in cases} == cases


def test_a_failure_that_waits_for_its_digest_counts_as_nothing_parked() -> None:
    assert {"Parked", "_aws"}.isdisjoint(line({}, "parked", "digest"))


def test_every_key_of_a_line_is_in_its_schema() -> None:
    assert set(line({}, act="nobody", message="why")) <= set(DecisionLine.__annotations__)


def test_the_delay_is_never_negative() -> None:
    assert line(detail(eventTime="2026-06-01T12:00:09Z"))["delay_ms"] == 0


def test_the_delay_of_an_event_without_a_time_is_not_known() -> None:
    assert line({})["delay_ms"] is None


def test_long_texts_from_outside_are_cut() -> None:
    event = detail(eventID="i" * 5_000, eventName="n" * 5_000, recipientAccountId="1" * 5_000)
    written = line(event)
    assert [len(written[key]) for key in ("event_id", "event_name", "account_id")] == [256] * 3


def test_the_line_holds_neither_names_nor_addresses() -> None:
    event = read("iam-user-with-mfa")
    written = json.dumps(line(event))
    assert event["detail"]["userIdentity"]["userName"] not in written
    assert event["detail"]["sourceIPAddress"] not in written


def test_a_line_is_authentic_only_as_it_was_written() -> None:
    key = b"k" * 32
    written = line(read("iam-user-with-mfa"), key=key)
    kept = json.loads(json.dumps(written))
    assert is_authentic(kept, key)
    assert not is_authentic({**kept, "decision": "ignored"}, key)
    assert not is_authentic({**kept, "mac": None}, key)
    assert not is_authentic({**kept, "mac": "\ud800"}, key)
    assert not is_authentic(kept, b"another")
    assert not is_authentic(kept, None)
