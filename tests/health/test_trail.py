"""An organisation's trail, as a member account sees it: moto has no organisation of this kind."""

from types import SimpleNamespace

from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.trail import check_trail
from chalicelib.signin.events import SIGN_IN_PATTERN
from tests.support.stage import stage


def check_organization_trail(*, custom_selectors: bool) -> list[CheckResult]:
    """Check a trail of all regions of another account; asking for its selectors would fail."""
    trail = {
        "Name": "org-trail-1",
        "TrailARN": "arn:aws:cloudtrail:us-east-1:999999999999:trail/org-trail-1",
        "HomeRegion": "us-east-1",
        "IsMultiRegionTrail": True,
        "IsOrganizationTrail": True,
        "HasCustomEventSelectors": custom_selectors,
    }
    cloudtrail = SimpleNamespace(
        describe_trails=lambda **_: {"trailList": [trail]},
        get_trail_status=lambda **_: {"IsLogging": True},
    )
    deployment = Deployment(settings=stage(), account_id="111122223333", pattern=SIGN_IN_PATTERN)
    return list(check_trail(deployment, lambda *_: cloudtrail))


def test_a_trail_with_default_selectors_logs_sign_ins() -> None:
    (result,) = check_organization_trail(custom_selectors=False)
    assert (result.status, result.resource) == (Status.OK, "org-trail-1")


def test_custom_selectors_are_the_management_accounts_to_see() -> None:
    (result,) = check_organization_trail(custom_selectors=True)
    assert (result.status, result.code) == (Status.UNKNOWN, "organization_trail")
