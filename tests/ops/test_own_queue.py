"""A queue of the operator's own: looked at by setup, the deploy guard and doctor, never changed."""

import json
from typing import Any

import pytest

from playground.aws.settings import provision
from playground.slack.receiver import Receiver
from tests.support.cli import Cli

PROD = ("--stage", "prod")
OWN = "my-queue"


@pytest.fixture
def own(cli: Cli) -> Cli:
    """Let the stage name a queue that has SQS's defaults, and a queue for what fails."""
    with Receiver() as receiver:
        settings = provision("prod", aws=cli.aws, receiver=receiver)
    cli.project.configure("prod", settings | {"UNDELIVERED_QUEUE": OWN})
    target = {
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead",
        "maxReceiveCount": 3,
    }
    cli.aws.make_queue("dead")
    cli.aws.make_queue(OWN, {"RedrivePolicy": json.dumps(target), "MaximumMessageSize": "262144"})
    return cli


def attributes(cli: Cli) -> dict[str, str]:
    sqs = cli.aws.client("sqs")
    url = sqs.get_queue_url(QueueName=OWN)["QueueUrl"]
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
        "Attributes"
    ]
    return found


def unfit(cli: Cli) -> list[dict[str, Any]]:
    results = json.loads(cli.ops("doctor", *PROD, "--json").text)["checks"]
    return [result for result in results if result["code"] == "queue_unfit"]


def test_each_shortcoming_comes_with_the_command_that_ends_it(own: Cli) -> None:
    before = attributes(own)
    setup = own.ops("setup", *PROD, "--home-region-only", "--yes").text
    assert "The queue my-queue is your own and stays as it is. VisibilityTimeout is 30:" in setup
    assert attributes(own) == before

    refused = own.chalice("deploy", *PROD)
    assert refused.status == 1
    assert "Lambda refuses a queue that hides a message for less time than" in refused.text
    assert "--attributes VisibilityTimeout=420" in refused.text
    assert not own.aws.client("lambda").list_functions()["Functions"]

    found = unfit(own)
    assert [result["facts"]["shortcoming"].split(" ")[0] for result in found] == [
        "VisibilityTimeout",
        "MessageRetentionPeriod",
        "MaximumMessageSize",
        "RedrivePolicy",
    ]
    own.follow(found[0]["remedy"])
    deployed = own.chalice("deploy", *PROD)
    assert deployed.status == 0
    assert "MessageRetentionPeriod is 345600: what waits for longer is lost." in deployed.text
    for result in found[1:]:
        own.follow(result["remedy"])
    assert unfit(own) == []
    assert own.chalice("deploy", *PROD).status == 0


def test_a_queue_that_is_not_there_is_named_before_anything_is_made(own: Cli) -> None:
    own.project.configure("prod", {"UNDELIVERED_QUEUE": "other"})
    refused = own.chalice("deploy", *PROD)
    assert refused.status == 1
    assert "There is no queue other in us-east-1" in refused.text
    assert not own.aws.client("iam").list_roles()["Roles"]
