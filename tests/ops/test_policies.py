import hashlib
import json
from collections.abc import Mapping
from typing import Any

import botocore.session
import pytest

from chalicelib import resource_names
from chalicelib.delivery.webhook import MAIN
from chalicelib.resource_names import HANDLERS
from chalicelib.settings import Settings
from ops.iam import grants
from ops.project.config_file import ConfigFile, read_settings
from ops.project.default_config import default_config
from playground.aws.deployment import PROJECT
from playground.aws.policy_evaluation import faults
from tests.support.cli import Cli

ENVIRONMENT = {
    "STAGE": "prod",
    "WEBHOOK_ENCRYPTION_CONTEXT": '{"app": "signin-monitor", "stage": "prod"}',
    "UNDELIVERED_QUEUE": "parked",
    "MFA_AUDIT_SCHEDULE": "rate(7 days)",
    "SELF_CHECK_SCHEDULE": "rate(1 hour)",
}
LOOKS = ("Describe", "Filter", "Get", "List", "Lookup", "Simulate")


def settings(**changes: str) -> Settings:
    return read_settings(ENVIRONMENT | changes)


def statements(handler: str, **changes: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = grants.document(settings(**changes), handler)["Statement"]
    return found


def decrypting(handler: str, **changes: str) -> dict[str, Any]:
    (found,) = [
        statement
        for statement in statements(handler, **changes)
        if "kms:Decrypt" in statement["Action"]
    ]
    return found


def granted(handler: str, **changes: str) -> dict[str, list[str]]:
    """Return the resources of each action."""
    return {
        action: statement["Resource"]
        for statement in statements(handler, **changes)
        for action in statement["Action"]
    }


def real(action: str) -> bool:
    service, operation = action.split(":")
    session = botocore.session.get_session()
    return operation in session.get_service_model(service).operation_names


@pytest.mark.parametrize("handler", HANDLERS)
def test_aws_has_every_action(handler: str) -> None:
    assert [action for action in granted(handler) if not real(action)] == []


@pytest.mark.parametrize("handler", HANDLERS)
def test_only_the_webhook_can_be_decrypted_and_only_as_this_stage(handler: str) -> None:
    decrypt = decrypting(handler)
    assert decrypt["Resource"] == ["arn:*:kms:*:*:key/*"]
    assert decrypt["Condition"] == {
        "StringEquals": {
            "kms:EncryptionContext:app": "signin-monitor",
            "kms:EncryptionContext:stage": "prod",
        },
    }


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_function_writes_its_own_log_and_no_other(handler: str) -> None:
    own = [f"arn:*:logs:*:*:log-group:/aws/lambda/signin-monitor-prod-{handler}:*"]
    rights = granted(handler)
    writes = {action for action in rights if action.startswith(("logs:Create", "logs:Put"))}
    assert writes == {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert all(rights[action] == own for action in writes)


@pytest.mark.parametrize(
    ("handler", "rest"),
    [
        ("on_sign_in", {"sqs:GetQueueUrl", "sqs:SendMessage"}),
        (
            "on_undelivered",
            {
                *("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
                *("sqs:GetQueueUrl", "sqs:SendMessage"),
            },
        ),
        (
            "audit_mfa",
            {
                *("iam:GenerateCredentialReport", "iam:GetCredentialReport"),
                *("sqs:GetQueueUrl", "sqs:SendMessage"),
            },
        ),
    ],
)
def test_beside_its_log_and_the_webhook_a_function_may_do_its_work_alone(
    handler: str, rest: set[str]
) -> None:
    common = {"kms:Decrypt", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert set(granted(handler)) == common | rest


def test_the_self_check_reads_and_changes_nothing() -> None:
    writes = {
        action for action in granted("self_check") if not action.split(":")[1].startswith(LOOKS)
    }
    assert writes == {
        "kms:Decrypt",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
    }


@pytest.mark.parametrize("handler", ["on_sign_in", "on_undelivered", "audit_mfa"])
def test_a_queue_right_is_for_the_stages_own_queue(handler: str) -> None:
    rights = granted(handler)
    queues = {tuple(rights[action]) for action in rights if action.startswith("sqs:")}
    assert queues == {("arn:*:sqs:*:*:parked",)}


@pytest.mark.parametrize("handler", HANDLERS)
def test_without_a_queue_there_is_no_right_to_a_queue(handler: str) -> None:
    assert not [
        action for action in granted(handler, UNDELIVERED_QUEUE="") if action.startswith("sqs:")
    ]


@pytest.mark.parametrize("in_vpc", [False, True])
def test_only_a_function_in_a_vpc_may_make_network_interfaces(cli: Cli, *, in_vpc: bool) -> None:
    if in_vpc:
        cli.edit_stage(subnet_ids=["subnet-1"], security_group_ids=["sg-1"])
    cli.ops("policies", "--stage", "prod")
    policies = [file.read_text() for file in cli.config_file.parent.glob("policy-prod*.json")]
    assert ["ec2:CreateNetworkInterface" in text for text in policies] == [in_vpc] * len(HANDLERS)


def test_without_a_context_the_webhook_is_bound_to_the_alias_alone() -> None:
    decrypt = decrypting("on_sign_in", WEBHOOK_ENCRYPTION_CONTEXT="")
    assert set(decrypt["Condition"]) == {"ForAnyValue:StringEquals"}


@pytest.mark.parametrize(
    ("changes", "handlers"),
    [
        ({}, HANDLERS),
        ({"UNDELIVERED_QUEUE": ""}, ("on_sign_in", "audit_mfa", "self_check")),
        ({"MFA_AUDIT_SCHEDULE": "", "SELF_CHECK_SCHEDULE": ""}, ("on_sign_in", "on_undelivered")),
    ],
)
def test_a_handler_is_deployed_where_the_stage_names_its_queue_or_schedule(
    changes: Mapping[str, str], handlers: tuple[str, ...]
) -> None:
    assert resource_names.deployed_handlers(settings(**changes)) == handlers


def test_handlers_that_shared_a_file_get_one_each(cli: Cli) -> None:
    config = json.loads(cli.config_file.read_text())
    config["iam_policy_file"] = "all.json"
    config["stages"]["prod"]["lambda_functions"] = {"self_check": {"iam_policy_file": "own.json"}}
    cli.config_file.write_text(json.dumps(config))
    assert cli.ops("policies", "--stage", "prod").status == 0
    functions = json.loads(cli.config_file.read_text())["stages"]["prod"]["lambda_functions"]
    assert {name: function["iam_policy_file"] for name, function in functions.items()} == {
        "on_sign_in": "policy-prod.json",
        "on_undelivered": "policy-prod-on_undelivered.json",
        "audit_mfa": "policy-prod-audit_mfa.json",
        "self_check": "own.json",
    }


def test_the_operators_own_statements_are_in_every_policy_file(cli: Cli) -> None:
    own = {
        "Sid": "Own",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*",
    }
    folder = cli.project.path / ".chalice"
    (folder / "policy-extra-prod.json").write_text(json.dumps({"Statement": [own]}))
    assert "policy-prod.json" in cli.ops("policies", "--stage", "prod", "--diff").text
    assert not (folder / "policy-prod.json").exists()
    cli.ops("policies", "--stage", "prod")
    files = [folder / grants.file_name("prod", handler) for handler in HANDLERS]
    assert all(json.loads(file.read_text())["Statement"][-1] == own for file in files)
    assert cli.ops("policies", "--stage", "prod", "--diff").text == ""
    assert "Nothing to do" in cli.ops("policies", "--stage", "prod").text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "is not JSON"),
        ("[]", "must be an IAM policy"),
        ('{"Statement": [{"Effect": "Allow", "Action": "s3:*"}]}', "allows s3:*: name each action"),
    ],
)
def test_statements_that_cannot_be_used_are_refused(cli: Cli, text: str, fault: str) -> None:
    (cli.project.path / ".chalice/policy-extra-prod.json").write_text(text)
    assert fault in cli.ops("policies", "--stage", "prod").text


def test_what_upstream_tracks_of_the_configuration_never_changes() -> None:
    default = json.dumps(default_config(), indent=2) + "\n"
    assert hashlib.sha256(default.encode()).hexdigest().startswith("16b9fc079d9dd388")
    tracked = ConfigFile.read(PROJECT / ".chalice")
    if not any(tracked.environment(stage).get(MAIN) for stage in tracked.stages):
        assert tracked.path.read_text() == default  # this clone is not set up


@pytest.mark.parametrize("handler", ["on_sign_in", "on_undelivered", "self_check"])
def test_who_posts_sign_ins_may_update_the_baseline_and_do_nothing_else_to_it(
    handler: str,
) -> None:
    table = ["arn:*:dynamodb:*:*:table/people"]
    of_table = {
        action: resources
        for action, resources in granted(handler, BASELINE_TABLE="people").items()
        if action.startswith("dynamodb:")
    }
    looks = {"dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"}
    expected = {"dynamodb:UpdateItem", *(looks if handler == "self_check" else ())}
    assert of_table == dict.fromkeys(expected, table)


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_example_of_a_permissions_boundary_leaves_each_function_its_rights(
    handler: str,
) -> None:
    bounds = json.loads((PROJECT / "docs/examples/permissions-boundary.json").read_text())
    everything = settings(
        UNDELIVERED_QUEUE="signin-monitor-prod-undelivered",
        BASELINE_TABLE="signin-monitor-prod-baseline",
        IDENTITY_STORE_ID="d-1234567890",
        ORGANIZATION_ID="o-a1b2c3d4e5",
    )
    assert faults(bounds, grants.grants(everything, handler, in_vpc=True)) == []


@pytest.mark.parametrize("handler", HANDLERS)
def test_without_a_baseline_nobody_may_use_dynamodb(handler: str) -> None:
    assert "dynamodb" not in str(statements(handler))
    assert "dynamodb" not in str(statements("audit_mfa", BASELINE_TABLE="people"))
