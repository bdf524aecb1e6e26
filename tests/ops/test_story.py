"""From an empty account to a stage without fault, by the commands alone; then each part broken."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from playground.aws import cloudtrail, iam
from playground.aws.embedded import EmbeddedAws
from tests.support.cli import Cli
from tests.support.deployed_stage import FORWARD_ROLE, QUEUE, TRAIL, trail

assert cloudtrail  # teaches moto CloudTrail's history
assert iam  # and to simulate policies

NAME = "signin-monitor-prod-on_sign_in"
RULE = f"{NAME}-event"
PROD = ("--stage", "prod")

Change = Callable[[EmbeddedAws], Any]


def do(service: str, operation: str, region: str | None = None, **parameters: Any) -> Change:  # noqa: ANN401  # any call's
    """Return a change of the account: one call of AWS."""
    return lambda aws: getattr(aws.client(service, region), operation)(**parameters)


def forget_permission(aws: EmbeddedAws) -> None:
    functions = aws.client("lambda")
    policy = json.loads(functions.get_policy(FunctionName=NAME)["Policy"])
    for statement in policy["Statement"]:
        functions.remove_permission(FunctionName=NAME, StatementId=statement["Sid"])


def forget_mapping(aws: EmbeddedAws) -> None:
    functions = aws.client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])


def remove_targets(aws: EmbeddedAws, region: str, rule: str) -> None:
    events = aws.client("events", region)
    targets = events.list_targets_by_rule(Rule=rule)["Targets"]
    events.remove_targets(Rule=rule, Ids=[target["Id"] for target in targets])


def disable_key(aws: EmbeddedAws) -> None:
    kms = aws.client("kms")
    key = kms.describe_key(KeyId="alias/signin-monitor-prod")["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)


# Faults that do not hide one another, and the check that names each: what is broken together is
# repaired together.
BROKEN: dict[str, list[tuple[Change, str]]] = {
    "what is off or gone": [
        (do("cloudtrail", "stop_logging", Name=TRAIL), "trail"),
        (do("events", "disable_rule", "eu-west-1", Name=FORWARD_ROLE), "forward"),
        (do("events", "disable_rule", Name=RULE), "rule"),
        (
            do(
                "lambda",
                "put_function_concurrency",
                FunctionName=NAME,
                ReservedConcurrentExecutions=0,
            ),
            "concurrency",
        ),
        (do("logs", "delete_retention_policy", logGroupName=f"/aws/lambda/{NAME}"), "logs"),
        (
            lambda aws: aws.client("sqs").delete_queue(
                QueueUrl=aws.client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"]
            ),
            "queue",
        ),
    ],
    "what leads nowhere": [
        (disable_key, "key"),
        (lambda aws: remove_targets(aws, "sa-east-1", FORWARD_ROLE), "forward"),
        (do("events", "put_rule", Name=RULE, EventPattern='{"source": ["aws.ec2"]}'), "rule"),
        (forget_mapping, "redelivery"),
    ],
    "rights and alarms": [
        (lambda aws: remove_targets(aws, "us-east-1", RULE), "target"),
        (do("iam", "delete_role_policy", RoleName=NAME, PolicyName=NAME), "role"),
        (do("cloudwatch", "delete_alarms", AlarmNames=["signin-monitor-prod-failed"]), "alarms"),
    ],
    "who may call what": [
        (do("iam", "delete_role_policy", RoleName=FORWARD_ROLE, PolicyName=FORWARD_ROLE), "role"),
        (forget_permission, "permission"),
        (
            do(
                "lambda",
                "update_function_configuration",
                FunctionName=NAME,
                Environment={"Variables": {"STAGE": "prod", "WEBHOOK_URL_ENCRYPTED": "AAAA"}},
            ),
            "function",
        ),
    ],
}


def faults(cli: Cli) -> dict[str, str]:
    """Ask the doctor; return the remedy of each fault."""
    results = json.loads(cli.ops("doctor", *PROD, "--json").text)["checks"]
    return {result["check"]: result["remedy"] for result in results if result["status"] == "fault"}


@pytest.fixture
def whole(cli: Cli, aws: EmbeddedAws) -> Cli:
    trail(aws)
    for command in ("python -m ops setup", "chalice deploy", "python -m ops regions --apply"):
        cli.follow(f"{command} --stage prod")
    return cli


def test_the_doctor_leads_from_an_empty_account_to_a_whole_stage(
    cli: Cli, aws: EmbeddedAws
) -> None:
    found = faults(cli)
    assert set(found) == {
        "trail",
        "settings",
        "forward",
        "rule",
        "read_only_rule",
        "function",
        "key",
        "logs",
        "alarms",
    }
    trail(aws)
    cli.follow(found["settings"])
    found = faults(cli)
    assert set(found) == {"rule", "read_only_rule", "function", "logs"}
    cli.follow(found["function"])
    assert faults(cli) == {}


@pytest.mark.parametrize("story", BROKEN)
def test_the_doctors_remedy_of_a_broken_part_repairs_it(
    story: str, whole: Cli, aws: EmbeddedAws
) -> None:
    for break_it, _ in BROKEN[story]:
        break_it(aws)
    found = faults(whole)
    assert {check for _, check in BROKEN[story]} <= set(found)
    for remedy in dict.fromkeys(found.values()):
        whole.follow(remedy)
    assert faults(whole) == {}
