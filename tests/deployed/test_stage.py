"""The deployed package: what `chalice deploy` makes of it, and from event to received message."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
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
from playground.aws.settings import provision
from playground.catalogue import renewed
from playground.slack.certificates import Certificates
from playground.slack.receiver import Receiver
from tests.support import event_bridge
from tests.support.records import EVENTS, event
from tests.support.strict_aws import StrictAws

pytestmark = pytest.mark.xdist_group("deployed stage")
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
    aws: StrictAws, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployed]:
    with Receiver(tls=certificates.good) as receiver:
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
    assert sorted(function["FunctionName"] for function in at_home) == [FUNCTION, CONSUMER]
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
                "sqs:SendMessage",  # what was possibly posted goes back with a mark
            },
        ),
    ],
)
def test_a_role_may_do_what_its_function_needs_and_no_more(
    function: str, of_the_queue: set[str], deployed: Deployed
) -> None:
    by_action = {statement["Action"]: statement for statement in statements(deployed, function)}
    of_the_log = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert set(by_action) == {"kms:Decrypt"} | of_the_log | of_the_queue
    assert all(statement["Effect"] == "Allow" for statement in by_action.values())
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


@pytest.mark.parametrize(
    ("source", "detail_type"),
    [
        ("aws.iam", "AWS API Call via CloudTrail"),
        ("aws.sso", "AWS Service Event via CloudTrail"),
        ("aws.sts", "AWS API Call via CloudTrail"),
        ("aws.health", "AWS Health Event"),
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
    kinds = {resource["resource_type"] for resource in deployed.deployment.deployed["resources"]}
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
    assert deployed.deployment.package_bytes < 1_150_000


def test_every_kind_of_sign_in_reaches_the_function_and_becomes_the_builders_message(
    deployed: Deployed,
) -> None:
    settings = Settings.from_environment(deployed.deployment.environment("on_sign_in"))
    arn = deployed.deployment.functions["on_sign_in"]["FunctionArn"]
    for name in EVENTS:
        happened = sign_in(name)
        reads = happened["detail"].get("readOnly") is True  # those need the rule of `setup`
        reached = event_bridge.invoked(deployed.aws.client, happened, "us-east-1")
        assert reached == ([] if reads else [arn]), name
        assessed = assess(read_sign_in(happened))
        is_ignored = (
            assessed.severity is Severity.INFO
            and assessed.sign_in.outcome is Outcome.SUCCESS
            and assessed.sign_in.event_name in settings.ignored_events
        )
        deployed.receiver.forget()
        result = deployed.function.invoke(happened)
        assert result.error is None, name
        assert result.value["decision"] == ("ignored" if is_ignored else "posted"), name
        expected = [] if is_ignored else [sign_in_message(assessed, settings, None).payload]
        assert [message.payload for message in deployed.receiver.messages] == expected, name
