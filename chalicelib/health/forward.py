"""Whether a region forwards its sign-ins to the home region's bus.

A sign-in lands in the region whose endpoint took it, and whoever signs in picks that region. The
answer is the same for doctor, self-check, `regions` and `setup`, whoever made the rule.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import resource_names
from chalicelib.aws.clients import Clients
from chalicelib.health.deployment import Deployment
from chalicelib.health.regions import check_other_regions
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unknown
from chalicelib.health.role import Right, RoleUse, result_of_role
from chalicelib.health.rule import changes_event, covers, is_off, retries_less
from chalicelib.signin.events import ALL_EVENTS

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient

_BEST_FIRST: Final = (
    "",
    "forward_without_reads",
    "forward_retries_less",
    "forward_changes_event",
    "forward_without_role",
    "forward_disabled",
    "forward_partial",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """The rule of one region that forwards sign-ins, or comes closest to it.

    `code` names what is wrong with it, and is empty if it forwards; `role` is an ARN.
    """

    region: str
    code: str = ""
    rule: str = ""
    role: str = ""


def forward_of(
    region: str, bus_arn: str, pattern: Mapping[str, Sequence[str]], clients: Clients
) -> Forward:
    """Return how a region forwards what the pattern asks for. Raises what boto3 raises."""
    events: EventBridgeClient = clients("events", region)
    names = events.list_rule_names_by_target(TargetArn=bus_arn)["RuleNames"]
    found = [_forward_by(name, region, bus_arn, pattern, events) for name in names]
    return min(
        found,
        key=lambda forward: _BEST_FIRST.index(forward.code),
        default=Forward(region=region, code="forward_missing"),
    )


def _forward_by(
    name: str,
    region: str,
    bus_arn: str,
    pattern: Mapping[str, Sequence[str]],
    events: "EventBridgeClient",
) -> Forward:
    rule = events.describe_rule(Name=name)
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    to_bus = [target for target in targets if target["Arn"] == bus_arn]
    roles = [target.get("RoleArn", "") for target in to_bus]
    code = ""
    if not covers(rule.get("EventPattern"), pattern):
        code = "forward_partial"
    elif is_off(rule):
        code = "forward_disabled"
    elif not any(roles):  # a bus in another region takes events from a role only
        code = "forward_without_role"
    elif any(map(changes_event, to_bus)):
        code = "forward_changes_event"
    elif any(map(retries_less, to_bus)):
        code = "forward_retries_less"
    elif rule.get("State") != ALL_EVENTS:
        code = "forward_without_reads"
    return Forward(region=region, code=code, rule=name, role=next(filter(None, roles), ""))


def check_forward(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each other region forwards its sign-ins to the home region's bus, by a role."""

    def look(region: str) -> CheckResult:
        forward = forward_of(region, deployment.bus_arn, deployment.pattern, clients)
        if not forward.code:
            return CheckResult.ok("forward", forward.rule, region=region, role=forward.role)
        remedy = _remedy(forward, deployment)
        return CheckResult.fault("forward", forward.code, remedy, forward.rule, region=region)

    by_role: dict[str, list[CheckResult]] = {}
    for result in check_other_regions("forward", deployment.region, clients, look):
        yield result
        if result.status is Status.OK:
            by_role.setdefault(result.facts["role"], []).append(result)
    yield from _check_roles(by_role, deployment, clients)


def _check_roles(
    by_role: Mapping[str, Sequence[CheckResult]], deployment: Deployment, clients: Clients
) -> Iterator[CheckResult]:
    """See that EventBridge may use each role of forwards that are well, and the role send."""
    apply = deployment.ops_command("regions", "--apply")
    send = Right(actions=("events:PutEvents",), resources=(deployment.bus_arn,))
    iam: IAMClient = clients("iam", deployment.region)
    for arn, forwards in by_role.items():
        use = RoleUse(
            arn=arn,
            service="events.amazonaws.com",
            sources=[_source_of(forward, deployment) for forward in forwards],
            rights=[send],
            remedy=apply,
            trust_remedy=apply,
        )
        try:
            yield result_of_role(
                use,
                deployment,
                iam,
                regions=", ".join(filter(None, (forward.region for forward in forwards))),
            )
        except (ClientError, BotoCoreError) as error:
            yield unknown("role", error)


def _source_of(forward: CheckResult, deployment: Deployment) -> Mapping[str, str]:
    """Return what EventBridge says of a rule when it takes its role."""
    account = deployment.account_id
    rule = f"arn:{deployment.partition}:events:{forward.region}:{account}:rule/{forward.resource}"
    return {"aws:sourceaccount": account, "aws:sourcearn": rule}


def _remedy(forward: Forward, deployment: Deployment) -> str:
    """Return the command that repairs a forward, whoever made it."""
    of_rule = f"--region {forward.region} --name {forward.rule}"
    is_ours = forward.rule == resource_names.forward(deployment.stage)
    match forward.code:
        case "forward_disabled" if not is_ours:
            return f"aws events enable-rule {of_rule}"
        case "forward_without_reads" if not is_ours:
            pattern = json.dumps(deployment.pattern)
            return f"aws events put-rule {of_rule} --state {ALL_EVENTS} --event-pattern '{pattern}'"
    return deployment.ops_command("regions", "--apply")
