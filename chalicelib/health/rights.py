"""What the checks must be allowed to read, and what they say where they are not.

`READ_ACTIONS` is what the self-check's policy file must allow.
"""

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.error_codes import is_denied
from chalicelib.health.result import CheckResult, Status

READ_ACTIONS: Final = (
    "cloudtrail:DescribeTrails",
    "cloudtrail:GetEventSelectors",
    "cloudtrail:GetTrailStatus",
    "cloudtrail:LookupEvents",
    "cloudwatch:GetMetricData",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "ec2:DescribeRegions",
    "events:DescribeRule",
    "events:ListRuleNamesByTarget",
    "events:ListTargetsByRule",
    "kms:DescribeKey",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "lambda:GetPolicy",
    "lambda:ListEventSourceMappings",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
)
# What the doctor reads besides, with the operator's rights.
DOCTORS_ACTIONS: Final = (
    *READ_ACTIONS,
    "cloudwatch:DescribeAlarms",
    "iam:GetRole",
    "iam:SimulatePrincipalPolicy",
    "kms:Decrypt",
    "sns:ListSubscriptionsByTopic",
    "sns:ListTopics",
    "sqs:ListQueueTags",
)


def unknown(
    name: str, error: ClientError | BotoCoreError, *, region: str | None = None
) -> CheckResult:
    """Return the link of a check that AWS did not let look, naming the action."""
    if not isinstance(error, ClientError):
        return CheckResult(
            name=name,
            state=Status.UNKNOWN,
            code="no_answer",
            facts={"error": type(error).__name__},
            region=region,
        )
    operation = f":{error.operation_name}"
    action = next((one for one in DOCTORS_ACTIONS if one.endswith(operation)), operation[1:])
    return CheckResult(
        name=name,
        state=Status.UNKNOWN,
        code="denied" if is_denied(error) else "refused",
        facts={"action": action, "error": error.response.get("Error", {}).get("Code", "")},
        region=region,
    )
