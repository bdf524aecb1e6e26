"""`python -m ops doctor`, run as a process against an embedded account."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.health.deployment import Deployment
from ops.account import Account
from ops.checks import wait
from ops.resources.alarms import Alarms
from playground.aws import cloudtrail, iam
from playground.aws.embedded import EmbeddedAws
from playground.slack.receiver import Receiver
from tests.support import deployed_stage
from tests.support.cli import Answer, Cli
from tests.support.records import event, happened
from tests.support.strict_aws import StrictAws

assert iam  # teaches moto to simulate policies


@pytest.fixture
def deployment(
    aws: EmbeddedAws, cli: Cli, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Deployment:
    deployment = deployed_stage.build(aws, receiver.url, WEBHOOK_HOSTS=receiver.host)
    cli.project.configure("prod", deployed_stage.variables(aws, deployment))
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    alarms = Alarms(Account.open(None, "us-east-1"), "prod")
    for step in alarms.steps(deployment.settings, "security@example.com"):
        step.apply()
    return deployment


def doctor(cli: Cli, *options: str) -> Answer:
    return cli.ops("doctor", "--stage", "prod", *options)


def faults(output: str) -> list[str]:
    return [line.split()[1] for line in output.splitlines() if line.startswith("FAULT")]


@pytest.mark.usefixtures("deployment")
def test_a_whole_stage_has_no_fault(cli: Cli) -> None:
    run = doctor(cli)
    assert run.status == 0, run.text
    assert not faults(run.text)
    doubts = [line for line in run.text.splitlines() if line.startswith("?")]
    assert doubts == ["?      webhook              not tried: --post-test does"]
    assert run.text.splitlines()[-1].endswith(" ok, 0 faults, 1 not checked")


def test_an_empty_account_shows_every_gap_with_its_remedy(cli: Cli) -> None:
    run = doctor(cli)
    assert run.status == 1
    assert faults(run.text) == [
        "settings",
        "trail",
        "forward",
        "key",
        "alarms",
    ]
    for remedy in (
        "python -m ops setup --stage prod",
        "python -m ops regions --stage prod --apply",
        "prod is not deployed yet. Next: chalice deploy --stage prod",
        "cloudtrailv2/home?region=us-east-1#/create",
    ):
        assert remedy in run.text


@pytest.mark.usefixtures("deployment")
def test_a_fault_is_reported_in_a_sentence_with_its_remedy_below(
    aws: EmbeddedAws, cli: Cli
) -> None:
    aws.client("cloudtrail").stop_logging(Name=deployed_stage.TRAIL)
    lines = doctor(cli).text.splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("FAULT")]
    assert "The trail all-regions is not logging" in lines[number]
    remedy = "aws cloudtrail start-logging --region us-east-1 --name all-regions"
    assert lines[number + 1].strip() == remedy


@pytest.mark.usefixtures("deployment")
def test_a_role_that_cannot_do_its_work_is_named_with_its_remedy(
    aws: EmbeddedAws, cli: Cli
) -> None:
    iam = aws.client("iam")
    function, forward = "signin-monitor-prod-on_sign_in", deployed_stage.FORWARD_ROLE
    nobody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    untrusted = json.dumps({"Version": "2012-10-17", "Statement": [nobody]})
    changes: list[tuple[str, str, Any]] = [
        (
            "The role {} lacks permissions that it needs",
            "python -m ops policies --stage prod",
            lambda role: iam.delete_role_policy(RoleName=role, PolicyName=role),
        ),
        (
            "The role {} does not trust",
            f"aws iam update-assume-role-policy --region us-east-1 --role-name {function} ",
            lambda role: iam.update_assume_role_policy(RoleName=role, PolicyDocument=untrusted),
        ),
        ("The role {} is missing", "", lambda role: iam.delete_role(RoleName=role)),
    ]
    for said, remedy_of_function, change in changes:
        change(function)
        change(forward)
        run = doctor(cli)
        assert faults(run.text) == ["role", "role"]
        assert said.format(function) in run.text
        assert said.format(forward) in run.text
        assert remedy_of_function in run.text
        assert "python -m ops regions --stage prod --apply" in run.text


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("Organizations", "?", "a service control policy of the organization denies kms:Decrypt"),
        ("PermissionsBoundary", "FAULT", "The permissions boundary of the role signin-monitor-"),
    ],
)
def test_what_stands_above_a_role_is_blamed_and_not_the_role(
    cli: Cli, aws: StrictAws, kind: str, status: str, said: str
) -> None:
    detail = (
        f"<{kind}DecisionDetail><AllowedBy{kind}>false</AllowedBy{kind}></{kind}DecisionDetail>"
    )
    answer = (
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>"
        "<member><EvalActionName>kms:Decrypt</EvalActionName><EvalDecision>implicitDeny"
        f"</EvalDecision>{detail}</member></EvaluationResults></SimulatePrincipalPolicyResult>"
        "</SimulatePrincipalPolicyResponse>"
    )
    headers = {"Content-Type": "text/xml"}
    aws.answer("iam:SimulatePrincipalPolicy", 200, headers, answer.encode())
    lines = doctor(cli).text.splitlines()
    assert {tuple(line.split()[:2]) for line in lines if said in line} == {(status, "role")}
    asked = next(call for call in aws.calls if call.action == "iam:SimulatePrincipalPolicy")
    assert {"aws:RequestedRegion", "aws:PrincipalArn"} < set(asked.parameters.values())


@pytest.mark.usefixtures("deployment")
def test_a_queue_that_would_lose_something_is_named(aws: EmbeddedAws, cli: Cli) -> None:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=deployed_stage.QUEUE)["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"signin-monitor": "prod"})
    assert cli.ops("setup", "--stage", "prod", "--home-region-only", "--yes").status == 0
    nobody = '{"Version": "2012-10-17", "Statement": []}'
    changes = {"MessageRetentionPeriod": "60", "VisibilityTimeout": "5", "Policy": nobody}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=changes)
    run = doctor(cli)
    assert "undelivered" in faults(run.text)
    said = run.text[run.text.index("differs from what setup makes") :]
    assert all(attribute in said for attribute in changes)


@pytest.mark.usefixtures("deployment")
def test_an_alarm_that_does_nothing_or_is_gone_is_a_fault(aws: EmbeddedAws, cli: Cli) -> None:
    cloudwatch, names = aws.client("cloudwatch"), ["signin-monitor-prod-failed"]
    for change in (cloudwatch.disable_alarm_actions, cloudwatch.delete_alarms):
        change(AlarmNames=names)
        assert faults(doctor(cli).text) == ["alarms"]


@pytest.mark.usefixtures("deployment")
def test_where_no_region_may_be_read_no_sign_ins_are_counted(cli: Cli, aws: StrictAws) -> None:
    aws.deny("cloudtrail:LookupEvents")
    run = doctor(cli)
    assert run.status == 0
    assert "0 events" not in run.text
    assert "cloudtrail:LookupEvents is denied" in run.text


@pytest.mark.usefixtures("deployment")
def test_an_action_that_is_denied_is_named_with_its_service(cli: Cli, aws: StrictAws) -> None:
    denied = ("cloudwatch:DescribeAlarms", "iam:GetRole", "sqs:ListQueueTags")
    for action in denied:
        aws.deny(action)
    run = doctor(cli)
    assert run.status == 0
    assert all(f"{action} is denied" in run.text for action in denied)


@pytest.mark.usefixtures("deployment")
def test_alarms_that_nobody_hears_are_named(aws: EmbeddedAws, cli: Cli) -> None:
    sns = aws.client("sns")
    for subscription in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    run = doctor(cli)
    assert run.status == 0
    assert "signin-monitor-prod-alarms has no confirmed subscriber" in run.text
    assert "python -m ops setup --stage prod --alarm-email ADDRESS" in run.text


@pytest.mark.usefixtures("deployment")
def test_the_sign_ins_of_the_last_days_are_counted_by_region(aws: EmbeddedAws, cli: Cli) -> None:
    for region in ("us-east-1", "eu-west-1", "eu-west-1"):
        root = happened(event("root-without-mfa"), datetime.now(UTC))
        cloudtrail.remember(aws.url, root, region=region)
    cloudtrail.refuse(aws.url, "sa-east-1", "AccessDeniedException")
    run = doctor(cli)
    assert "3 events in 2 regions in the last 3 days" in run.text
    assert "cloudtrail:LookupEvents is denied (sa-east-1)" in run.text
    assert run.status == 0


@pytest.mark.usefixtures("deployment")
def test_a_test_message_is_posted_when_asked_for(cli: Cli, receiver: Receiver) -> None:
    run = doctor(cli, "--post-test")
    assert run.status == 0, run.text
    (post,) = receiver.messages
    assert post.payload["text"].startswith("Test message: signin-monitor (stage prod)")


@pytest.mark.usefixtures("deployment")
def test_a_dead_webhook_is_reported_and_stays_secret(cli: Cli, receiver: Receiver) -> None:
    receiver.behave("no_service", 1)
    run = doctor(cli, "--post-test")
    assert run.status == 1
    assert faults(run.text) == ["webhook"]
    assert "python -m ops setup --stage prod --rotate-webhook" in run.text
    assert receiver.path not in run.text


@pytest.mark.usefixtures("deployment")
def test_machines_get_json(aws: EmbeddedAws, cli: Cli) -> None:
    aws.client("events", "eu-west-1").disable_rule(Name="forward")
    run = doctor(cli, "--json")
    assert run.status == 1
    results: list[dict[str, Any]] = json.loads(run.text)["checks"]
    assert [result for result in results if result["status"] == "fault"] == [
        {
            "check": "forward",
            "status": "fault",
            "code": "forward_disabled",
            "resource": "forward",
            "region": "eu-west-1",
            "handler": None,
            "facts": {},
            "remedy": "aws events enable-rule --region eu-west-1 --name forward",
            "sentence": "The rule forward, which forwards the sign-ins in eu-west-1, is disabled.",
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--stage", "nosuch"), "has no stage nosuch"),
        (("--stage", "prod", "--profile", "nosuch"), "nosuch"),
        ((), "--stage"),
    ],
)
def test_what_cannot_be_looked_at_exits_2_in_a_sentence(
    cli: Cli, arguments: tuple[str, ...], said: str
) -> None:
    run = cli.ops("doctor", *arguments)
    assert run.status == 2
    assert said in run.text
    assert "Traceback" not in run.text


@pytest.mark.usefixtures("deployment")
def test_waiting_ends_with_the_decision_of_a_real_sign_in(
    aws: EmbeddedAws, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign_in(_: float) -> None:
        group = {
            "logGroupName": "/aws/lambda/signin-monitor-prod-on_sign_in",
            "logStreamName": "a",
        }
        logs = aws.client("logs")
        logs.create_log_stream(**group)
        now = int(datetime.now(UTC).timestamp() * 1000)
        line = {"decision": "posted", "event_name": "ConsoleLogin", "delay_ms": 61_000}
        lines = [{"timestamp": now, "message": message} for message in ("START", json.dumps(line))]
        logs.put_log_events(**group, logEvents=lines)

    monkeypatch.setattr(wait, "sleep", sign_in)
    run = doctor(cli, "--wait")
    assert run.status == 0
    assert run.text.splitlines()[-1] == "ConsoleLogin was posted 61 s after it."


@pytest.mark.usefixtures("deployment")
def test_waiting_in_vain_names_the_part_that_did_not_answer(
    aws: EmbeddedAws, cli: Cli, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wait, "SECONDS", 0)
    run = doctor(cli, "--wait")
    assert (run.status, "CloudTrail has recorded no sign-in" in run.text) == (1, True)
    clients, since = deployed_stage.clients(aws), datetime.now(UTC) - timedelta(minutes=1)
    for region, part in (
        ("us-east-1", "in us-east-1, but signin-monitor-prod-on_sign_in decided nothing"),
        ("eu-west-1", "but it did not reach signin-monitor-prod-on_sign_in"),
    ):
        root = happened(event("root-without-mfa"), datetime.now(UTC))
        cloudtrail.remember(aws.url, root, region=region)
        assert part in wait.first_silent_part(deployment, clients, since)
