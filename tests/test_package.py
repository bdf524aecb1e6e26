"""The deployed package under AWS's runtime client, from an event to the message received."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from playground.aws.runtime import LambdaFunction
from playground.aws.sandbox import link_runtime
from playground.catalogue import renewed
from tests.support.records import event
from tests.support.stage_harness import StageHarness

OLDER_BOTO3 = "1.34.162"


def sign_in(name: str) -> dict[str, Any]:
    return renewed(event(name), datetime.now(UTC))


def test_a_cold_start_compiles_nothing_and_makes_no_client_of_botocores(
    package: Path, harness: StageHarness
) -> None:
    run = subprocess.run(
        [sys.executable, "-v", "-c", "import app"],
        cwd=package,
        env={
            **harness.environment,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_FUNCTION_NAME": "signin-monitor-prod-on_sign_in",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert harness.aws.actions() == ["kms:Decrypt"]
    here = re.escape(str(package))
    assert re.findall(rf"# code object from {here}/(\S+)", run.stderr) == []
    assert "import 'botocore.auth'" in run.stderr
    assert re.findall(r"import 'botocore\.(?:client|loaders|session)'", run.stderr) == []


def test_a_warm_function_decrypts_once_keeps_its_connection_and_posts_an_event_once(
    package: Path, harness: StageHarness
) -> None:
    with LambdaFunction(package, "app.on_sign_in", harness.environment) as function:
        events = [sign_in("iam-user-with-mfa") for _ in range(3)]
        decisions = [
            function.invoke(received).value["decision"] for received in (*events, events[-1])
        ]
    assert decisions == [*["posted"] * 3, "ignored"]
    assert harness.aws.actions() == ["kms:Decrypt"]
    assert {message.connection for message in harness.receiver.wait_for(3)} == {1}


def test_without_a_queue_a_failed_post_is_a_function_error(
    package: Path, harness: StageHarness
) -> None:
    del harness.settings["UNDELIVERED_QUEUE"]
    harness.receiver.behave("no_service")
    with LambdaFunction(package, "app.on_sign_in", harness.environment) as function:
        error = function.invoke(sign_in("root-without-mfa")).error
    assert error
    assert error["errorType"] == "WebhookDead"
    assert "python -m ops setup --stage prod --rotate-webhook" in error["errorMessage"]
    with LambdaFunction(package, "app.on_undelivered", harness.environment) as function:
        missing = function.invoke({"Records": []}).error
    assert missing
    assert missing["errorType"] == "Runtime.HandlerNotFound"


def test_what_was_parked_is_brought_once_the_webhook_works_within_the_functions_rights(
    package: Path, harness: StageHarness
) -> None:
    happened = [sign_in(name) for name in ("iam-user-with-mfa", "root-without-mfa", "saml-role")]
    harness.receiver.behave("no_service")
    first, second = (
        harness.environment_of(handler) for handler in ("on_sign_in", "on_undelivered")
    )
    with LambdaFunction(package, "app.on_sign_in", first) as function:
        for received in happened:
            assert function.invoke(received).value["decision"] == "parked"
    batch = {"Records": harness.records()}
    with LambdaFunction(package, "app.on_undelivered", second) as function:
        stays = function.invoke(batch)
        harness.receiver.behave("ok")
        result = function.invoke(batch)
    assert stays.error
    assert stays.error["errorType"] == "StillUndelivered"
    assert result.error is None
    assert result.value is None
    assert harness.aws.beyond_policy == []
    assert set(harness.aws.actions("on_sign_in")) == {
        "kms:Decrypt",
        "sqs:GetQueueUrl",
        "sqs:SendMessage",
    }
    texts = [message.payload["text"] for message in harness.receiver.messages]
    assert len(texts) == 2
    assert "Root user signed in" in texts[0]
    assert "alice" in texts[1]
    assert "minjun.kim@example.com" in texts[1]


@pytest.fixture(scope="session")
def older_boto3(pytestconfig: pytest.Config) -> Path:
    """Install the boto3 of an older Lambda runtime, once for all runs."""
    folder = pytestconfig.cache.mkdir(f"boto3-{OLDER_BOTO3}") if pytestconfig.cache else None
    assert folder
    if not (folder / "boto3").exists():
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"),
                *("--disable-pip-version-check", "--target", str(folder)),
                f"boto3=={OLDER_BOTO3}",
            ],
            check=True,
        )
    return folder


def test_the_package_works_with_an_older_boto3_than_todays(
    older_boto3: Path, package: Path, harness: StageHarness, tmp_path: Path
) -> None:
    # Lambda's runtime lags behind, and the package's urllib3 is newer than the runtime's.
    runtime = link_runtime(tmp_path / "runtime")
    path = {"PYTHONPATH": f"{package}:{older_boto3}:{runtime}"}
    with LambdaFunction(package, "app.on_sign_in", harness.environment | path) as function:
        assert function.invoke(sign_in("root-without-mfa")).value["decision"] == "posted"
        assert f"Botocore/{OLDER_BOTO3}" in harness.aws.calls[-1].user_agent
        harness.receiver.behave("no_service")
        assert function.invoke(sign_in("root-without-mfa")).value["decision"] == "parked"
    harness.receiver.behave("ok")
    batch = {"Records": harness.records()}
    with LambdaFunction(package, "app.on_undelivered", harness.environment | path) as function:
        assert function.invoke(batch).error is None
    assert len(harness.receiver.messages) == 2
