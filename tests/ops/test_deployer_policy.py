"""The policy that a deployer needs, held against every call of a stage's whole life."""

import json
from typing import Any

import botocore.session

from ops.iam.deployer import deployer_policy
from playground.aws import cloudtrail, iam
from playground.aws.deployment import PROJECT
from tests.support.cli import WEBHOOK, Cli
from tests.support.strict_aws import StrictAws

assert cloudtrail  # teaches moto CloudTrail's history
assert iam  # and to simulate policies

STATEMENTS: list[dict[str, Any]] = json.loads(
    (PROJECT / "ops" / "deployer-policy.json").read_text()
)["Statement"]
IMPLIED = {  # rights that AWS asks for beside the call's own
    "iam:PassRole",
    "iam:TagRole",
    "dynamodb:TagResource",
    "events:TagResource",
    "kms:TagResource",
    "lambda:InvokeFunction",
    "lambda:TagResource",
    "sns:TagResource",
    "sqs:TagQueue",
}
# Service Authorization Reference; with a resource these would allow nothing.
NO_RESOURCE = {
    "cloudtrail:DescribeTrails",
    "cloudtrail:LookupEvents",
    "cloudwatch:GetMetricData",
    "ec2:DescribeRegions",
    "events:ListRuleNamesByTarget",
    "events:PutPermission",
    "events:RemovePermission",
    "iam:GenerateCredentialReport",
    "iam:GetCredentialReport",
    "kms:CreateKey",
    "kms:ListKeys",
    "lambda:ListEventSourceMappings",
}
EVERYWHERE = {
    "RotationOfNewKeys",  # the tag of a new key takes up to five minutes to count
    "AliasesOfSigninMonitor",  # IAM asks for the key's side as well
    "WhoMaySendToTheHomeBus",  # it has no resource
}
MODELS = {"sso": "sso-admin"}  # where botocore has another name than IAM
FREE = {"sts:GetCallerIdentity"}  # nobody needs a right for it
BOUNDARY = "arn:aws:iam::123456789012:policy/signin-monitor-boundary"


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def actions() -> set[str]:
    return {action for statement in STATEMENTS for action in listed(statement["Action"])}


def test_it_allows_every_call_from_setup_to_teardown(cli: Cli, aws: StrictAws) -> None:
    organization = ("--organization", "o-a1b2c3d4e5")
    prod = ("--stage", "prod")
    chosen = ("--baseline", "--alarm-email", "a@example.com", "--permissions-boundary", BOUNDARY)
    life = [
        (cli.ops, ("setup", *prod, "--yes", *chosen)),
        (cli.chalice, ("deploy", *prod)),
        (cli.ops, ("regions", *prod, "--apply", "--yes", *organization)),
        (cli.ops, ("setup", *prod, "--rotate-webhook", "--yes")),
        (cli.chalice, ("deploy", *prod)),
        (cli.ops, ("regions", *prod, "--remove", "--yes")),
        (cli.ops, ("baseline", *prod, "--since", "1d")),
        (cli.ops, ("baseline", *prod, "--forget", "alice", "--yes")),
        (cli.ops, ("audit",)),
        (cli.ops, ("history", "--since", "1d", "--all-regions")),
        (cli.ops, ("doctor", *prod)),
        (cli.chalice, ("delete", *prod)),
        (cli.ops, ("teardown", *prod, "--yes")),
    ]
    for command, arguments in life:
        stdin = {"stdin": f"{WEBHOOK}\n"} if arguments[0] == "setup" else {}
        answer = command(*arguments, **stdin)
        assert answer.status == (1 if arguments[0] == "doctor" else 0), answer.text
    assert {call.action for call in aws.calls} - actions() == FREE | {"kms:ScheduleKeyDeletion"}
    made = [call.parameters for call in aws.calls if call.action == "iam:CreateRole"]
    assert {role.get("PermissionsBoundary") for role in made} == {BOUNDARY}
    assert len(made) == 4  # three functions' and the forwards'


def test_with_a_boundary_it_makes_and_changes_only_roles_under_it(cli: Cli, aws: StrictAws) -> None:
    setup = ("setup", "--stage", "prod", "--yes")
    assert cli.ops(*setup, stdin=WEBHOOK).status == 0
    assert "looks like" in cli.ops(*setup, "--permissions-boundary", "boundary").text
    answer = cli.ops(*setup, "--permissions-boundary", BOUNDARY)
    assert f"put the IAM role signin-monitor-prod-forward under {BOUNDARY}: done" in answer.text
    (role,) = aws.client("iam").list_roles()["Roles"]
    bounded = aws.client("iam").get_role(RoleName=role["RoleName"])["Role"]["PermissionsBoundary"]
    assert bounded["PermissionsBoundaryArn"] == BOUNDARY
    printed = json.loads(cli.ops("policies", "--stage", "prod", "--deployer").text)
    assert printed == deployer_policy(BOUNDARY)
    changing = [
        statement
        for statement in printed["Statement"]
        if {"iam:CreateRole", "iam:PutRolePolicy"} & set(listed(statement["Action"]))
    ]
    (under,) = [statement["Condition"]["StringEquals"] for statement in changing]
    assert under == {"iam:PermissionsBoundary": BOUNDARY}
    assert len(json.dumps(printed, separators=(",", ":"))) <= 6144
    assert "iam:DeleteRolePermissionsBoundary" not in str(printed)


def test_it_deletes_no_key_for_a_tag_that_its_holder_can_set() -> None:
    assert "kms:ScheduleKeyDeletion" not in actions()


def test_it_names_each_action_and_only_real_ones() -> None:
    session = botocore.session.get_session()
    unreal = [
        action
        for action in sorted(actions() - IMPLIED)
        for service, operation in [action.split(":")]
        if operation not in session.get_service_model(MODELS.get(service, service)).operation_names
    ]
    assert unreal == []


def test_what_it_lets_change_bears_the_apps_name_or_tag() -> None:
    looks = ("Describe", "Get", "List", "Lookup")
    for statement in STATEMENTS:
        everywhere = [arn for arn in listed(statement["Resource"]) if "signin-monitor-" not in arn]
        changes = [
            action
            for action in listed(statement["Action"])
            if not action.split(":")[1].startswith(looks)
            and action != "iam:GenerateCredentialReport"
        ]
        assert (
            not (everywhere and changes)
            or "signin-monitor" in json.dumps(statement.get("Condition", {}))
            or statement["Sid"] in EVERYWHERE
        ), statement["Sid"]


def test_an_action_that_knows_no_resource_is_allowed_on_any() -> None:
    for statement in STATEMENTS:
        if NO_RESOURCE & set(listed(statement["Action"])):
            assert statement["Resource"] == "*", statement["Sid"]


def test_it_fits_into_one_managed_policy() -> None:
    whole = {"Version": "2012-10-17", "Statement": STATEMENTS}
    assert len(json.dumps(whole, separators=(",", ":"))) <= 6144
