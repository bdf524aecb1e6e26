"""Whatever fails, a sign-in is posted, or parked, or its invocation fails: never silently gone."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib import errors
from chalicelib.errors import DeliveryError
from playground.aws.deployment import Deployment
from playground.aws.runtime import LambdaFunction
from playground.catalogue import renewed
from tests.support.faults import ANSWERS, FAULTS, QUEUES
from tests.support.records import event
from tests.support.stage_harness import StageHarness


def sign_in(name: str = "iam-user-with-mfa") -> dict[str, Any]:
    return renewed(event(name), datetime.now(UTC))


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


@pytest.mark.parametrize("name", FAULTS)
def test_a_sign_in_that_cannot_be_posted_is_parked(name: str, bed: StageHarness) -> None:
    fault = FAULTS[name]
    fault.cause(bed)
    happened = sign_in()
    decision = bed.app.notify(happened, fault.seconds)
    assert bed.receiver.messages == []
    assert bed.parked() == [{"reason": fault.reason, "act": fault.act, "event": happened}]
    said = (decision["decision"], decision["reason"], decision["act"], decision["Parked"])
    assert said == ("parked", fault.reason, fault.act, 1)


@pytest.mark.parametrize("name", FAULTS)
def test_without_a_queue_the_invocation_fails(
    name: str, bed: StageHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    fault = FAULTS[name]
    fault.cause(bed)
    del bed.settings["UNDELIVERED_QUEUE"]
    with pytest.raises(DeliveryError) as raised:
        bed.app.notify(sign_in(), fault.seconds)
    assert (raised.value.reason, raised.value.act) == (fault.reason, fault.act)
    last = last_line(capsys)
    assert (last["decision"], last["reason"], last["Failed"]) == ("failed", fault.reason, 1)


@pytest.mark.parametrize("name", [*ANSWERS, "empty"])
def test_slack_itself_must_say_ok(name: str, bed: StageHarness) -> None:
    bed.use_slacks_name()
    fault = ANSWERS.get(name, ANSWERS["html_200"])
    bed.receiver.behave(name, retry_after=30)
    decision = bed.app.notify(sign_in(), fault.seconds)
    (parked,) = bed.parked()
    assert (parked["reason"], parked["act"]) == (decision["reason"], fault.act)
    assert decision["decision"] == "parked"
    assert decision["reason"] in (fault.reason, "proxy_error")


def test_another_receiver_may_say_nothing(bed: StageHarness) -> None:
    bed.receiver.behave("empty")
    assert bed.app.notify(sign_in(), 60)["decision"] == "posted"


@pytest.mark.parametrize("name", QUEUES)
def test_what_can_neither_be_posted_nor_parked_fails_the_invocation(
    name: str,
    bed: StageHarness,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chalicelib.notifier._QUEUE_SECONDS", 3)
    bed.receiver.behave("no_service")
    QUEUES[name](bed)
    with pytest.raises(DeliveryError) as raised:
        bed.app.notify(sign_in(), 60)
    assert raised.value.reason == "no_service"
    assert last_line(capsys)["decision"] == "failed"


def test_a_queue_that_does_not_delete_in_time_still_lets_the_rest_come_again(
    bed: StageHarness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.notifier._QUEUE_SECONDS", 1)
    bed.receiver.behave("html_500")
    for name in ("root-without-mfa", "iam-user-with-mfa"):
        bed.app.notify(sign_in(name), 60)
    bed.receiver.behave("html_500", times=1)
    bed.aws.hang("sqs:DeleteMessageBatch")
    assert str(bed.deliver()) == "1 of 2 events stay in the undelivered queue"
    assert last_line(capsys)["message"] == "The undelivered queue is too slow."


def test_wrong_settings_fail_each_invocation(deployment: Deployment, bed: StageHarness) -> None:
    bed.settings["MESSAGE_LANGUAGE"] = "tlh"
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment) as function:
        for _ in range(2):
            error = function.invoke(sign_in()).error
            assert error
            assert error["errorType"] == "SettingsError"
            assert "MESSAGE_LANGUAGE must be one of en, ja, ko." in error["errorMessage"]


DEPLOYED = (
    "no_service",
    "rate_limited",
    "invalid_payload",
    "html_200",
    "redirect",
    "reset",
    "refused",
    "certificate for another host",
    "name not found",
    "proxy down",
    "broken header",
    "KMS denied",
    "KMS behind a portal",
    "key disabled",
)


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_deployed_package_parks_or_fails(
    name: str, deployment: Deployment, bed: StageHarness
) -> None:
    fault = FAULTS[name]
    fault.cause(bed)
    happened = sign_in()
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment) as function:
        result = function.invoke(happened)
        assert (result.error, result.value["decision"]) == (None, "parked")
        bed.aws.deny("sqs:SendMessage")
        error = function.invoke(sign_in()).error
    assert bed.parked() == [{"reason": fault.reason, "act": fault.act, "event": happened}]
    assert error
    assert issubclass(getattr(errors, error["errorType"]), errors.DeliveryError)


@pytest.mark.parametrize("action", ["", "kms:Decrypt"])
def test_with_everything_hanging_the_function_parks_before_it_is_killed(
    action: str, deployment: Deployment, bed: StageHarness
) -> None:
    if action:
        bed.aws.hang(action)
    bed.receiver.behave("hang")
    happened = sign_in("root-without-mfa")
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment) as function:
        result = function.invoke(happened, timeout_seconds=60)
    assert not result.timed_out
    assert result.value["decision"] == "parked"
    assert [body["event"] for body in bed.parked()] == [happened]
