"""The CloudFormation template for the other accounts of an organisation."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.settings import Settings
from chalicelib.signin.events import ALL_EVENTS, SIGN_IN_PATTERN
from playground.aws.deployment import PROJECT
from playground.aws.embedded import ACCOUNT_ID, EmbeddedAws

TEMPLATE = PROJECT / "ops" / "forward-sign-ins.yaml"
BUS = "arn:aws:events:us-east-1:111122223333:event-bus/default"
NAME = "signin-monitor-prod-org-forward"

# moto passes over the handle that keeps the stack from being empty, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


def stack(aws: EmbeddedAws, region: str, bus: str = BUS, **parameters: str) -> None:
    aws.client("cloudformation", region).create_stack(
        StackName="forward",
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in {"HomeBusArn": bus, **parameters}.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def targets(aws: EmbeddedAws, region: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = aws.client("events", region).list_targets_by_rule(Rule=NAME)[
            "Targets"
        ]
    except ClientError:
        return []
    return found


def test_cfn_lint_has_nothing_to_say() -> None:
    lint = [str(Path(sys.executable).with_name("cfn-lint")), "-t", str(TEMPLATE)]
    regions = ("-r", "us-east-1", "eu-west-1", "ap-northeast-2", "us-gov-west-1", "cn-north-1")
    run = subprocess.run([*lint, *regions], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("", 0)


def test_each_region_of_a_member_account_sends_straight_to_the_home_bus(aws: EmbeddedAws) -> None:
    for region in ("us-east-1", "eu-west-1"):
        stack(aws, region)
        (target,) = targets(aws, region)
        assert target["Arn"] == BUS
        assert target["RoleArn"] == f"arn:aws:iam::{ACCOUNT_ID}:role/signin-monitor-prod-{region}"
        rule = aws.client("events", region).describe_rule(Name=NAME)
        assert json.loads(rule["EventPattern"]) == SIGN_IN_PATTERN
        assert rule["State"] == ALL_EVENTS


def test_no_regions_forward_depends_on_another_regions_stack(aws: EmbeddedAws) -> None:
    stack(aws, "eu-west-1")
    iam, name = aws.client("iam"), "signin-monitor-prod-eu-west-1"
    assert [role["RoleName"] for role in iam.list_roles()["Roles"]] == [name]
    granted = str(iam.get_role_policy(RoleName=name, PolicyName="forward")["PolicyDocument"])
    assert granted.count("Action") == granted.count("events:PutEvents") == granted.count(BUS) == 1


@pytest.mark.parametrize("role_region", ["us-east-1", "none"])
def test_the_role_of_the_release_before_stays_only_for_an_update(
    aws: EmbeddedAws, role_region: str
) -> None:
    stack(aws, "us-east-1", RoleRegion=role_region)
    names = {role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]}
    assert ("signin-monitor-prod-forward" in names) == (role_region == "us-east-1")


def test_any_stage_that_can_be_deployed_fits_the_template() -> None:
    longest = "x" * 32
    assert Settings.from_environment({"STAGE": longest, "WEBHOOK_URL_ENCRYPTED": "AAAA"})
    _, pattern = re.findall(r"AllowedPattern: (.*)", TEMPLATE.read_text())
    assert re.fullmatch(pattern, longest)


def test_the_account_that_monitors_gets_nothing(aws: EmbeddedAws) -> None:
    home = BUS.replace("111122223333", ACCOUNT_ID)
    stack(aws, "us-east-1", home)
    stack(aws, "eu-west-1", home)
    assert targets(aws, "us-east-1") == targets(aws, "eu-west-1") == []
    assert not aws.client("iam").list_roles()["Roles"]


def test_the_example_of_a_service_control_policy_fits_and_spares_stacksets() -> None:
    policy = json.loads((PROJECT / "docs/examples/service-control-policy.json").read_text())
    assert len(json.dumps(policy, separators=(",", ":"))) <= 5_120  # "Quotas", AWS Organizations
    for statement in policy["Statement"]:
        excepted = str(statement["Condition"]["ArnNotLike"])
        if "events:RemovePermission" in statement["Action"]:
            assert statement["Resource"] == "*"  # it knows no other
        makes_forwards = {"events:PutRule", "iam:PutRolePolicy"} & set(statement["Action"])
        assert ("stacksets-exec-*" in excepted) == bool(makes_forwards)
