import pytest

from playground.aws.embedded import EmbeddedAws
from tests.support.cli import WEBHOOK, Cli

QUEUE = "signin-monitor-prod-undelivered"
TEARDOWN = ("teardown", "--stage", "prod", "--yes")


def left(aws: EmbeddedAws) -> dict[str, object]:
    kms = aws.client("kms")
    states = [
        kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"]
        for key in kms.list_keys()["Keys"]
    ]
    regions = [region["RegionName"] for region in aws.client("ec2").describe_regions()["Regions"]]
    found = {
        "keys": [state for state in states if state != "PendingDeletion"],
        "aliases": [
            alias
            for alias in kms.list_aliases()["Aliases"]
            if alias["AliasName"].startswith("alias/signin-monitor")
        ],
        "queues": aws.client("sqs").list_queues().get("QueueUrls"),
        "topics": aws.client("sns").list_topics()["Topics"],
        "alarms": aws.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "roles": aws.client("iam").list_roles()["Roles"],
        "logs": aws.client("logs").describe_log_groups()["logGroups"],
        "rules": [
            rule
            for region in regions
            for rule in aws.client("events", region).list_rules()["Rules"]
        ],
        "functions": aws.client("lambda").list_functions()["Functions"],
    }
    return {name: things for name, things in found.items() if things}


def test_after_delete_and_teardown_nothing_is_left(cli: Cli, aws: EmbeddedAws) -> None:
    before = cli.settings()
    answer = cli.ops("setup", "--stage", "prod", "--yes", stdin=f"{WEBHOOK}\n")
    assert answer.status == 0, answer.text
    assert cli.chalice("deploy", "--stage", "prod").status == 0
    assert cli.chalice("delete", "--stage", "prod").status == 0
    assert set(left(aws)) >= {"keys", "queues", "topics", "alarms", "roles", "logs", "rules"}

    answer = cli.ops(*TEARDOWN)
    assert answer.status == 0, answer.text
    assert left(aws) == {}
    after = cli.settings()
    after.pop("IDENTITY_STORE_ID", None)  # an account's, not the stage's
    assert after == before | {
        "FAILURES": "digest",
        "SELF_CHECK_SCHEDULE": "rate(1 hour)",
    }
    assert not list((cli.project.path / ".chalice").glob("policy-prod*"))
    assert "Nothing to do" in cli.ops(*TEARDOWN).text


def test_a_stage_that_is_still_deployed_is_not_torn_down(cli: Cli, aws: EmbeddedAws) -> None:
    cli.set_up()
    cli.chalice("deploy", "--stage", "prod")
    before = left(aws)
    answer = cli.ops(*TEARDOWN)
    assert answer.status == 2
    assert "First: chalice delete --stage prod" in answer.text
    assert left(aws).keys() == before.keys()


def test_a_queue_that_still_holds_sign_ins_stays_unless_it_is_forced(
    cli: Cli, aws: EmbeddedAws
) -> None:
    cli.set_up()
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody="{}")

    answer = cli.ops(*TEARDOWN)
    assert f"The queue {QUEUE} stays: it holds 1 undelivered." in answer.text
    assert set(left(aws)) == {"queues"}
    assert cli.settings()["UNDELIVERED_QUEUE"] == QUEUE

    assert "Nothing to do" not in cli.ops(*TEARDOWN).text

    assert cli.ops(*TEARDOWN, "--force").status == 0
    assert left(aws) == {}


def test_what_the_operator_brought_stays(cli: Cli, aws: EmbeddedAws) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    aws.make_queue("own")
    cli.project.configure("prod", {"UNDELIVERED_QUEUE": "own"})
    cli.set_up("--key", key)
    assert cli.ops(*TEARDOWN).status == 0
    assert set(left(aws)) == {"keys", "queues"}


def test_another_stage_whose_name_begins_alike_keeps_everything(cli: Cli, aws: EmbeddedAws) -> None:
    cli.set_up(stage="prod-eu")
    before = left(aws)
    assert "Nothing to do" in cli.ops(*TEARDOWN).text
    assert left(aws) == before


@pytest.mark.parametrize("command", ["regions", "teardown", "policies"])
def test_a_stage_that_is_not_in_the_file_is_named(cli: Cli, command: str) -> None:
    answer = cli.ops(command, "--stage", "pord")
    assert answer.status == 2
    assert "has no stage pord, only local, dev, prod." in answer.text
