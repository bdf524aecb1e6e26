"""Does EventBridge hand events to the functions: the rules, their targets, the permissions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_missing
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import configuration
from chalicelib.health.result import CheckResult

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import DescribeRuleResponseTypeDef
    from mypy_boto3_lambda import LambdaClient


def rule(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that the rule of each handler is there, on, and asks for what the app asks for."""
    events: EventBridgeClient = clients("events", deployment.region)
    for handler in _ruled(deployment):
        yield _rule(handler, deployment, events)


def _rule(handler: str, deployment: Deployment, events: "EventBridgeClient") -> CheckResult:
    name = deployment.rule(handler)
    found = _described(events, name)
    code, remedy = "", deployment.deploy_command
    if found is None:
        code = "rule_missing"
    elif is_off(found):
        code = "rule_disabled"
        remedy = f"aws events enable-rule --region {deployment.region} --name {name}"
    elif handler == "on_sign_in" and not same_pattern(
        found.get("EventPattern"), deployment.pattern
    ):
        code = "rule_pattern"
    elif handler != "on_sign_in" and found.get("ScheduleExpression") != _schedule(
        handler, deployment
    ):
        code = "rule_schedule"
    return (
        CheckResult.fault("rule", code, remedy, rule=name)
        if code
        else CheckResult.ok("rule", rule=name)
    )


def target(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each rule leads to its function, with the event as it is."""
    events: EventBridgeClient = clients("events", deployment.region)
    for handler in _ruled(deployment):
        try:
            targets = events.list_targets_by_rule(Rule=deployment.rule(handler))["Targets"]
        except ClientError as error:
            if is_missing(error):
                continue  # the rule is missing: told already
            raise
        ours = [one for one in targets if one["Arn"] == deployment.function_arn(handler)]
        changed = [one for one in ours if {"Input", "InputPath", "InputTransformer"} & set(one)]
        rule = deployment.rule(handler)
        facts = {"rule": rule, "function": deployment.function(handler)}
        if changed:
            ids = " ".join(one["Id"] for one in changed)
            remedy = (
                f"aws events remove-targets --region {deployment.region} --rule {rule} "
                f"--ids {ids} && {deployment.deploy_command}"
            )
            yield CheckResult.fault("target", "target_changes_event", remedy, **facts)
        elif ours:
            yield CheckResult.ok("target", **facts)
        else:
            yield CheckResult.fault("target", "target_missing", deployment.deploy_command, **facts)


def permission(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that EventBridge may invoke each function."""
    functions: LambdaClient = clients("lambda", deployment.region)
    for handler in _ruled(deployment):
        name = deployment.function(handler)
        try:
            policy = json.loads(functions.get_policy(FunctionName=name)["Policy"])
        except ClientError as error:
            if not is_missing(error):
                raise
            if configuration(functions, name) is None:
                continue  # told with the function
            policy = {"Statement": []}
        rule_arn = deployment.arn("events", f"rule/{deployment.rule(handler)}")
        source = {"aws:sourcearn": rule_arn, "aws:sourceaccount": deployment.account_id}
        if any(_lets_invoke(one, source) for one in policy["Statement"]):
            yield CheckResult.ok("permission", function=name)
        else:
            remedy = deployment.deploy_command
            yield CheckResult.fault("permission", "permission_missing", remedy, function=name)


def is_off(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule is disabled; EventBridge knows two ways of being enabled."""
    return rule.get("State") == "DISABLED"


def same_pattern(pattern: str | None, needed: Mapping[str, Sequence[str]]) -> bool:
    """Return whether an event pattern is the app's, whatever the order of its lists."""
    given = _read(pattern)
    return given.keys() == needed.keys() and all(
        sorted(map(str, given[name])) == sorted(needed[name]) for name in needed
    )


def covers(pattern: str | None, needed: Mapping[str, Sequence[str]]) -> bool:
    """Return whether an event pattern lets through all that the app asks for, and perhaps more."""
    given = _read(pattern)
    return bool(given) and all(
        isinstance(values, list) and name in needed and all(one in values for one in needed[name])
        for name, values in given.items()
    )


def _read(pattern: str | None) -> dict[str, Any]:
    try:
        value = json.loads(pattern or "")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _ruled(deployment: Deployment) -> list[str]:
    """List the handlers that a rule invokes: all but the queue's."""
    return [handler for handler in deployment.handlers if handler != "on_undelivered"]


def _schedule(handler: str, deployment: Deployment) -> str | None:
    settings = deployment.settings
    return {
        "audit_mfa": settings.mfa_audit_schedule,
        "self_check": settings.self_check_schedule,
    }[handler]


def _described(events: "EventBridgeClient", name: str) -> "DescribeRuleResponseTypeDef | None":
    try:
        return events.describe_rule(Name=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def _lets_invoke(statement: Mapping[str, Any], source: Mapping[str, str]) -> bool:
    """Return whether a statement of a function's policy lets EventBridge invoke it for a rule.

    `source` is what EventBridge says of the rule, by condition key in lower case.
    """
    principal = statement.get("Principal")
    services = principal.get("Service", ()) if isinstance(principal, Mapping) else (principal,)
    conditions = [
        (source[key.lower()], _listed(patterns))
        for condition in statement.get("Condition", {}).values()
        for key, patterns in condition.items()
        if key.lower() in source
    ]
    return (
        statement.get("Effect") == "Allow"
        and any(one in ("events.amazonaws.com", "*") for one in _listed(services))
        and any(
            one in ("lambda:InvokeFunction", "lambda:*", "*")
            for one in _listed(statement.get("Action"))
        )
        and all(any(fnmatchcase(value, one) for one in patterns) for value, patterns in conditions)
    )


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 — a policy has one value or a list of them
    return list(value) if isinstance(value, list | tuple) else [value]
