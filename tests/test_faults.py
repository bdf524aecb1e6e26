"""Whatever fails, a sign-in is posted, or parked, or its invocation fails: never silently gone."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib import errors
from chalicelib.errors import DeliveryError, StillUndelivered
from chalicelib.reports import report_in
from playground.aws.runtime import LambdaFunction
from playground.aws.sandbox import link_runtime
from playground.catalogue import renewed
from tests.support.faults import FAULTS, QUEUES
from tests.support.records import event
from tests.support.secrecy import (
    everything_said_by,
    kept_secret,
    raised_by,
    shows_secret,
)
from tests.support.stage_harness import StageHarness


def sign_in(name: str = "iam-user-with-mfa") -> dict[str, Any]:
    return renewed(event(name), datetime.now(UTC))


def failed(
    harness: StageHarness, capfd: pytest.CaptureFixture[str], seconds: float
) -> tuple[DeliveryError, dict[str, Any]]:
    """Let an invocation fail without a word of the webhook; give its error and its last line."""
    with kept_secret(capfd) as said:
        error = raised_by(lambda: harness.app.notify(sign_in(), seconds))
        said.note(everything_said_by(error))
        last: dict[str, Any] = json.loads(said.printed().splitlines()[-1])
    assert isinstance(error, DeliveryError)
    return error, last


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_posted_is_parked_or_fails_without_a_queue_and_shows_no_webhook(
    name: str,
    harness: StageHarness,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chalicelib.delivery.slack._LEAST_SECONDS", 0.1)  # of half a second
    fault = FAULTS[name]
    fault.cause(harness)
    happened = sign_in()
    with kept_secret(capfd) as said:
        decision = harness.app.notify(happened, fault.seconds)
        records = harness.records()
        with suppress(StillUndelivered):
            harness.app.redeliver(records, min(fault.seconds, 6), report_in)
        said.note(json.dumps([decision, records]))
    assert harness.receiver.messages == []
    assert [json.loads(record["body"]) for record in records] == [fault.body(happened)]
    found = (decision["decision"], decision["reason"], decision["act"], decision["Parked"])
    assert found == ("parked", fault.reason, fault.act, 1)

    del harness.settings["UNDELIVERED_QUEUE"]
    error, last = failed(harness, capfd, fault.seconds)
    assert (error.reason, error.act) == (fault.reason, fault.act)
    assert (last["decision"], last["reason"], last["Failed"]) == ("failed", fault.reason, 1)


def test_another_receiver_may_say_nothing(harness: StageHarness) -> None:
    harness.receiver.behave("empty")
    assert harness.app.notify(sign_in(), 60)["decision"] == "posted"


@pytest.mark.parametrize("name", QUEUES)
def test_what_can_neither_be_posted_nor_parked_fails_the_invocation(
    name: str,
    harness: StageHarness,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chalicelib.notifier.QUEUE_SECONDS", 0.5)
    harness.receiver.behave("no_service")
    QUEUES[name](harness)
    error, last = failed(harness, capfd, 60)
    assert (error.reason, last["decision"]) == ("no_service", "failed")


def test_a_queue_that_does_not_delete_in_time_still_lets_the_rest_come_again(
    harness: StageHarness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.notifier.QUEUE_SECONDS", 0.5)
    harness.receiver.behave("html_500")
    for name in ("root-without-mfa", "iam-user-with-mfa"):
        harness.app.notify(sign_in(name), 60)
    harness.receiver.behave("html_500", times=1)
    harness.aws.hang("sqs:DeleteMessageBatch")
    assert str(harness.deliver()) == "1 of 2 events stay in the undelivered queue"
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["message"] == "The undelivered queue is too slow."


def test_wrong_settings_fail_each_invocation(package: Path, harness: StageHarness) -> None:
    harness.settings["MESSAGE_LANGUAGE"] = "tlh"
    with LambdaFunction(package, "app.on_sign_in", harness.environment) as function:
        for _ in range(2):
            error = function.invoke(sign_in()).error
            assert error
            assert error["errorType"] == "SettingsError"
            assert "MESSAGE_LANGUAGE must be one of en, ja, ko." in error["errorMessage"]


_DEBUG = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
_UNMUTED = """
import logging
logging.Logger.addFilter = lambda *_: None
from app import on_sign_in
"""


def test_a_library_that_is_not_muted_shows_the_webhook_in_the_deployed_log(
    package: Path, harness: StageHarness, tmp_path: Path
) -> None:
    (tmp_path / "unmuted.py").write_text(_UNMUTED)
    path = {"PYTHONPATH": f"{tmp_path}:{package}:{link_runtime(tmp_path / 'runtime')}"}
    environment = harness.environment | _DEBUG | path
    with LambdaFunction(package, "unmuted.on_sign_in", environment) as function:
        assert any(map(shows_secret, function.invoke(sign_in()).log))


@pytest.mark.parametrize("name", ["no_service", "reset", "broken header", "host not allowed"])
def test_the_deployed_package_parks_or_fails_and_shows_no_webhook_at_debug_level(
    name: str, package: Path, harness: StageHarness
) -> None:
    fault = FAULTS[name]
    fault.cause(harness)
    happened = sign_in()
    with LambdaFunction(package, "app.on_sign_in", harness.environment | _DEBUG) as function:
        parks = function.invoke(happened)
        harness.aws.deny("sqs:SendMessage")
        fails = function.invoke(sign_in())
    assert (parks.error, parks.value["decision"]) == (None, "parked")
    assert harness.parked() == [fault.body(happened)]
    assert fails.error
    assert issubclass(getattr(errors, fails.error["errorType"]), errors.DeliveryError)
    for said in (*parks.log, *fails.log, json.dumps([parks.value, fails.error])):
        assert not shows_secret(said), said


def test_with_slack_hanging_the_function_parks_before_it_is_killed(
    package: Path, harness: StageHarness
) -> None:
    harness.receiver.behave("hang")
    happened = sign_in("root-without-mfa")
    with LambdaFunction(package, "app.on_sign_in", harness.environment) as function:
        result = function.invoke(happened, timeout_seconds=4)
    assert not result.timed_out
    assert result.value["decision"] == "parked"
    assert [body["event"] for body in harness.parked()] == [happened]
