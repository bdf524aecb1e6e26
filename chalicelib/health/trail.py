"""Whether a trail logs sign-ins: EventBridge gets only what a trail logs as management events.

Sources: "Delivering events from AWS services via CloudTrail" (EventBridge User Guide), "Logging
management events" (CloudTrail User Guide).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.console import cloudtrail_page
from chalicelib.health.deployment import Deployment
from chalicelib.health.regions import check_other_regions
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unknown

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_cloudtrail.type_defs import TrailTypeDef

# What an advanced event selector sees of a sign-in.
_SIGN_IN: Final = {
    "eventCategory": "Management",
    "eventSource": "signin.amazonaws.com",
    "eventName": "ConsoleLogin",
    "eventType": "AwsConsoleSignIn",
    "readOnly": "false",
}
_BEST_FIRST: Final = {Status.OK: 0, Status.UNKNOWN: 1, Status.FAULT: 2}


def check_trail(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that a trail logs the sign-ins of each region; one result if one trail serves all."""

    def look(region: str) -> CheckResult:
        return _trail_of(region, deployment, clients)

    home = look(deployment.region)
    yield home
    if home.status is not Status.FAULT and home.region is None:
        return
    for other in check_other_regions("trail", deployment.region, clients, look):
        if other != home:  # the same trail, of all regions
            yield other


def _trail_of(region: str, deployment: Deployment, clients: Clients) -> CheckResult:
    """Return the result of the trail that serves a region best; of no region if it serves all."""
    cloudtrail: CloudTrailClient = clients("cloudtrail", region)
    found = [
        _result_of(trail, region, deployment, clients)
        for trail in cloudtrail.describe_trails(includeShadowTrails=True)["trailList"]
        if trail.get("IsMultiRegionTrail") or trail.get("HomeRegion") == region
    ]
    return min(
        found,
        key=lambda result: (_BEST_FIRST[result.status], result.region is not None),
        default=CheckResult.fault(  # a trail that is made in the home region serves all
            "trail", "trail_missing", cloudtrail_page(deployment.region, "create"), region=region
        ),
    )


def _result_of(
    trail: "TrailTypeDef", region: str, deployment: Deployment, clients: Clients
) -> CheckResult:
    name, arn, home = trail["Name"], trail["TrailARN"], trail["HomeRegion"]
    served = None if trail.get("IsMultiRegionTrail") else region
    cloudtrail: CloudTrailClient = clients("cloudtrail", home)  # only it knows the selectors
    try:
        if not cloudtrail.get_trail_status(Name=arn)["IsLogging"]:
            remedy = f"aws cloudtrail start-logging --region {home} --name {name}"
            return CheckResult.fault("trail", "trail_stopped", remedy, name, region=served)
        if trail.get("IsOrganizationTrail") and f":{deployment.account_id}:" not in arn:
            return _organization_trail(trail, served)
        selectors = cloudtrail.get_event_selectors(TrailName=arn)
    except (ClientError, BotoCoreError) as error:
        return unknown("trail", error, region=served)
    if _selects_sign_ins(selectors):
        return CheckResult.ok("trail", name, region=served)
    # A command would replace what the trail logs besides.
    remedy = cloudtrail_page(home, f"trails/{arn}")
    return CheckResult.fault("trail", "trail_without_sign_ins", remedy, name, region=served)


def _organization_trail(trail: "TrailTypeDef", served: str | None) -> CheckResult:
    """Return what a member account can know of its organisation's trail, which logs.

    The selectors are the management account's to see; by default a trail logs sign-ins.
    """
    if not trail.get("HasCustomEventSelectors"):
        return CheckResult.ok("trail", trail["Name"], region=served)
    return CheckResult(
        check="trail",
        status=Status.UNKNOWN,
        code="organization_trail",
        resource=trail["Name"],
        region=served,
    )


def _selects_sign_ins(selectors: Mapping[str, Any]) -> bool:
    """Return whether a trail's event selectors, of either kind, log a console sign-in."""
    if advanced := selectors.get("AdvancedEventSelectors"):
        return any(all(map(_field_selects, selector["FieldSelectors"])) for selector in advanced)
    default: list[Mapping[str, Any]] = [{}]  # a trail without selectors logs sign-ins
    return any(
        selector.get("IncludeManagementEvents", True)
        and selector.get("ReadWriteType", "All") != "ReadOnly"
        and _SIGN_IN["eventSource"] not in selector.get("ExcludeManagementEventSources", ())
        for selector in selectors.get("EventSelectors") or default
    )


def _field_selects(selector: Mapping[str, Any]) -> bool:
    """Apply one field selector to a sign-in; AWS joins its operators with "and"."""
    value = _SIGN_IN.get(selector["Field"])
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
