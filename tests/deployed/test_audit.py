"""The MFA audit as AWS would run it: deployed, on its schedule, to the message that arrives."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto.iam.models import IAMBackend

from playground.aws.deployment import Deployment
from playground.aws.embedded import ACCOUNT_ID
from playground.aws.runtime import LambdaFunction
from playground.aws.settings import provision
from playground.slack.receiver import Receiver
from tests.support.in_process import Project
from tests.support.report_rows import ALICE, HEADER, ROOT, changed
from tests.support.strict_aws import StrictAws

pytestmark = pytest.mark.xdist_group("deployed audit")
WEEKLY = "cron(0 9 ? * MON *)"
NAME = "signin-monitor-prod-audit_mfa"
SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": ACCOUNT_ID,
    "time": "2026-06-01T09:00:00Z",
    "region": "us-east-1",
    "resources": [f"arn:aws:events:us-east-1:{ACCOUNT_ID}:rule/{NAME}-event"],
    "detail": {},
}


@pytest.fixture(scope="module")
def deployment(
    aws: StrictAws, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    project = Project(tmp_path_factory.mktemp("audit"))
    for stage, schedule in {"prod": WEEKLY, "dev": ""}.items():
        settings = provision(stage, aws=aws, receiver=receiver)
        project.configure(stage, settings | {"MFA_AUDIT_SCHEDULE": schedule})
    project.deploy("dev", aws=aws)
    deployment = project.deploy("prod", aws=aws)
    let_queues_be(aws)
    return deployment


def let_queues_be(aws: StrictAws) -> None:
    """Keep moto from starting Docker for what comes into a queue."""
    lambda_ = aws.client("lambda")
    for mapping in lambda_.list_event_source_mappings()["EventSourceMappings"]:
        lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


@pytest.fixture
def function(aws: StrictAws, deployment: Deployment) -> Iterator[LambdaFunction]:
    environment = aws.function_environment(NAME)
    with LambdaFunction(deployment.package, "app.audit_mfa", environment) as function:
        yield function


@pytest.fixture(scope="module")
def people(aws: StrictAws) -> None:
    """Make three users: one with a password and MFA, one with a password alone, one without."""
    aws.make_user("careful", has_password=True, has_mfa=True)
    aws.make_user("careless", has_password=True)
    aws.make_user("robot")


@pytest.fixture(autouse=True)
def nothing_posted(receiver: Receiver) -> None:
    receiver.forget()


def rights(aws: StrictAws, handler: str) -> set[str]:
    name = f"signin-monitor-prod-{handler}"
    policy = aws.client("iam").get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"]
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def names_of(aws: StrictAws, stage: str) -> set[str]:
    functions = aws.client("lambda").list_functions()["Functions"]
    rules = aws.client("events").list_rules()["Rules"]
    roles = aws.client("iam").list_roles()["Roles"]
    names = [function["FunctionName"] for function in functions]
    names += [rule["Name"] for rule in rules] + [role["RoleName"] for role in roles]
    return {name for name in names if name.startswith(f"signin-monitor-{stage}-")}


def test_a_stage_with_a_schedule_has_the_rule_its_target_and_its_permission(
    aws: StrictAws, deployment: Deployment
) -> None:
    function = deployment.functions["audit_mfa"]["FunctionArn"]
    events, lambda_ = aws.client("events"), aws.client("lambda")
    (rule,) = events.list_rule_names_by_target(TargetArn=function)["RuleNames"]
    assert events.describe_rule(Name=rule)["ScheduleExpression"] == WEEKLY
    policy = json.loads(lambda_.get_policy(FunctionName=NAME)["Policy"])
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"]["ArnLike"]["AWS:SourceArn"].endswith(f":rule/{rule}")


@pytest.mark.usefixtures("deployment")
def test_a_stage_without_a_schedule_has_nothing_of_the_audit(aws: StrictAws) -> None:
    assert NAME in names_of(aws, "prod")
    assert not [name for name in names_of(aws, "dev") if "audit_mfa" in name]


@pytest.mark.usefixtures("deployment")
def test_only_the_audit_may_read_iam_and_nothing_but_the_report(aws: StrictAws) -> None:
    of_iam = {right for right in rights(aws, "audit_mfa") if right.startswith("iam:")}
    assert of_iam == {"iam:GenerateCredentialReport", "iam:GetCredentialReport"}
    others = rights(aws, "on_sign_in") | rights(aws, "on_undelivered")
    assert not [right for right in others if right.startswith("iam:")]


@pytest.mark.usefixtures("people")
def test_users_without_mfa_are_posted(function: LambdaFunction, receiver: Receiver) -> None:
    result = function.invoke(SCHEDULED)
    assert result.error is None, result.log
    found = [result.value[key] for key in ("decision", "event_name", "event_id", "account_id")]
    assert found == ["posted", "MfaAudit", SCHEDULED["id"], ACCOUNT_ID]
    (post,) = receiver.messages
    assert post.payload["text"] == (
        "[Warning] 1 of 2 console users in account 123456789012 has no MFA."
    )
    shown = json.dumps(post.payload["attachments"])
    assert "careless" in shown
    assert "careful" not in shown
    assert "robot" not in shown


def test_root_without_mfa_is_critical_in_an_account_of_five_thousand_users(
    function: LambdaFunction, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [changed(ALICE, user=f"user-{number:04}") for number in range(5_000)]
    report = "\n".join((HEADER, ROOT, *users))
    monkeypatch.setattr(IAMBackend, "get_credential_report", lambda _: report)
    result = function.invoke(SCHEDULED)
    assert result.error is None, result.log
    (post,) = receiver.messages
    assert post.payload["text"].startswith(
        "<!here> [Critical] 5001 of 5001 console users in account 123456789012 have no"
    )
    assert "+4976 more" in json.dumps(post.payload["attachments"])


@pytest.mark.usefixtures("people")
def test_an_audit_that_cannot_be_posted_waits_and_comes_back(
    function: LambdaFunction, aws: StrictAws, deployment: Deployment, receiver: Receiver
) -> None:
    receiver.behave("no_service", 1)
    assert function.invoke(SCHEDULED).value["decision"] == "parked"
    assert receiver.messages == []

    environment = deployment.environment("on_undelivered") | aws.environment
    with LambdaFunction(deployment.package, "app.on_undelivered", environment) as undelivered:
        result = undelivered.invoke({"Records": parked(aws, environment["UNDELIVERED_QUEUE"])})
    assert result.error is None, result.log
    (post,) = receiver.messages
    assert post.payload["text"].startswith(
        "[Warning] 1 of 2 console users in account 123456789012 has no MFA."
    )
    assert "careless" in json.dumps(post.payload)


def parked(aws: StrictAws, queue: str) -> list[dict[str, Any]]:
    """Take what is in a queue, as Lambda hands it over."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    return [{"body": message["Body"], "receiptHandle": message["ReceiptHandle"]}]
