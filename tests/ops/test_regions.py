import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.signin.events import ALL_EVENTS, SIGN_IN_PATTERN
from playground.aws.embedded import ACCOUNT_ID, EmbeddedAws
from tests.support import deployed_stage
from tests.support.cli import WEBHOOK, Cli
from tests.support.strict_aws import StrictAws

HOME_BUS = f"arn:aws:events:us-east-1:{ACCOUNT_ID}:event-bus/default"
NAME = "signin-monitor-prod-forward"
ORGANIZATION = "o-a1b2c3d4e5"


def others(aws: EmbeddedAws) -> list[str]:
    regions = aws.client("ec2").describe_regions()["Regions"]
    return [
        region["RegionName"]
        for region in regions
        if region["RegionName"] != "us-east-1" and region["OptInStatus"] != "not-opted-in"
    ]


def rule(aws: EmbeddedAws, region: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = aws.client("events", region).describe_rule(Name=NAME)
    except ClientError:
        return None
    return found


def bus_policy(aws: EmbeddedAws) -> list[dict[str, Any]]:
    policy = json.loads(aws.client("events").describe_event_bus().get("Policy") or "{}")
    statements: list[dict[str, Any]] = policy.get("Statement", [])
    return statements


def apply(cli: Cli, *options: str) -> None:
    answer = cli.ops("regions", "--stage", "prod", "--apply", "--yes", *options)
    assert answer.status == 0, answer.text


def test_every_region_forwards_what_the_app_asks_for_to_the_home_bus(
    cli: Cli, aws: EmbeddedAws
) -> None:
    apply(cli)
    for region in others(aws):
        found = rule(aws, region)
        assert found
        assert found["State"] == ALL_EVENTS
        assert json.loads(found["EventPattern"]) == SIGN_IN_PATTERN
        (target,) = aws.client("events", region).list_targets_by_rule(Rule=NAME)["Targets"]
        assert target["Arn"] == HOME_BUS
        assert target["RoleArn"] == f"arn:aws:iam::{ACCOUNT_ID}:role/{NAME}"
    assert rule(aws, "us-east-1") is None
    assert rule(aws, "me-central-1") is None  # it is not enabled


def test_the_role_may_send_to_the_home_bus_and_nothing_else(cli: Cli, aws: EmbeddedAws) -> None:
    apply(cli)
    iam = aws.client("iam")
    (granted,) = iam.get_role_policy(RoleName=NAME, PolicyName=NAME)["PolicyDocument"]["Statement"]
    assert granted == {"Effect": "Allow", "Action": "events:PutEvents", "Resource": HOME_BUS}
    (trust,) = iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT_ID}}


def test_without_an_order_regions_only_shows(cli: Cli, aws: EmbeddedAws) -> None:
    answer = cli.ops("regions", "--stage", "prod")
    assert answer.status == 0
    assert answer.text.count("not covered") == len(others(aws))
    assert not aws.client("iam").list_roles()["Roles"]


def test_setup_makes_the_forwards_too(cli: Cli, aws: EmbeddedAws) -> None:
    arguments = ("setup", "--stage", "prod", "--yes")
    answer = cli.ops(*arguments, stdin=f"{WEBHOOK}\n")
    assert answer.status == 0, answer.text
    assert all(rule(aws, region) for region in others(aws))
    assert "Nothing to do" in cli.ops(*arguments).text


@pytest.mark.parametrize(
    "change", ["disabled", "no read-only events", "other pattern", "no target", "no role"]
)
def test_a_forward_that_was_changed_is_seen_and_restored(
    cli: Cli, aws: EmbeddedAws, change: str
) -> None:
    apply(cli)
    events = aws.client("events", "eu-west-1")
    match change:
        case "disabled":
            events.disable_rule(Name=NAME)
        case "no read-only events":
            events.enable_rule(Name=NAME)
        case "other pattern":
            events.put_rule(Name=NAME, EventPattern='{"source": ["aws.ec2"]}')
        case "no target":
            events.remove_targets(Rule=NAME, Ids=["home"])
        case "no role":
            events.put_targets(Rule=NAME, Targets=[{"Id": "home", "Arn": HOME_BUS}])
    seen = cli.ops("regions", "--stage", "prod").text
    assert [line.split()[0] for line in seen.splitlines() if "not covered" in line] == ["eu-west-1"]
    apply(cli)
    assert "not covered" not in cli.ops("regions", "--stage", "prod").text


def test_a_role_that_lost_its_right_gets_it_back(cli: Cli, aws: EmbeddedAws) -> None:
    apply(cli)
    iam = aws.client("iam")
    iam.delete_role_policy(RoleName=NAME, PolicyName=NAME)
    apply(cli)
    assert iam.get_role_policy(RoleName=NAME, PolicyName=NAME)


@pytest.mark.parametrize("action", ["events:ListRuleNamesByTarget", "events:PutRule"])
def test_a_region_that_a_policy_denies_is_named_and_the_others_forward(
    cli: Cli, aws: StrictAws, action: str
) -> None:
    aws.deny(action, region="sa-east-1")
    answer = cli.ops("regions", "--stage", "prod", "--apply", "--yes")
    assert re.search(rf"sa-east-1\W.*AWS denies {action}", answer.text)
    assert [region for region in others(aws) if rule(aws, region) is None] == ["sa-east-1"]
    assert "Traceback" not in answer.text


def test_only_what_was_made_here_is_taken_away(cli: Cli, aws: EmbeddedAws) -> None:
    apply(cli)
    foreign = aws.client("events", "sa-east-1")
    foreign.remove_targets(Rule=NAME, Ids=["home"])
    foreign.delete_rule(Name=NAME)
    foreign.put_rule(Name=NAME, EventPattern=json.dumps(SIGN_IN_PATTERN))
    foreign.put_rule(Name="theirs", EventPattern=json.dumps(SIGN_IN_PATTERN))
    answer = cli.ops("regions", "--stage", "prod", "--remove", "--yes")
    assert answer.status == 0, answer.text
    assert [region for region in others(aws) if rule(aws, region)] == ["sa-east-1"]
    assert foreign.describe_rule(Name="theirs")
    assert not aws.client("iam").list_roles()["Roles"]


def test_an_organisations_accounts_may_send_sign_ins_and_nothing_else(
    cli: Cli, aws: EmbeddedAws
) -> None:
    apply(cli, "--organization", ORGANIZATION)
    (statement,) = bus_policy(aws)
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == "events:PutEvents"
    assert statement["Resource"] == HOME_BUS
    assert statement["Condition"] == {
        "StringEquals": {"aws:PrincipalOrgID": ORGANIZATION},
        "ForAllValues:StringEquals": {"events:source": "aws.signin"},
    }


def test_other_statements_of_the_bus_policy_stay(cli: Cli, aws: EmbeddedAws) -> None:
    aws.client("events").put_permission(
        Action="events:PutEvents", Principal="111122223333", StatementId="theirs"
    )
    apply(cli, "--organization", ORGANIZATION)
    assert len(bus_policy(aws)) == 2
    again = cli.ops(*("regions", "--stage", "prod", "--apply", "--organization", ORGANIZATION))
    assert "Nothing to do." in again.text
    cli.ops("regions", "--stage", "prod", "--remove", "--yes")
    assert [statement["Sid"] for statement in bus_policy(aws)] == ["theirs"]


def test_a_region_that_somebody_elses_rule_forwards_is_left_alone(
    cli: Cli, aws: EmbeddedAws
) -> None:
    """As a team's Terraform makes it: doctor and regions say the same of it."""
    deployment = deployed_stage.build(aws)
    cli.project.configure("prod", deployed_stage.variables(aws, deployment))
    seen = cli.ops("regions", "--stage", "prod").text
    assert seen.count("forwards") == len(others(aws)) == 2
    apply(cli)
    assert [rule(aws, region) for region in others(aws)] == [None, None]
    aws.client("events", "eu-west-1").disable_rule(Name="forward")
    for command in ("regions", "doctor"):
        run = cli.ops(command, "--stage", "prod")
        assert "which forwards the sign-ins in eu-west-1, is disabled" in run.text
