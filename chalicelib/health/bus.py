"""Whether the organisation's accounts may send their sign-ins to the home region's bus."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chalicelib.aws.clients import Clients
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


def check_bus(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that the home bus's policy lets the organisation of the settings send."""
    organization = deployment.settings.organization_id
    if not organization:
        return
    events: EventBridgeClient = clients("events", deployment.region)
    text = events.describe_event_bus(Name="default").get("Policy") or "{}"
    allowed = any(
        statement.get("Effect") == "Allow"
        and statement.get("Action") == "events:PutEvents"
        and statement.get("Condition", {}).get("StringEquals", {}).get("aws:PrincipalOrgID")
        == organization
        for statement in json.loads(text).get("Statement", ())
    )
    if allowed:
        yield CheckResult.ok("bus", organization)
    else:
        remedy = deployment.ops_command("regions", f"--apply --organization {organization}")
        yield CheckResult.fault("bus", "bus_refuses", remedy, organization)
