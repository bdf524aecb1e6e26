"""The deployed package: what `chalice deploy` makes of it, and from event to received message."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from moto.events.models import EventPattern

from chalicelib.messages.sign_in import sign_in_message
from chalicelib.settings import Settings
from chalicelib.signin.model import Outcome
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import Severity, assess
from playground.aws.deployment import PROJECT, Deployment, deploy
from playground.aws.embedded import ACCOUNT_ID
from playground.aws.runtime import LambdaFunction
from playground.aws.sandbox import link_runtime
from playground.aws.settings import provision
from playground.catalogue import renewed
from playground.slack.certificates import Certificates
from playground.slack.receiver import Receiver
from tests.support.records import EVENTS, event
from tests.support.stage_harness import StageHarness
from tests.support.strict_aws import StrictAws

OLDER_BOTO3 = "1.34.162"
FUNCTION = "signin-monitor-prod-on_sign_in"
CONSUMER = "signin-monitor-prod-on_undelivered"


def sign_in(name: str) -> dict[str, Any]:
    return renewed(event(name), datetime.now(UTC))


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """An account with the stage prod in it, deployed from a shell that was set to Ireland."""

    aws: StrictAws
    deployment: Deployment
    receiver: Receiver
    function: LambdaFunction
    """on_sign_in, with the very variables that it was deployed with."""


@pytest.fixture(scope="module")
def deployed(
    certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    with StrictAws() as aws, Receiver(tls=certificates.good) as receiver:
        deployment = deploy(
            "prod",
            provision("prod", aws=aws, receiver=receiver),
            aws=aws,
            scratch=tmp_path_factory.mktemp("deployed"),
            shell_region="eu-west-1",
        )
        environment = {
            **aws.function_environment(FUNCTION),
            "REQUESTS_CA_BUNDLE": str(certificates.ca_file),
        }
        with LambdaFunction(deployment.package, "app.on_sign_in", environment) as function:
            yield Deployed(aws=aws, deployment=deployment, receiver=receiver, function=function)


def test_the_home_region_is_the_stages_whatever_the_shell_says(deployed: Deployed) -> None:
    at_home = deployed.aws.client("lambda").list_functions()["Functions"]
    assert sorted(one["FunctionName"] for one in at_home) == [FUNCTION, CONSUMER]
    for service, ask, answer in (
        ("lambda", "list_functions", "Functions"),
        ("events", "list_rules", "Rules"),
        ("logs", "describe_log_groups", "logGroups"),
    ):
        abroad = deployed.aws.client(service, "eu-west-1")
        assert getattr(abroad, ask)()[answer] == []


def test_a_function_has_a_minute_and_the_smallest_memory(deployed: Deployed) -> None:
    for name in (FUNCTION, CONSUMER):
        found = deployed.aws.client("lambda").get_function_configuration(FunctionName=name)
        assert (found["Timeout"], found["MemorySize"]) == (60, 128)
        assert found["Runtime"] == f"python3.{sys.version_info.minor}"


def statements(deployed: Deployed, function: str) -> list[dict[str, Any]]:
    """Return what the role of a function may do, an action a statement."""
    iam = deployed.aws.client("iam")
    (policy,) = iam.list_role_policies(RoleName=function)["PolicyNames"]
    answer = iam.get_role_policy(RoleName=function, PolicyName=policy)
    return [
        {**statement, "Action": action}
        for statement in answer["PolicyDocument"]["Statement"]
        for action in statement["Action"]
    ]


def test_each_function_has_a_role_of_its_own_that_lambda_alone_may_assume(
    deployed: Deployed,
) -> None:
    for name in (FUNCTION, CONSUMER):
        found = deployed.aws.client("lambda").get_function_configuration(FunctionName=name)
        role = deployed.aws.client("iam").get_role(RoleName=name)["Role"]
        assert found["Role"] == role["Arn"]
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert (trust["Action"], trust["Principal"]) == (
            "sts:AssumeRole",
            {"Service": "lambda.amazonaws.com"},
        )
        attached = deployed.aws.client("iam").list_attached_role_policies(RoleName=name)
        assert attached["AttachedPolicies"] == []


@pytest.mark.parametrize(
    ("function", "of_the_queue"),
    [
        (FUNCTION, {"sqs:GetQueueUrl", "sqs:SendMessage"}),
        (
            CONSUMER,
            {
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
                "sqs:SendMessage",
            },
        ),
    ],
)
def test_a_role_may_do_what_its_function_needs_and_no_more(
    function: str, of_the_queue: set[str], deployed: Deployed
) -> None:
    by_action = {one["Action"]: one for one in statements(deployed, function)}
    of_the_log = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert set(by_action) == {"kms:Decrypt"} | of_the_log | of_the_queue
    assert all(one["Effect"] == "Allow" for one in by_action.values())
    assert by_action["kms:Decrypt"]["Condition"] == {
        "StringEquals": {
            "kms:EncryptionContext:app": "signin-monitor",
            "kms:EncryptionContext:stage": "prod",
        },
    }
    for action in of_the_log:
        (resource,) = by_action[action]["Resource"]
        assert resource.endswith(f":log-group:/aws/lambda/{function}:*")
    for action in of_the_queue:
        (resource,) = by_action[action]["Resource"]
        assert resource.endswith(":signin-monitor-prod-undelivered")


@pytest.fixture(scope="module")
def rule(deployed: Deployed) -> dict[str, Any]:
    (rule,) = deployed.aws.client("events").list_rules()["Rules"]
    found: dict[str, Any] = rule
    return found


def test_the_rule_calls_the_function_and_may(rule: dict[str, Any], deployed: Deployed) -> None:
    assert rule["State"] == "ENABLED"
    targets = deployed.aws.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:{FUNCTION}"
    assert [target["Arn"] for target in targets] == [arn]
    answer = deployed.aws.client("lambda").get_policy(FunctionName=FUNCTION)
    (permission,) = json.loads(answer["Policy"])["Statement"]
    assert permission["Effect"] == "Allow"
    assert permission["Action"] == "lambda:InvokeFunction"
    assert permission["Principal"] == {"Service": "events.amazonaws.com"}
    assert permission["Condition"] == {"ArnLike": {"AWS:SourceArn": rule["Arn"]}}


def matches(rule: dict[str, Any], event: Any) -> bool:  # noqa: ANN401 — moto's own type
    """Match as moto does, which knows nothing of Chalice."""
    return bool(EventPattern.load(rule["EventPattern"]).matches_event(event))


@pytest.mark.parametrize("name", EVENTS)
def test_the_rule_matches_every_sign_in(name: str, rule: dict[str, Any]) -> None:
    assert matches(rule, event(name))


@pytest.mark.parametrize(
    ("source", "detail_type"),
    [
        ("aws.iam", "AWS API Call via CloudTrail"),
        ("aws.sso", "AWS Service Event via CloudTrail"),
        ("aws.sts", "AWS API Call via CloudTrail"),
        ("aws.health", "AWS Health Event"),
        ("aws.signin", "AWS Console Signin via CloudTrail"),
        ("aws.signin", "AWS Insight via CloudTrail"),
        ("aws.signin.fake", "AWS Console Sign In via CloudTrail"),
        ("ours", "AWS Console Sign In via CloudTrail"),
    ],
)
def test_the_rule_matches_nothing_else(source: str, detail_type: str, rule: dict[str, Any]) -> None:
    other = {**event("root-with-mfa"), "source": source, "detail-type": detail_type}
    assert not matches(rule, other)


def test_logs_are_kept_for_a_week(deployed: Deployed) -> None:
    groups = deployed.aws.client("logs").describe_log_groups()["logGroups"]
    assert {group["logGroupName"]: group.get("retentionInDays") for group in groups} == {
        f"/aws/lambda/{FUNCTION}": 7,
        f"/aws/lambda/{CONSUMER}": 7,
    }


def test_the_queue_is_read_in_large_batches_by_two_at_most(deployed: Deployed) -> None:
    (mapping,) = deployed.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"].endswith(":signin-monitor-prod-undelivered")
    assert mapping["FunctionArn"].endswith(f":function:{CONSUMER}")
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (500, 60)
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_a_deployed_stage_has_no_gateway(deployed: Deployed) -> None:
    kinds = {one["resource_type"] for one in deployed.deployment.deployed["resources"]}
    assert kinds == {"cloudwatch_event", "iam_role", "lambda_function", "log_group", "sqs_event"}


def test_the_package_holds_what_runs_and_nothing_else(deployed: Deployed) -> None:
    package = deployed.deployment.package
    tops = {path.name for path in package.iterdir() if path.suffix != ".dist-info"}
    vendored = {"certifi", "charset_normalizer", "idna", "requests", "urllib3"}
    assert tops == {"__pycache__", "app.py", "chalice", "chalicelib"} | vendored
    assert {path.name for path in (package / "chalice").glob("*.py")} == {"__init__.py", "app.py"}
    packed, there = (
        {path.relative_to(folder) for path in folder.glob("chalicelib/**/*.*")}
        for folder in (package, PROJECT)
    )
    assert {path for path in packed if path.parent.name != "__pycache__"} == {
        path for path in there if path.parent.name != "__pycache__"
    }
    assert deployed.deployment.package_bytes < 1_250_000


def test_a_cold_start_compiles_nothing_and_makes_no_client_of_botocores(
    deployment: Deployment, bed: StageHarness
) -> None:
    run = subprocess.run(
        [sys.executable, "-v", "-c", "import app"],
        cwd=deployment.package,
        env={
            **bed.environment,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert bed.aws.actions() == ["kms:Decrypt"]
    here = re.escape(str(deployment.package))
    assert re.findall(rf"# code object from {here}/(\S+)", run.stderr) == []
    assert "import 'botocore.auth'" in run.stderr
    assert re.findall(r"import 'botocore\.(?:client|loaders|session)'", run.stderr) == []


@pytest.mark.parametrize("name", EVENTS)
def test_every_kind_of_sign_in_becomes_the_message_that_the_builder_makes(
    name: str, deployed: Deployed
) -> None:
    happened = sign_in(name)
    settings = Settings.from_environment(deployed.deployment.environment("on_sign_in"))
    assessed = assess(read_sign_in(happened))
    ignored = (
        assessed.severity is Severity.INFO
        and assessed.sign_in.outcome is Outcome.SUCCESS
        and assessed.sign_in.event_name in settings.ignored_events
    )
    deployed.receiver.forget()
    result = deployed.function.invoke(happened)
    assert result.error is None
    assert result.value["decision"] == ("ignored" if ignored else "posted")
    expected = [] if ignored else [sign_in_message(assessed, settings, None).payload]
    assert [message.payload for message in deployed.receiver.messages] == expected


def test_a_warm_function_decrypts_once_and_keeps_its_connection(
    deployment: Deployment, bed: StageHarness
) -> None:
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment) as function:
        for _ in range(3):
            assert function.invoke(sign_in("iam-user-with-mfa")).value["decision"] == "posted"
    assert bed.aws.actions() == ["kms:Decrypt"]
    assert {message.connection for message in bed.receiver.wait_for(3)} == {1}


def test_a_warm_function_posts_an_event_once(deployment: Deployment, bed: StageHarness) -> None:
    happened = sign_in("root-without-mfa")
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment) as function:
        decisions = [function.invoke(happened).value["decision"] for _ in range(2)]
    assert decisions == ["posted", "ignored"]
    assert len(bed.receiver.posts) == 1


def test_without_a_queue_a_failed_post_is_a_function_error(
    deployment: Deployment, bed: StageHarness
) -> None:
    del bed.settings["UNDELIVERED_QUEUE"]
    bed.receiver.behave("no_service")
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment) as function:
        error = function.invoke(sign_in("root-without-mfa")).error
    assert error
    assert error["errorType"] == "WebhookDead"
    assert "python -m ops setup --stage prod --rotate-webhook" in error["errorMessage"]
    with LambdaFunction(deployment.package, "app.on_undelivered", bed.environment) as function:
        missing = function.invoke({"Records": []}).error
    assert missing
    assert missing["errorType"] == "Runtime.HandlerNotFound"


def test_what_was_parked_is_brought_once_the_webhook_works(
    deployment: Deployment, bed: StageHarness
) -> None:
    happened = [sign_in(name) for name in ("iam-user-with-mfa", "root-without-mfa", "saml-role")]
    bed.receiver.behave("no_service")
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment) as function:
        for one in happened:
            assert function.invoke(one).value["decision"] == "parked"
    bed.receiver.behave("ok")
    batch = {"Records": bed.records()}
    with LambdaFunction(deployment.package, "app.on_undelivered", bed.environment) as function:
        result = function.invoke(batch)
    assert result.error is None
    assert result.value is None
    texts = [message.payload["text"] for message in bed.receiver.messages]
    assert len(texts) == 2
    assert "root" in texts[0]
    assert "2 " in texts[1]


def test_what_stays_undelivered_fails_the_invocation(
    deployment: Deployment, bed: StageHarness
) -> None:
    bed.receiver.behave("no_service")
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment) as function:
        function.invoke(sign_in("iam-user-with-mfa"))
    batch = {"Records": bed.records()}
    with LambdaFunction(deployment.package, "app.on_undelivered", bed.environment) as function:
        error = function.invoke(batch).error
    assert error
    assert error["errorType"] == "StillUndelivered"


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
    older_boto3: Path, deployment: Deployment, bed: StageHarness, tmp_path: Path
) -> None:
    # Lambda's runtime lags behind, and the package's urllib3 is newer than the one it came with.
    runtime = link_runtime(tmp_path / "runtime")
    path = {"PYTHONPATH": f"{deployment.package}:{older_boto3}:{runtime}"}
    with LambdaFunction(deployment.package, "app.on_sign_in", bed.environment | path) as function:
        assert function.invoke(sign_in("root-without-mfa")).value["decision"] == "posted"
        assert f"Botocore/{OLDER_BOTO3}" in bed.aws.calls[-1].user_agent
        bed.receiver.behave("no_service")
        assert function.invoke(sign_in("root-without-mfa")).value["decision"] == "parked"
    bed.receiver.behave("ok")
    batch = {"Records": bed.records()}
    with LambdaFunction(
        deployment.package, "app.on_undelivered", bed.environment | path
    ) as function:
        assert function.invoke(batch).error is None
    assert len(bed.receiver.messages) == 2
