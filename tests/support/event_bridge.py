"""EventBridge's way with an event: which functions its rules in the embedded AWS would invoke.

moto keeps rules but delivers nothing to functions, and knows no difference between the states of
a rule that is on. Source: "AWS service events delivered via AWS CloudTrail" and "Using
resource-based policies for Amazon EventBridge" (EventBridge User Guide).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from moto.events.models import EventPattern

from playground.aws import iam

assert iam  # teaches moto SimulatePrincipalPolicy

Clients = Callable[[str, str], Any]

_READS_TOO: Final = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


def invoked(client: Clients, event: Any, region: str) -> list[str]:  # noqa: ANN401 — moto's event
    """Return the ARNs of the functions that get an event which happened in a region, sorted."""
    return sorted(_route(client, event, region, forwards=True))


def _route(client: Clients, event: Any, region: str, *, forwards: bool) -> Iterator[str]:  # noqa: ANN401 — likewise
    events = client("events", region)
    for rule in events.list_rules()["Rules"]:
        if not _is_on(rule, event) or not _matches(rule, event):
            continue
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            _, _, service, there, _, _ = target["Arn"].split(":", 5)
            if service == "lambda" and _may_invoke(client("lambda", there), target, rule["Arn"]):
                yield target["Arn"]
            # An event that was forwarded once is not forwarded again.
            elif service == "events" and forwards and _may_forward(client, target):
                yield from _route(client, event, there, forwards=False)


def _is_on(rule: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    is_read = event.get("detail", {}).get("readOnly") is True
    return rule["State"] == _READS_TOO or (rule["State"] == "ENABLED" and not is_read)


def _matches(rule: Mapping[str, Any], event: Any) -> bool:  # noqa: ANN401 — likewise
    pattern = rule.get("EventPattern")
    return bool(pattern and EventPattern.load(pattern).matches_event(event))


def _may_invoke(functions: Any, target: Mapping[str, Any], rule: str) -> bool:  # noqa: ANN401 — a client
    try:
        policy = json.loads(functions.get_policy(FunctionName=target["Arn"])["Policy"])
    except functions.exceptions.ResourceNotFoundException:
        return False
    return any(
        statement["Effect"] == "Allow"
        and statement["Action"] == "lambda:InvokeFunction"
        and statement["Principal"] == {"Service": "events.amazonaws.com"}
        and all(
            key.lower() == "aws:sourcearn" and fnmatchcase(rule, pattern)
            for keys in statement.get("Condition", {}).values()
            for key, pattern in keys.items()
        )
        for statement in policy["Statement"]
    )


def _may_forward(client: Clients, target: Mapping[str, Any]) -> bool:
    iam_client = client("iam", "us-east-1")
    name = target.get("RoleArn", "none").rpartition("/")[2]
    try:
        trust = iam_client.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    except iam_client.exceptions.NoSuchEntityException:
        return False
    (result,) = iam_client.simulate_principal_policy(
        PolicySourceArn=target["RoleArn"],
        ActionNames=["events:PutEvents"],
        ResourceArns=[target["Arn"]],
    )["EvaluationResults"]
    return "events.amazonaws.com" in json.dumps(trust) and result["EvalDecision"] == "allowed"
