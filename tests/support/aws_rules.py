"""What real AWS refuses and the embedded one accepts: one table, which `StrictAws` enforces.

A rule's check gets a call before it is passed on and returns AWS's words if AWS would refuse it.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from playground.aws import cloudtrail, iam
from playground.aws.embedded import ACCOUNT_ID
from tests.support.aws_call import Call

assert cloudtrail, iam  # they teach moto LookupEvents and SimulatePrincipalPolicy

Clients = Callable[..., Any]  # by service and region, past the rules
Check = Callable[[Clients, Call], str | None]


class Rule(NamedTuple):
    """Refuse `actions` with `code` where `check` returns a message.

    Without a check, the playground's stand-in or `event_bridge` keeps to the rule.
    """

    refuses: str
    actions: tuple[str, ...]
    code: str
    source: str  # a page of AWS's documentation by its title, or a public report
    check: Check | None = None
    status: int = 400


def _second_mapping(client: Clients, call: Call) -> str | None:
    queue, function = call.parameters["EventSourceArn"], _name(call.parameters["FunctionName"])
    for mapping in client("lambda", call.region).list_event_source_mappings()[
        "EventSourceMappings"
    ]:
        if (mapping["EventSourceArn"], _name(mapping["FunctionArn"])) == (queue, function):
            return (
                f'An event source mapping with SQS arn (" {queue} ") and function '
                f'(" {function} ") already exists. Please update or delete the existing mapping '
                f"with UUID {mapping['UUID']}"
            )
    return None


def _hidden_too_short(client: Clients, call: Call) -> str | None:
    queue = _name(call.parameters["EventSourceArn"])
    sqs, functions = client("sqs", call.region), client("lambda", call.region)
    attributes = sqs.get_queue_attributes(
        QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"],
        AttributeNames=["VisibilityTimeout"],
    )["Attributes"]
    hidden = int(attributes["VisibilityTimeout"])
    function = _name(call.parameters["FunctionName"])
    runs = functions.get_function_configuration(FunctionName=function)["Timeout"]
    if hidden >= runs:
        return None
    return (
        f"Queue visibility timeout: {hidden} seconds is less than Function timeout: {runs} seconds"
    )


def _queue_not_readable(client: Clients, call: Call) -> str | None:
    function = client("lambda", call.region).get_function_configuration(
        FunctionName=_name(call.parameters["FunctionName"])
    )
    for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        if not _allows(
            client, function["Role"], f"sqs:{action}", call.parameters["EventSourceArn"]
        ):
            return f"The function execution role does not have permissions to call {action} on SQS"
    return None


def _no_network_interface(client: Clients, call: Call) -> str | None:
    if not (call.parameters.get("VpcConfig") or {}).get("SubnetIds"):
        return None
    role = (
        call.parameters.get("Role")
        or client("lambda", call.region).get_function_configuration(
            FunctionName=call.parameters["FunctionName"]
        )["Role"]
    )
    for action in ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface"):
        if not _allows(client, role, f"ec2:{action}", "*"):
            return f"The provided execution role does not have permissions to call {action} on EC2"
    return None


def _no_such_key(client: Clients, call: Call) -> str | None:
    """Look for the key that moto names in the first 36 bytes of a ciphertext."""
    key = base64.b64decode(call.parameters["CiphertextBlob"])[:36].decode(errors="replace")
    known = {key["KeyId"] for key in client("kms", call.region).list_keys()["Keys"]}
    if key in known or not re.fullmatch(r"[0-9a-f-]{36}", key):  # moto refuses what is none
        return None
    return (
        "The ciphertext refers to a customer master key that does not exist, does not exist in "
        "this region, or you are not allowed to access."
    )


def _unknown_role(message: str) -> Check:
    def check(client: Clients, call: Call) -> str | None:
        known = {role["Arn"] for role in client("iam").list_roles()["Roles"]}
        ours = f":iam::{ACCOUNT_ID}:role/"
        named = (name for name in _principals(dict(call.parameters)) if ours in name)
        return next((message.format(name) for name in named if name not in known), None)

    return check


_PRINCIPALS: Final = "Policy contains a statement with one or more invalid principals."
_PRINCIPAL_PAGE: Final = "AWS JSON policy elements: Principal (IAM User Guide)"

RULES: Final = (
    Rule(
        "a second event source mapping of one queue and one function",
        ("lambda:CreateEventSourceMapping",),
        "ResourceConflictException",
        "CreateEventSourceMapping (Lambda API Reference); aws/chalice #2146",
        _second_mapping,
        409,
    ),
    Rule(
        "a mapping whose queue hides messages for less time than the function may run",
        ("lambda:CreateEventSourceMapping",),
        "InvalidParameterValueException",
        "Creating and configuring an Amazon SQS event source mapping (Lambda Developer Guide)",
        _hidden_too_short,
    ),
    Rule(
        "a mapping whose function's role may not read the queue",
        ("lambda:CreateEventSourceMapping",),
        "InvalidParameterValueException",
        "Creating and configuring an Amazon SQS event source mapping (Lambda Developer Guide)",
        _queue_not_readable,
    ),
    Rule(
        "a function in a VPC whose role may not make network interfaces",
        ("lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"),
        "InvalidParameterValueException",
        "Giving Lambda functions access to resources in an Amazon VPC (Lambda Developer Guide)",
        _no_network_interface,
    ),
    Rule(
        "a queue's policy that names a role which does not exist",
        ("sqs:CreateQueue", "sqs:SetQueueAttributes"),
        "InvalidAttributeValue",
        _PRINCIPAL_PAGE,
        _unknown_role("Invalid value for the parameter Policy."),
    ),
    Rule(
        "a key's policy that names a role which does not exist",
        ("kms:CreateKey", "kms:PutKeyPolicy"),
        "MalformedPolicyDocumentException",
        "PutKeyPolicy (KMS API Reference)",
        _unknown_role(_PRINCIPALS),
    ),
    Rule(
        "a bus's policy that names a role which does not exist",
        ("events:PutPermission",),
        "ValidationException",
        _PRINCIPAL_PAGE,
        _unknown_role(_PRINCIPALS),
    ),
    Rule(
        "a function's policy that names a role which does not exist",
        ("lambda:AddPermission",),
        "InvalidParameterValueException",
        "AddPermission (Lambda API Reference)",
        _unknown_role("The provided principal was invalid. Please check the principal."),
    ),
    Rule(
        "a role's trust in a role which does not exist",
        ("iam:CreateRole", "iam:UpdateAssumeRolePolicy"),
        "MalformedPolicyDocument",
        _PRINCIPAL_PAGE,
        _unknown_role('Invalid principal in policy: "AWS":"{}"'),
    ),
    Rule(
        "a ciphertext whose key is gone, or of another region or account",
        ("kms:Decrypt",),
        "AccessDeniedException",
        "aws/aws-sdk-php #1937",
        _no_such_key,
    ),
    Rule(
        "more than two look-ups a second in one region",
        ("cloudtrail:LookupEvents",),
        "ThrottlingException",
        "LookupEvents (CloudTrail API Reference)",
    ),
    Rule(
        "a page of more than 50 events",
        ("cloudtrail:LookupEvents",),
        "InvalidMaxResultsException",
        "LookupEvents (CloudTrail API Reference)",
    ),
    Rule(
        "a token that came with other parameters",
        ("cloudtrail:LookupEvents",),
        "InvalidNextTokenException",
        "LookupEvents (CloudTrail API Reference)",
    ),
    Rule(
        "a read-only event for a rule that is merely ENABLED: `event_bridge.invoked`",
        (),
        "",
        "AWS service events delivered via AWS CloudTrail (EventBridge User Guide)",
    ),
)


def _name(arn: str) -> str:
    """Return the last field of an ARN, or a bare name as it is."""
    return arn.rpartition(":")[2]


def _allows(client: Clients, role: str, action: str, resource: str) -> bool:
    (result,) = client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource]
    )["EvaluationResults"]
    return bool(result["EvalDecision"] == "allowed")


def _principals(value: Any) -> Iterator[str]:  # noqa: ANN401 — a policy may stand anywhere
    """Find the principals in a call's parameters, policies within strings included."""
    match value:
        case {"Principal": principal}:
            yield from re.findall(r"arn:[\w:/+=,.@-]+", json.dumps(principal))
        case dict():
            for inner in value.values():
                yield from _principals(inner)
        case list():
            for inner in value:
                yield from _principals(inner)
        case str() if value.startswith("{"):
            yield from _principals(json.loads(value))
