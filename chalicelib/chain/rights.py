"""What the checks must be allowed to read, and what they say where they are not.

`READ_ACTIONS` is what the self-check's policy file must allow.
"""

import re
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.chain.link import Link, State

READ_ACTIONS: Final = (
    "cloudtrail:DescribeTrails",
    "cloudtrail:GetEventSelectors",
    "cloudtrail:GetTrailStatus",
    "cloudtrail:LookupEvents",
    "cloudwatch:GetMetricData",
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

# "403" is what remains where the refusal comes without AWS's own word, as from an endpoint policy.
_DENIED: Final = re.compile(r"AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|^403$")


def is_denied(error: ClientError) -> bool:
    """Say whether AWS refused for want of a right."""
    return bool(_DENIED.search(error.response.get("Error", {}).get("Code", "")))


def is_missing(error: ClientError) -> bool:
    """Say whether AWS answered that there is no such thing."""
    code = error.response.get("Error", {}).get("Code", "")
    return bool(re.search(r"NotFound|NonExistent|DoesNotExist|NoSuch", code))


def cannot_tell(
    name: str, error: ClientError | BotoCoreError, *, region: str | None = None
) -> Link:
    """Give the link of a check that AWS did not let look, naming the action."""
    if not isinstance(error, ClientError):
        return Link(
            name=name,
            state=State.CANNOT_TELL,
            code="no_answer",
            facts={"error": type(error).__name__},
            region=region,
        )
    operation = f":{error.operation_name}"
    action = next((one for one in DOCTORS_ACTIONS if one.endswith(operation)), operation[1:])
    return Link(
        name=name,
        state=State.CANNOT_TELL,
        code="denied" if is_denied(error) else "refused",
        facts={"action": action, "error": error.response.get("Error", {}).get("Code", "")},
        region=region,
    )
