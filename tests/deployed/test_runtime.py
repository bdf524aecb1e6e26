import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from playground.aws.deployment import PROJECT, ChaliceFailed, Deployment, ProjectCopy, deploy
from playground.aws.embedded import EmbeddedAws
from playground.aws.runtime import LambdaFunction
from playground.aws.sandbox import Report, Sandbox

pytestmark = pytest.mark.xdist_group("deployed runtime")
APP = """
import os, sys, time
import boto3, requests
import chalice

app = chalice.Chalice(app_name="trial")
print("INIT")

@app.lambda_function()
def trial(event, context):
    print("asked for", event["do"][:20])
    match event["do"]:
        case "modules":
            return {name: sys.modules[name].__file__ for name in ("boto3", "requests", "chalice")}
        case "path":
            return sys.path
        case "environment":
            return dict(os.environ)
        case "decrypt":
            blob = boto3.client("kms").encrypt(KeyId="alias/trial", Plaintext=b"x")
            return len(blob["CiphertextBlob"])
        case "fail":
            raise ValueError("as asked")
        case "hang":
            time.sleep(60)
        case "die":
            os._exit(3)
    return len(event["do"])
"""
CONFIG = """
{"version": "2.0", "app_name": "trial", "stages": {"prod": {"environment_variables": {"A": "1"}}}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("trial")
    (project / "app.py").write_text(APP)
    (project / ".chalice").mkdir()
    (project / ".chalice" / "config.json").write_text(CONFIG)
    copy(PROJECT / "requirements.txt", project)
    return project


@pytest.fixture(scope="module")
def deployment(
    aws: EmbeddedAws, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    scratch = tmp_path_factory.mktemp("deployment")
    return deploy("prod", {"B": "2"}, aws=aws, scratch=scratch, project=project)


@pytest.fixture(scope="module")
def function(aws: EmbeddedAws, deployment: Deployment) -> Iterator[LambdaFunction]:
    environment = deployment.environment("trial") | aws.environment
    with LambdaFunction(deployment.package, "app.trial", environment) as function:
        yield function


def ask(function: LambdaFunction, what: str) -> Any:  # noqa: ANN401  # what the handler returns
    result = function.invoke({"do": what})
    assert result.error is None
    return result.value


def test_a_deployed_function_has_the_settings_of_its_stage(deployment: Deployment) -> None:
    assert deployment.environment("trial") == {"A": "1", "B": "2"}


def test_a_deployment_that_fails_says_why(aws: EmbeddedAws, project: Path, tmp_path: Path) -> None:
    new = ProjectCopy(tmp_path, project=project)
    (new.path / "app.py").write_text("raise SystemExit('no such setting')")
    with pytest.raises(ChaliceFailed, match="no such setting"):
        new.deploy("prod", aws=aws)


def test_the_package_brings_its_own_requests_and_lambda_brings_boto3(
    function: LambdaFunction, deployment: Deployment
) -> None:
    files = ask(function, "modules")
    assert files["requests"].startswith(str(deployment.package))
    assert files["chalice"].startswith(str(deployment.package))
    assert not files["boto3"].startswith(str(deployment.package))


def test_nothing_of_this_environment_or_project_can_be_imported(function: LambdaFunction) -> None:
    path = ask(function, "path")
    assert str(PROJECT) not in path
    assert not [entry for entry in path if "site-packages" in entry]


def test_a_function_sees_its_settings_and_nothing_of_the_shell(
    function: LambdaFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE_ONLY", "1")
    function.stop()
    seen = ask(function, "environment")
    assert (seen["A"], seen["AWS_REGION"], "HERE_ONLY" in seen) == ("1", "us-east-1", False)


def test_a_function_reaches_the_embedded_aws(function: LambdaFunction, aws: EmbeddedAws) -> None:
    aws.make_key("alias/trial")
    assert ask(function, "decrypt") > 0


def test_a_megabyte_goes_through(function: LambdaFunction) -> None:
    assert ask(function, "x" * 1_000_000) == 1_000_000


def test_a_warm_function_initialises_once(function: LambdaFunction) -> None:
    function.stop()
    assert function.invoke({"do": "a"}).log == ("INIT", "asked for a")
    assert function.invoke({"do": "b"}).log == ("asked for b",)


def test_an_exception_comes_back_as_a_function_error(function: LambdaFunction) -> None:
    result = function.invoke({"do": "fail"})
    assert result.error
    assert (result.error["errorType"], result.error["errorMessage"]) == ("ValueError", "as asked")
    assert any("ValueError: as asked" in line for line in result.log)


@pytest.mark.parametrize(
    ("what", "seconds", "error_type"),
    [("hang", 0.5, "Sandbox.Timedout"), ("die", 10, "Runtime.ExitError")],
)
def test_a_function_that_ends_without_an_answer_starts_again(
    what: str, seconds: float, error_type: str, function: LambdaFunction
) -> None:
    result = function.invoke({"do": what}, timeout_seconds=seconds)
    assert result.error
    assert result.error["errorType"] == error_type
    assert result.timed_out == (what == "hang")
    assert function.invoke({"do": "a"}).log == ("INIT", "asked for a")


def test_a_failed_init_fails_the_invocation(deployment: Deployment) -> None:
    with LambdaFunction(deployment.package, "app.nothing", {}) as function:
        result = function.invoke({})
    assert result.error
    assert result.error["errorType"] == "Runtime.HandlerNotFound"


def test_the_hook_gets_the_process_after_init_and_before_the_first_event(
    deployment: Deployment,
) -> None:
    seen: list[int] = []
    with LambdaFunction(deployment.package, "app.trial", {}, on_ready=seen.append) as function:
        result = function.invoke({"do": "a"})
        assert seen == [function.pid]
        assert function.started < function.ready < result.handed_out < result.answered


def test_this_python_is_the_functions_python(deployment: Deployment) -> None:
    assert deployment.functions["trial"]["Runtime"] == f"python3.{sys.version_info.minor}"


def test_a_start_that_is_interrupted_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set(threading.enumerate())

    def interrupted(*_: object) -> Report:
        raise KeyboardInterrupt

    monkeypatch.setattr(Sandbox, "report", interrupted)
    with LambdaFunction(tmp_path, "app.none", {}) as function, pytest.raises(KeyboardInterrupt):
        function.start()

    assert set(threading.enumerate()) <= before
