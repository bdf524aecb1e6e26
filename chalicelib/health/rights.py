"""What the checks must be allowed to read, and what they report where they are not."""

from collections.abc import Mapping
from itertools import chain
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.error_codes import code_of, is_denied
from chalicelib.aws.event_history import Refusal
from chalicelib.health.result import CheckResult, Status

# The self-check's rights by what they are limited to: its policy file is written from this.
SELF_CHECK_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    # No resource can be named for these (Service Authorization Reference).
    "Account": (
        "cloudtrail:DescribeTrails",
        "cloudtrail:LookupEvents",
        "cloudwatch:GetMetricData",
        "ec2:DescribeRegions",
        "events:ListRuleNamesByTarget",
        "lambda:ListEventSourceMappings",
        "logs:DescribeLogGroups",
    ),
    "Trail": ("cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus"),
    "Bus": ("events:DescribeEventBus",),
    "Rules": ("events:DescribeRule", "events:ListTargetsByRule"),
    "ForwardRoles": ("iam:GetRole", "iam:SimulatePrincipalPolicy"),
    "Functions": (
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionConfiguration",
        "lambda:GetFunctionEventInvokeConfig",
        "lambda:GetPolicy",
    ),
    "Logs": ("logs:FilterLogEvents",),
    "Queue": ("sqs:GetQueueAttributes",),
    "Table": ("dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"),
    "Key": ("kms:DescribeKey",),
}
# What the doctor reads besides, and what the functions may do anyway.
_OTHER_ACTIONS: Final = (
    "cloudwatch:DescribeAlarms",
    "kms:Decrypt",
    "sns:ListSubscriptionsByTopic",
    "sns:ListTopics",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
)


def unknown(check: str, error: Exception, *, region: str | None = None) -> CheckResult:
    """Return the result of a check that could not look, naming the action that AWS refused."""
    if not isinstance(error, ClientError):
        return CheckResult(
            check=check,
            status=Status.UNKNOWN,
            code="no_answer" if isinstance(error, BotoCoreError) else "unexpected",
            region=region,
            facts={"error": type(error).__name__},
        )
    actions = chain(*SELF_CHECK_ACTIONS.values(), _OTHER_ACTIONS)
    operation = f":{error.operation_name}"
    return CheckResult(
        check=check,
        status=Status.UNKNOWN,
        code="denied" if is_denied(error) else "refused",
        region=region,
        facts={
            "action": next((name for name in actions if name.endswith(operation)), operation[1:]),
            "error": code_of(error),
        },
    )


def unread_history(refusal: Refusal) -> CheckResult:
    """Return the result of a region whose event history was not read to its end."""
    if refusal.error:
        return unknown("history", refusal.error, region=refusal.region)
    return CheckResult(
        check="history", status=Status.UNKNOWN, code="no_time", region=refusal.region
    )
