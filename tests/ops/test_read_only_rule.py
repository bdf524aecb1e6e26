"""The rule that brings `aws login`, which Chalice's own rule does not match."""

import json
from typing import Any

import boto3
import pytest

from chalicelib.signin.events import ALL_EVENTS, READ_ONLY_PATTERN
from ops.account import Account
from ops.resources.read_only_rule import ReadOnlyRule
from playground.aws.embedded import ACCOUNT_ID
from tests.support.cli import WEBHOOK, Cli
from tests.support.event_bridge import invoked
from tests.support.records import event
from tests.support.strict_aws import StrictAws

NAME = "signin-monitor-prod-read-only"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:signin-monitor-prod-on_sign_in"
SETUP = ("setup", "--stage", "prod", "--yes", "--home-region-only")


def reached(aws: StrictAws) -> list[str]:
    """Return whom an `aws login` in the home region reaches."""
    return invoked(aws.client, event("aws-login-authorized"), "us-east-1")


def rules(aws: StrictAws) -> list[str]:
    return [rule["Name"] for rule in aws.client("events").list_rules()["Rules"]]


def deploy(cli: Cli) -> None:
    answer = cli.chalice("deploy", "--stage", "prod")
    assert answer.status == 0, answer.text


@pytest.fixture
def rule(aws: StrictAws, monkeypatch: pytest.MonkeyPatch) -> ReadOnlyRule:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    session = boto3.Session("operator", "secret", region_name="us-east-1")
    account = Account(session=session, account_id=ACCOUNT_ID, partition="aws", region="us-east-1")
    return ReadOnlyRule(account, "prod")


def test_aws_login_reaches_the_function_whichever_of_setup_and_deploy_comes_last(
    cli: Cli, aws: StrictAws
) -> None:
    cli.set_up()
    assert reached(aws) == []
    for _ in range(2):
        deploy(cli)
        assert reached(aws) == [FUNCTION]
    events = aws.client("events")
    events.remove_targets(Rule=NAME, Ids=["on_sign_in"])
    events.delete_rule(Name=NAME)
    deploy(cli)
    assert reached(aws) == []
    cli.set_up()
    assert reached(aws) == [FUNCTION]
    assert "Nothing to do" in cli.ops(*SETUP).text


@pytest.mark.parametrize(
    "changed",
    [
        {"State": "DISABLED", "EventPattern": json.dumps(READ_ONLY_PATTERN)},
        {"State": "ENABLED", "EventPattern": json.dumps(READ_ONLY_PATTERN)},
        {"State": ALL_EVENTS, "EventPattern": '{"source": ["aws.signin"]}'},
    ],
)
def test_setup_makes_a_changed_rule_as_it_was(
    changed: dict[str, Any], cli: Cli, aws: StrictAws
) -> None:
    aws.client("events").put_rule(Name=NAME, **changed)
    cli.set_up()
    found = aws.client("events").describe_rule(Name=NAME)
    assert found["State"] == ALL_EVENTS
    assert json.loads(found["EventPattern"]) == READ_ONLY_PATTERN


def test_a_rule_of_cloudformations_that_matches_all_events_needs_no_second(
    cli: Cli, aws: StrictAws
) -> None:
    name = "signin-monitor-prod-on_sign_in-event"
    aws.client("events").put_rule(
        Name=name,
        EventPattern='{"source": ["aws.signin"]}',
        State=ALL_EVENTS,
    )
    cli.set_up()
    assert rules(aws) == [name]


def test_teardown_leaves_a_rule_of_that_name_that_setup_did_not_make(
    cli: Cli, aws: StrictAws
) -> None:
    cli.ops(*SETUP, stdin=f"{WEBHOOK}\n")
    aws.client("events").untag_resource(
        ResourceARN=aws.client("events").describe_rule(Name=NAME)["Arn"],
        TagKeys=["signin-monitor"],
    )
    cli.ops("teardown", "--stage", "prod", "--yes")
    assert rules(aws) == [NAME]


def test_a_refusal_after_the_deploy_is_one_sentence_with_its_remedy(
    rule: ReadOnlyRule, aws: StrictAws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.deny("events:DescribeRule")
    rule.connect_after_deploy()
    (line,) = capsys.readouterr().err.splitlines()
    assert "AWS denies events:DescribeRule" in line
    assert line.endswith("Then: python -m ops setup --stage prod")


def test_a_permission_that_was_given_before_is_no_refusal(
    rule: ReadOnlyRule, aws: StrictAws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.client("events").put_rule(Name=NAME, EventPattern=json.dumps(READ_ONLY_PATTERN))
    aws.fail("lambda:AddPermission", "ResourceConflictException", status=409)
    rule.connect_after_deploy()
    assert aws.actions()[-1] == "lambda:AddPermission"
    assert capsys.readouterr().err == ""
