"""The VPC that a stage's functions are in, if any, and what they must reach from there."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chalicelib.aws.clients import Clients
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import configuration
from chalicelib.health.result import CheckResult
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def destinations(settings: Settings) -> str:
    """Return what the functions of a stage call: a VPC without a way there loses sign-ins.

    A NAT gateway leads to all of them. AWS's services have VPC endpoints as well; Slack has none,
    nor have the other regions, which the self-check asks for their event history.
    """
    services = ["Slack", "KMS"]
    if settings.undelivered_queue:
        services.append("SQS")
    if settings.baseline_table:
        services.append("DynamoDB")
    if settings.mfa_audit_schedule or settings.self_check_schedule:
        services.append("IAM")
    if settings.self_check_schedule:
        services += ["CloudTrail in every region", "CloudWatch", "EC2", "EventBridge", "Lambda"]
    return " · ".join(services)


def check_vpc(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """Name the subnets of the functions, and what must be reachable from them."""
    functions: LambdaClient = clients("lambda", deployment.region)
    subnets = {
        subnet
        for handler in deployment.handlers
        for found in [configuration(functions, deployment.function(handler))]
        if found
        for subnet in found.get("VpcConfig", {}).get("SubnetIds", [])
    }
    if subnets:
        yield CheckResult.ok(
            "vpc",
            subnets=", ".join(sorted(subnets)),
            needs_a_way_to=destinations(deployment.settings),
        )
