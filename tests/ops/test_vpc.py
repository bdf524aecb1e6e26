"""A stage whose functions are in a VPC."""

import json

import pytest

from playground.aws.settings import provision
from playground.slack.receiver import Receiver
from tests.support.cli import Cli

PROD = ("--stage", "prod")
EVERYTHING = {
    "BASELINE_TABLE": "people",
    "MFA_AUDIT_SCHEDULE": "rate(7 days)",
    "SELF_CHECK_SCHEDULE": "rate(1 hour)",
}
DESTINATIONS = (
    "Slack · KMS · SQS · DynamoDB · IAM · CloudTrail in every region · CloudWatch · EC2 · "
    "EventBridge · Lambda"
)


@pytest.fixture
def in_vpc(cli: Cli) -> Cli:
    with Receiver() as receiver:
        settings = provision("prod", aws=cli.aws, receiver=receiver)
        cli.project.configure("prod", settings | EVERYTHING)
    cli.edit_stage(subnet_ids=["subnet-1a"], security_group_ids=["sg-1"])
    return cli


def test_it_is_deployed_with_its_rights_and_named_with_what_it_must_reach(in_vpc: Cli) -> None:
    answer = in_vpc.chalice("deploy", *PROD)  # AWS refuses it without the rights
    assert answer.status == 0, answer.text
    doctor = in_vpc.ops("doctor", *PROD, "--json")
    (vpc,) = [check for check in json.loads(doctor.text)["checks"] if check["check"] == "vpc"]
    assert vpc["facts"] == {"subnets": "subnet-1a", "needs_a_way_to": DESTINATIONS}
    setup = in_vpc.ops("setup", *PROD, "--home-region-only", "--dry-run")
    assert f"needs a way to {DESTINATIONS}." in setup.text


def test_subnets_without_security_groups_are_refused(in_vpc: Cli) -> None:
    in_vpc.edit_stage(security_group_ids=[])
    answer = in_vpc.chalice("deploy", *PROD)
    assert answer.status == 1
    assert "subnet_ids or security_group_ids, and a VPC needs both" in answer.text
