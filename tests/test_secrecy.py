"""The webhook's path shows nowhere, whatever fails and however much is logged."""

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.errors import SettingsError, SigninMonitorError, StillUndelivered
from chalicelib.reports import report_in
from chalicelib.settings import Settings
from playground.aws.deployment import Deployment
from playground.aws.runtime import LambdaFunction
from playground.catalogue import renewed
from tests.support.faults import FAULTS, QUEUES
from tests.support.records import event
from tests.support.secrecy import every_repr, everything_logged, everything_said_by, shows_secret
from tests.support.stage_harness import SECRET_PATH, StageHarness

URL = f"https://hooks.slack.com{SECRET_PATH}"


def sign_in(name: str = "root-without-mfa") -> dict[str, Any]:
    return renewed(event(name), datetime.now(UTC))


def raised_by(call: Callable[[], object]) -> BaseException:
    """Return the error of a call that fails, its traceback begun below this test."""
    with pytest.raises(SigninMonitorError) as raised:
        call()
    assert raised.tb.tb_next
    return raised.value.with_traceback(raised.tb.tb_next)


@pytest.mark.parametrize("alignment", range(3))
def test_a_leak_in_base64_would_be_found(alignment: int) -> None:
    leak = base64.b64encode(b"x" * alignment + URL.encode() + b"\n").decode()
    assert shows_secret(f"answer: {leak}")
    assert shows_secret(URL)
    assert not shows_secret("hooks.slack.com")


@pytest.mark.parametrize("name", ["none", *FAULTS])
def test_no_fault_shows_the_path(
    name: str, bed: StageHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    seconds = 6.0
    if name in FAULTS:
        seconds = min(seconds, FAULTS[name].seconds)
        FAULTS[name].cause(bed)
    with everything_logged() as logged:
        decision = bed.app.notify(sign_in(), seconds)
        parked = bed.records()
        with suppress(StillUndelivered):
            bed.app.redeliver(parked, seconds, report_in)
        reprs = every_repr()
    assert logged
    assert "chalicelib.notifier.Notifier" in reprs
    out, err = capfd.readouterr()
    for said in (json.dumps(decision), json.dumps(parked), out, err, reprs, *logged):
        assert not shows_secret(said), said


@pytest.mark.parametrize("name", FAULTS)
def test_no_error_shows_the_path(
    name: str, bed: StageHarness, capfd: pytest.CaptureFixture[str]
) -> None:
    FAULTS[name].cause(bed)
    del bed.settings["UNDELIVERED_QUEUE"]
    app, happened = bed.app, sign_in("iam-user-with-mfa")
    with everything_logged() as logged:
        error = raised_by(lambda: app.notify(happened, FAULTS[name].seconds))
    out, err = capfd.readouterr()
    for said in (everything_said_by(error), out, err, *logged):
        assert not shows_secret(said), said


@pytest.mark.parametrize("name", QUEUES)
def test_no_fault_of_the_queue_shows_the_path(
    name: str, bed: StageHarness, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.notifier._QUEUE_SECONDS", 1)
    QUEUES[name](bed)
    bed.receiver.behave("no_service")
    app, happened = bed.app, sign_in("iam-user-with-mfa")
    with everything_logged() as logged:
        error = raised_by(lambda: app.notify(happened, 60))
    out, err = capfd.readouterr()
    for said in (everything_said_by(error), out, err, *logged):
        assert not shows_secret(said), said


@pytest.mark.parametrize(
    "name",
    [
        "WEBHOOK_URL_ENCRYPTED",
        "CRITICAL_WEBHOOK_URL_ENCRYPTED",
        "WEBHOOK_HOSTS",
        "WEBHOOK_ENCRYPTION_CONTEXT",
        "SLACK_CHANNEL",
        "SLACK_ICON_EMOJI",
        "MESSAGE_LANGUAGE",
        "CRITICAL_MENTION",
        "IGNORED_EVENTS",
        "IGNORED_PRINCIPALS",
        "ACCOUNT_NAMES",
        "UNDELIVERED_QUEUE",
        "SIGN_IN_REGION",
        "STAGE",
        "LOG_EVENTS",
        "SLACK_WEBHOOK_URL",
    ],
)
def test_a_webhook_in_the_wrong_setting_is_not_repeated(name: str) -> None:
    wrong = {name: URL * 2}  # too long for what may be one line of text
    error = raised_by(lambda: Settings.from_environment(wrong))
    assert isinstance(error, SettingsError)
    assert name in str(error)
    assert not shows_secret(f"{error!s} {error!r} {vars(error)}")


DEPLOYED = (
    "no_service",
    "redirect",
    "reset",
    "refused",
    "certificate expired",
    "broken header",
    "KMS denied",
    "host not allowed",
    "a workflow",
)


@pytest.mark.parametrize("name", ["none", *DEPLOYED])
def test_the_deployed_package_keeps_the_secret_at_debug_level(
    name: str, deployment: Deployment, bed: StageHarness
) -> None:
    if name in FAULTS:
        FAULTS[name].cause(bed)
    debug = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment | debug) as function:
        results = [function.invoke(sign_in())]
        bed.aws.deny("sqs:SendMessage")
        results.append(function.invoke(sign_in()))
    log = "\n".join(line for result in results for line in result.log)
    assert "Received event" in log
    said = json.dumps([(result.value, result.error) for result in results])
    assert results[1].error or name == "none"
    assert not shows_secret(log)
    assert not shows_secret(said)
    assert not shows_secret(json.dumps(bed.parked()))
