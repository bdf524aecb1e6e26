"""Whether EventBridge invokes the functions: the rules, their targets, the permissions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from chalicelib import resource_names
from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_missing
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import configuration
from chalicelib.health.policy import lets_in
from chalicelib.health.result import CheckResult
from chalicelib.signin.events import ALL_EVENTS, READ_ONLY_PATTERN

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import DescribeRuleResponseTypeDef
    from mypy_boto3_lambda import LambdaClient

# What EventBridge does for a target that does not say otherwise ("How EventBridge retries
# delivering events", Amazon EventBridge User Guide).
_RETRIES: Final = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}


def check_rule(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that the rule of each handler is there, on, and asks for what the app asks for."""
    events: EventBridgeClient = clients("events", deployment.region)
    for handler in _handlers_with_rule(deployment):
        name = deployment.rule(handler)
        code = _fault_of(_described(events, name), handler, deployment)
        remedy = deployment.deploy_command
        if code == "rule_disabled":
            remedy = f"aws events enable-rule --region {deployment.region} --name {name}"
        if code:
            yield CheckResult.fault("rule", code, remedy, name, handler=handler)
        else:
            yield CheckResult.ok("rule", name, handler=handler)


def _fault_of(
    rule: "DescribeRuleResponseTypeDef | None", handler: str, deployment: Deployment
) -> str:
    """Return the code of what is wrong with a handler's rule, or ""."""
    if rule is None:
        return "rule_missing"
    if is_off(rule):
        return "rule_disabled"
    if handler == "on_sign_in":
        asks = same_pattern(rule.get("EventPattern"), deployment.pattern)
        return "" if asks else "rule_pattern"
    return "" if rule.get("ScheduleExpression") == deployment.schedule(handler) else "rule_schedule"


def check_read_only_rule(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that a rule brings on_sign_in read-only events, such as those of `aws login`.

    Chalice's rule may do so, as CloudFormation makes it; else there is a second rule.
    """
    events: EventBridgeClient = clients("events", deployment.region)
    main = _described(events, deployment.rule("on_sign_in"))
    if main and main.get("State") == ALL_EVENTS:
        return
    name = resource_names.read_only_rule(deployment.stage)
    rule = _described(events, name)
    functions: LambdaClient = clients("lambda", deployment.region)
    arn = deployment.function_arn("on_sign_in")
    if (
        rule
        and rule.get("State") == ALL_EVENTS
        and _read(rule.get("EventPattern")) == READ_ONLY_PATTERN
        and any(
            target["Arn"] == arn and not changes_event(target) and not retries_less(target)
            for target in events.list_targets_by_rule(Rule=name)["Targets"]
        )
        and _may_invoke("on_sign_in", name, deployment, functions)
    ):
        yield CheckResult.ok("read_only_rule", name, handler="on_sign_in")
    else:
        remedy = deployment.ops_command("setup")
        yield CheckResult.fault(
            "read_only_rule", "read_only_rule", remedy, name, handler="on_sign_in"
        )


def check_target(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each rule leads to its function, with the event as it is."""
    events: EventBridgeClient = clients("events", deployment.region)
    for handler in _handlers_with_rule(deployment):
        rule = deployment.rule(handler)
        try:
            targets = events.list_targets_by_rule(Rule=rule)["Targets"]
        except ClientError as error:
            if is_missing(error):
                continue  # reported with the rule
            raise
        function, remedy = deployment.function(handler), deployment.deploy_command
        arn = deployment.function_arn(handler)
        ours = [target for target in targets if target["Arn"] == arn]
        changing = [target["Id"] for target in ours if changes_event(target)]
        differing = [target["Id"] for target in ours if retries_less(target) or "RoleArn" in target]
        code = (
            ("target_changes_event" if changing else "target_differs" if differing else "")
            if ours
            else "target_missing"
        )
        if not code:
            yield CheckResult.ok("target", rule, handler=handler, function=function)
            continue
        if unfit := changing or differing:
            remedy = (
                f"aws events remove-targets --region {deployment.region} --rule {rule} "
                f"--ids {' '.join(unfit)} && {remedy}"
            )
        yield CheckResult.fault("target", code, remedy, rule, handler=handler, function=function)


def check_permission(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that EventBridge may invoke each function."""
    functions: LambdaClient = clients("lambda", deployment.region)
    for handler in _handlers_with_rule(deployment):
        name = deployment.function(handler)
        if _may_invoke(handler, deployment.rule(handler), deployment, functions):
            yield CheckResult.ok("permission", name, handler=handler)
        elif configuration(functions, name):  # else reported with the function
            remedy = deployment.deploy_command
            yield CheckResult.fault(
                "permission", "permission_missing", remedy, name, handler=handler
            )


def _may_invoke(handler: str, rule: str, deployment: Deployment, functions: "LambdaClient") -> bool:
    """Return whether a function's policy lets EventBridge invoke it for a rule."""
    try:
        policy = functions.get_policy(FunctionName=deployment.function(handler))["Policy"]
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    rule_arn = deployment.arn("events", f"rule/{rule}")
    source = {"aws:sourcearn": rule_arn, "aws:sourceaccount": deployment.account_id}
    return lets_in(json.loads(policy), "events.amazonaws.com", "lambda:InvokeFunction", source)


def changes_event(target: Mapping[str, Any]) -> bool:
    """Return whether a rule's target gets something else than the event."""
    return not {"Input", "InputPath", "InputTransformer"}.isdisjoint(target)


def retries_less(target: Mapping[str, Any]) -> bool:
    """Return whether EventBridge gives up a rule's target sooner than it does by default."""
    policy = target.get("RetryPolicy", {})
    return any(policy.get(name, default) < default for name, default in _RETRIES.items())


def is_off(rule: Mapping[str, Any]) -> bool:
    """Return whether a rule is disabled; EventBridge knows two ways of being enabled."""
    return rule.get("State") == "DISABLED"


def same_pattern(pattern: str | None, needed: Mapping[str, Sequence[str]]) -> bool:
    """Return whether an event pattern is the app's, whatever the order of its lists."""
    given = _read(pattern)
    return given.keys() == needed.keys() and all(
        isinstance(given[name], list) and sorted(map(str, given[name])) == sorted(needed[name])
        for name in needed
    )


def covers(pattern: str | None, needed: Mapping[str, Sequence[str]]) -> bool:
    """Return whether an event pattern lets through all that the app asks for, and perhaps more."""
    given = _read(pattern)
    return bool(given) and all(
        isinstance(values, list)
        and name in needed
        and all(value in values for value in needed[name])
        for name, values in given.items()
    )


def _read(pattern: str | None) -> dict[str, Any]:
    try:
        value = json.loads(pattern or "")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _handlers_with_rule(deployment: Deployment) -> list[str]:
    """Return the handlers that a rule invokes: all but the queue's."""
    return [handler for handler in deployment.handlers if handler != "on_undelivered"]


def _described(events: "EventBridgeClient", name: str) -> "DescribeRuleResponseTypeDef | None":
    try:
        return events.describe_rule(Name=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
