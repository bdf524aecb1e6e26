"""Is what could not be posted kept and tried again: the undelivered queue and its reader."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_missing
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import configuration
from chalicelib.health.result import CheckResult

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

# on_undelivered tries every seven minutes: what stays for longer was refused more than once. The
# queue's age metric does not show it: SQS leaves out what was received three times or more
# ("Available CloudWatch metrics for Amazon SQS").
_STUCK: Final = timedelta(minutes=20)
_PERIOD: Final = timedelta(minutes=5)
_DEPTHS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_HELD: Final = ("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible")


def check_queue(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that the undelivered queue is there and that nothing is stuck in it."""
    name = deployment.settings.undelivered_queue
    if not name:
        return
    sqs: SQSClient = clients("sqs", deployment.region)
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except ClientError as error:
        if not is_missing(error):
            raise
        yield CheckResult.fault("queue", "queue_missing", deployment.ops_command("setup"), name)
        return
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_DEPTHS))["Attributes"]
    depth = sum(int(found[attribute]) for attribute in _DEPTHS)
    facts = {"depth": str(depth)}
    if depth and _was_never_empty(name, clients("cloudwatch", deployment.region)):
        remedy = (
            f"aws logs tail {deployment.log_group('on_undelivered')} "
            f"--region {deployment.region} --since 1h"
        )
        yield CheckResult.fault("queue", "queue_stuck", remedy, name, **facts)
    else:
        yield CheckResult.ok("queue", name, **facts)


def _was_never_empty(name: str, cloudwatch: "CloudWatchClient") -> bool:
    """Return whether the queue held a message throughout the last 20 minutes."""
    now = datetime.now(UTC)
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": f"depth{number}",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SQS",
                        "MetricName": metric,
                        "Dimensions": [{"Name": "QueueName", "Value": name}],
                    },
                    "Period": int(_PERIOD.total_seconds()),
                    "Stat": "Minimum",
                },
            }
            for number, metric in enumerate(_HELD)
        ],
        StartTime=now - _STUCK - 2 * _PERIOD,  # the newest are late
        EndTime=now,
    )
    held: Counter[datetime] = Counter()
    for result in answer["MetricDataResults"]:
        for time, value in zip(result["Timestamps"], result["Values"], strict=True):
            held[time] += int(value)
    newest = [held[time] for time in sorted(held, reverse=True)[: _STUCK // _PERIOD]]
    return len(newest) == _STUCK // _PERIOD and all(newest)


def check_redelivery(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that Lambda invokes on_undelivered with what the queue holds."""
    if not deployment.settings.undelivered_queue:
        return
    functions: LambdaClient = clients("lambda", deployment.region)
    name = deployment.function("on_undelivered")
    if configuration(functions, name) is None:
        return  # reported with the function
    arn = deployment.function_arn("on_undelivered")
    answer = functions.list_event_source_mappings(EventSourceArn=deployment.queue_arn)
    mappings = [
        mapping for mapping in answer["EventSourceMappings"] if mapping.get("FunctionArn") == arn
    ]
    queue = deployment.settings.undelivered_queue
    off = [
        mapping["UUID"] for mapping in mappings if mapping.get("State") in ("Disabled", "Disabling")
    ]
    filtered = [
        mapping["UUID"] for mapping in mappings if mapping.get("FilterCriteria", {}).get("Filters")
    ]
    update = f"aws lambda update-event-source-mapping --region {deployment.region} --uuid"
    remedy = deployment.deploy_command
    if off:
        code, remedy = "redelivery_disabled", f"{update} {off[0]} --enabled"
    elif filtered:  # Lambda deletes what its filters do not match
        code, remedy = "redelivery_filters", f"{update} {filtered[0]} --filter-criteria '{{}}'"
    elif not mappings:
        code = "redelivery_missing"
    else:
        yield CheckResult.ok("redelivery", name, handler="on_undelivered", queue=queue)
        return
    yield CheckResult.fault("redelivery", code, remedy, name, handler="on_undelivered", queue=queue)
