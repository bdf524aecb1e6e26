"""The stage's tags in config.json go on everything that setup makes, beside its own mark."""

from typing import Any

from playground.aws.embedded import ACCOUNT_ID, EmbeddedAws
from tests.support.cli import WEBHOOK, Cli

MARKED = {"signin-monitor": "prod", "team": "security"}


def as_dict(tags: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        str(tag.get("Key", tag.get("TagKey"))): tag.get("Value", tag.get("TagValue"))
        for tag in tags
    }


def test_everything_that_setup_makes_bears_them(cli: Cli, aws: EmbeddedAws) -> None:
    cli.edit_stage(tags={"team": "security"})
    answer = cli.ops("setup", "--stage", "prod", "--yes", "--baseline", stdin=f"{WEBHOOK}\n")
    assert answer.status == 0, answer.text

    key = aws.client("kms").describe_key(KeyId="alias/signin-monitor-prod")["KeyMetadata"]
    sqs = aws.client("sqs")
    queue = sqs.get_queue_url(QueueName="signin-monitor-prod-undelivered")["QueueUrl"]
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:signin-monitor-prod-alarms"
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    forward = f"arn:aws:events:eu-west-1:{ACCOUNT_ID}:rule/signin-monitor-prod-forward"
    home = aws.client("events").list_rules()["Rules"][0]["Arn"]
    role = aws.client("iam").get_role(RoleName="signin-monitor-prod-forward")["Role"]
    table = aws.client("dynamodb").describe_table(TableName="signin-monitor-prod-baseline")
    assert [
        as_dict(aws.client("kms").list_resource_tags(KeyId=key["KeyId"])["Tags"]),
        sqs.list_queue_tags(QueueUrl=queue)["Tags"],
        as_dict(aws.client("sns").list_tags_for_resource(ResourceArn=topic)["Tags"]),
        *(
            as_dict(aws.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"])
            for arn in [alarm["AlarmArn"] for alarm in alarms]
        ),
        as_dict(
            aws.client("events", "eu-west-1").list_tags_for_resource(ResourceARN=forward)["Tags"]
        ),
        as_dict(aws.client("events").list_tags_for_resource(ResourceARN=home)["Tags"]),
        as_dict(role["Tags"]),
        as_dict(
            aws.client("dynamodb").list_tags_of_resource(ResourceArn=table["Table"]["TableArn"])[
                "Tags"
            ]
        ),
    ] == [MARKED] * (7 + len(alarms))
