"""Does CloudTrail bring sign-ins to the home region: the trail, and the forwards of other regions.

EventBridge is told of a sign-in only in the region of the record, and only where a trail logs
management events. Sources: "Delivering events from AWS services via CloudTrail" (EventBridge User
Guide), "Logging management events" (CloudTrail User Guide).
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.console import cloudtrail_page
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unknown
from chalicelib.health.rule import covers, is_off

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_cloudtrail.type_defs import TrailTypeDef
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_events import EventBridgeClient

# What an advanced event selector sees of a sign-in.
_A_SIGN_IN: Final = {
    "eventCategory": "Management",
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "eventType": "AwsConsoleSignIn",
    "readOnly": "false",
}


def enabled_regions(clients: Clients, home: str) -> list[str]:
    """List the account's enabled regions by name. Raises what boto3 raises."""
    ec2: EC2Client = clients("ec2", home)
    return sorted(
        region["RegionName"]
        for region in ec2.describe_regions()["Regions"]
        if region.get("OptInStatus") != "not-opted-in"
    )


def trail(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each region has a trail that logs sign-ins; one link if one trail serves all."""

    def look(region: str, clients: Clients) -> CheckResult:
        return _trail_of(region, deployment.region, clients)

    home = look(deployment.region, clients)
    yield home
    if home.state is Status.OK and home.region is None:
        return
    for other in _in_other_regions("trail", look, deployment, clients):
        if other != home:  # the same trail, of all regions: told already
            yield other


def forward(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each other region forwards its sign-ins to the home region's bus."""

    def look(region: str, clients: Clients) -> CheckResult:
        return _forward_of(region, deployment, clients)

    yield from _in_other_regions("forward", look, deployment, clients)


def _in_other_regions(
    name: str, look: Callable[[str, Clients], CheckResult], deployment: Deployment, clients: Clients
) -> Iterator[CheckResult]:
    try:
        regions = enabled_regions(clients, deployment.region)
    except (ClientError, BotoCoreError) as error:
        yield unknown(name, error)
        return

    def look_or_say(region: str) -> CheckResult:
        try:
            return look(region, clients)
        except (ClientError, BotoCoreError) as error:
            return unknown(name, error, region=region)

    others = [region for region in regions if region != deployment.region]
    with ThreadPoolExecutor(max_workers=max(len(others), 1)) as pool:
        yield from pool.map(look_or_say, others)


def _trail_of(region: str, home: str, clients: Clients) -> CheckResult:
    """Find the trail that serves a region best; its link names no region if it serves all."""
    cloudtrail: CloudTrailClient = clients("cloudtrail", region)
    found = [
        _one_trail(one, clients, region)
        for one in cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]
        if one.get("IsMultiRegionTrail") or one.get("HomeRegion") == region
    ]
    best = {Status.OK: 0, Status.UNKNOWN: 1, Status.FAULT: 2}
    ranked = sorted(found, key=lambda result: (best[result.state], result.region is not None))
    return ranked[0] if ranked else _no_trail(region, home)


def _no_trail(region: str, home: str) -> CheckResult:
    """Lead to the home region's console: a trail that is made there serves all regions."""
    return CheckResult.fault("trail", "trail_missing", cloudtrail_page(home, "create"), region)


def _one_trail(one: "TrailTypeDef", clients: Clients, region: str) -> CheckResult:
    name, home = one["Name"], one["HomeRegion"]
    served = None if one.get("IsMultiRegionTrail") else region
    cloudtrail: CloudTrailClient = clients("cloudtrail", home)  # alone knows the selectors
    try:
        if not cloudtrail.get_trail_status(Name=one["TrailARN"])["IsLogging"]:
            remedy = f"aws cloudtrail start-logging --region {home} --name {name}"
            return CheckResult.fault("trail", "trail_stopped", remedy, served, trail=name)
        selectors = cloudtrail.get_event_selectors(TrailName=one["TrailARN"])
    except (ClientError, BotoCoreError) as error:
        return unknown("trail", error, region=served)
    if _selects_sign_ins(selectors):
        return CheckResult.ok("trail", served, trail=name)
    # A command would replace what the trail logs besides.
    remedy = cloudtrail_page(home, f"trails/{one['TrailARN']}")
    return CheckResult.fault("trail", "trail_without_sign_ins", remedy, served, trail=name)


def _selects_sign_ins(selectors: Mapping[str, Any]) -> bool:
    """Return whether a trail's event selectors, of either kind, log a console sign-in."""
    if advanced := selectors.get("AdvancedEventSelectors"):
        return any(
            all(_field_selects(one) for one in selector["FieldSelectors"]) for selector in advanced
        )
    default: list[Mapping[str, Any]] = [{}]  # of a trail that nobody gave any: it logs them
    return any(
        selector.get("IncludeManagementEvents", True)
        and selector.get("ReadWriteType", "All") != "ReadOnly"
        and _A_SIGN_IN["eventSource"] not in selector.get("ExcludeManagementEventSources", ())
        for selector in selectors.get("EventSelectors") or default
    )


def _field_selects(selector: Mapping[str, Any]) -> bool:
    """Apply one field selector to a sign-in; AWS joins its operators with "and"."""
    value = _A_SIGN_IN.get(selector["Field"])
    if value is None:
        return "Equals" not in selector
    tests: Mapping[str, Callable[[str], bool]] = {
        "Equals": value.__eq__,
        "StartsWith": value.startswith,
        "EndsWith": value.endswith,
    }
    wanted = [any(map(test, selector[name])) for name, test in tests.items() if name in selector]
    unwanted = [any(map(test, selector.get(f"Not{name}", ()))) for name, test in tests.items()]
    return all(wanted) and not any(unwanted)


def _forward_of(region: str, deployment: Deployment, clients: Clients) -> CheckResult:
    """Find the rule that forwards a region's sign-ins, or the one that should."""
    events: EventBridgeClient = clients("events", region)
    names = events.list_rule_names_by_target(TargetArn=deployment.bus_arn)["RuleNames"]
    found = [events.describe_rule(Name=name) for name in names]
    right = [one for one in found if covers(one.get("EventPattern"), deployment.pattern)]
    apply = deployment.ops_command("regions", "--apply")
    if not right:
        if not found:
            return CheckResult.fault("forward", "forward_missing", apply, region)
        return CheckResult.fault("forward", "forward_partial", apply, region, rule=found[0]["Name"])
    best = min(right, key=is_off)
    name = best["Name"]
    if is_off(best):
        remedy = f"aws events enable-rule --region {region} --name {name}"
        return CheckResult.fault("forward", "forward_disabled", remedy, region, rule=name)
    targets = events.list_targets_by_rule(Rule=name)["Targets"]
    roles = [one.get("RoleArn", "") for one in targets if one["Arn"] == deployment.bus_arn]
    if not any(roles):  # a bus in another region takes events from a role only
        return CheckResult.fault("forward", "forward_without_role", apply, region, rule=name)
    return CheckResult.ok("forward", region, rule=name, role=roles[0])
