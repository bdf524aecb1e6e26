import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from chalicelib import resource_names
from chalicelib.resource_names import HANDLERS
from chalicelib.settings import Settings
from ops.commands.policies import path_of, settings_of
from ops.iam import grants
from ops.project.config_file import ConfigFile
from playground.aws.deployment import PROJECT
from tests.support.cli import Cli

ENVIRONMENT = {
    "STAGE": "prod",
    "WEBHOOK_ENCRYPTION_CONTEXT": '{"app": "signin-monitor", "stage": "prod"}',
    "UNDELIVERED_QUEUE": "parked",
    "MFA_AUDIT_SCHEDULE": "rate(7 days)",
    "SELF_CHECK_SCHEDULE": "rate(1 hour)",
}
IAM_NAMES = {"monitoring": "cloudwatch"}  # where IAM has another name than the endpoint
LOOKS = ("Describe", "Filter", "Get", "List", "Lookup")


def settings(**changes: str) -> Settings:
    return settings_of(ENVIRONMENT | changes)


def statements(handler: str, **changes: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = grants.document(settings(**changes), handler)["Statement"]
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
    name = {"cloudwatch": "cloudwatch"}.get(service, service)
    return operation in session.get_service_model(name).operation_names


@pytest.mark.parametrize("handler", HANDLERS)
def test_every_action_is_one_that_aws_has(handler: str) -> None:
    assert [action for action in granted(handler) if not real(action)] == []


@pytest.mark.parametrize("handler", HANDLERS)
def test_only_the_webhook_can_be_decrypted_and_only_as_this_stage(handler: str) -> None:
    (decrypt,) = [one for one in statements(handler) if "kms:Decrypt" in one["Action"]]
    assert decrypt["Resource"] == ["arn:*:kms:*:*:key/*"]
    assert decrypt["Condition"] == {
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/signin-monitor-prod"},
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
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
            },
        ),
        (
            "audit_mfa",
            {
                "iam:GenerateCredentialReport",
                "iam:GetCredentialReport",
                "sqs:GetQueueUrl",
                "sqs:SendMessage",
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
def test_without_a_queue_there_is_no_right_to_one(handler: str) -> None:
    assert not [one for one in granted(handler, UNDELIVERED_QUEUE="") if one.startswith("sqs:")]


def test_without_a_context_the_webhook_is_bound_to_the_alias_alone() -> None:
    (decrypt,) = [
        one
        for one in statements("on_sign_in", WEBHOOK_ENCRYPTION_CONTEXT="")
        if "kms:Decrypt" in one["Action"]
    ]
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
    assert cli.process("policies", "--stage", "prod").status == 0
    functions = json.loads(cli.config_file.read_text())["stages"]["prod"]["lambda_functions"]
    assert {name: one["iam_policy_file"] for name, one in functions.items()} == {
        "on_sign_in": "policy-prod.json",
        "on_undelivered": "policy-prod-on_undelivered.json",
        "audit_mfa": "policy-prod-audit_mfa.json",
        "self_check": "own.json",
    }


@pytest.mark.parametrize("stage", ["dev", "prod"])
@pytest.mark.parametrize("handler", HANDLERS)
def test_the_projects_own_policy_files_are_what_its_settings_ask_for(
    stage: str, handler: str
) -> None:
    config = ConfigFile.read(PROJECT / ".chalice")
    wanted = grants.document(settings_of(config.environment(stage)), handler)
    assert json.loads(Path(path_of(config, stage, handler)).read_text()) == wanted
