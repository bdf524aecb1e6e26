import pytest

from playground.aws.embedded import EmbeddedAws
from tests.support.operator import WEBHOOK, Operator

QUEUE = "signin-monitor-prod-undelivered"
TEARDOWN = ("teardown", "--stage", "prod", "--yes")


def left(aws: EmbeddedAws) -> dict[str, object]:
    kms = aws.client("kms")
    states = [
        kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]["KeyState"]
        for one in kms.list_keys()["Keys"]
    ]
    regions = [one["RegionName"] for one in aws.client("ec2").describe_regions()["Regions"]]
    found = {
        "keys": [one for one in states if one != "PendingDeletion"],
        "aliases": [
            one
            for one in kms.list_aliases()["Aliases"]
            if one["AliasName"].startswith("alias/signin-monitor")
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


def test_after_delete_and_teardown_nothing_is_left(operator: Operator, aws: EmbeddedAws) -> None:
    written = operator.config_file.read_text()
    answer = operator.ops("setup", "--stage", "prod", "--yes", stdin=f"{WEBHOOK}\n")
    assert answer.status == 0, answer.text
    assert operator.chalice("deploy", "--stage", "prod").status == 0
    assert operator.chalice("delete", "--stage", "prod").status == 0
    assert set(left(aws)) >= {"keys", "queues", "topics", "alarms", "roles", "logs", "rules"}

    answer = operator.ops(*TEARDOWN)
    assert answer.status == 0, answer.text
    assert left(aws) == {}
    assert operator.config_file.read_text() == written
    assert "Nothing to do" in operator.ops(*TEARDOWN).text


def test_a_stage_that_is_still_deployed_is_not_torn_down(
    operator: Operator, aws: EmbeddedAws
) -> None:
    operator.set_up()
    operator.chalice("deploy", "--stage", "prod")
    before = left(aws)
    answer = operator.ops(*TEARDOWN)
    assert answer.status == 2
    assert "First: chalice delete --stage prod" in answer.text
    assert left(aws).keys() == before.keys()


def test_a_queue_that_still_holds_sign_ins_stays_unless_it_is_forced(
    operator: Operator, aws: EmbeddedAws
) -> None:
    operator.set_up()
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody="{}")

    answer = operator.ops(*TEARDOWN)
    assert f"The queue {QUEUE} stays: it holds 1 undelivered." in answer.text
    assert set(left(aws)) == {"queues"}
    assert operator.settings()["UNDELIVERED_QUEUE"] == QUEUE

    assert "Nothing to do" not in operator.ops(*TEARDOWN).text

    assert operator.ops(*TEARDOWN, "--force").status == 0
    assert left(aws) == {}


def test_what_the_operator_brought_stays(operator: Operator, aws: EmbeddedAws) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    aws.make_queue("own")
    operator.project.configure("prod", {"UNDELIVERED_QUEUE": "own"})
    operator.set_up("--key", key)
    assert operator.ops(*TEARDOWN).status == 0
    assert set(left(aws)) == {"keys", "queues"}


def test_another_stage_whose_name_begins_alike_keeps_everything(
    operator: Operator, aws: EmbeddedAws
) -> None:
    operator.set_up(stage="prod-eu")
    before = left(aws)
    assert "Nothing to do" in operator.ops(*TEARDOWN).text
    assert left(aws) == before


@pytest.mark.parametrize("command", ["regions", "teardown", "policies"])
def test_a_stage_that_is_not_in_the_file_is_named(operator: Operator, command: str) -> None:
    answer = operator.ops(command, "--stage", "pord")
    assert answer.status == 2
    assert "has no stage pord, only local, dev, prod." in answer.text
