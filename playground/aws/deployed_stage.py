"""A deployed stage in the embedded AWS with everything in place that the health checks look at.

Made with AWS's own calls, not with `chalice deploy`, so that it is there within a second; that a
real deploy looks the same is proven where the package is deployed.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from chalicelib import resource_names
from chalicelib.aws.clients import Clients
from chalicelib.health.deployment import Deployment
from chalicelib.health.regions import enabled_regions
from chalicelib.settings import Settings
from chalicelib.signin.events import ALL_EVENTS, READ_ONLY_PATTERN, SIGN_IN_PATTERN
from ops.iam import grants
from playground.aws.embedded import ACCOUNT_ID, HOME_REGION, EmbeddedAws

HOME: Final = HOME_REGION
TRAIL: Final = "all-regions"
# The last region is not enabled.
FEW_REGIONS: Final = [
    region
    for name in (HOME, "eu-west-1", "sa-east-1", "me-central-1")
    for region in RegionsAndZonesBackend.regions
    if region.name == name
]
_TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "lambda.amazonaws.com"]},
        "Action": "sts:AssumeRole",
    },
}


@cache
def clients(aws: EmbeddedAws) -> Clients:
    """Return a maker of clients that makes each once: making them is what takes long."""
    return cache(aws.client)


@contextmanager
def few_regions() -> Iterator[None]:
    """Let the embedded AWS have those regions only, to save time."""
    all_of_them = RegionsAndZonesBackend.regions
    RegionsAndZonesBackend.regions = FEW_REGIONS
    try:
        yield
    finally:
        RegionsAndZonesBackend.regions = all_of_them


def build(aws: EmbeddedAws, environment: Mapping[str, str]) -> Deployment:
    """Make what `chalice deploy` and `regions --apply` make, and a trail.

    The stage's key and queue are there already, as after `setup`.
    """
    deployment = Deployment(
        settings=Settings.from_environment(environment),
        account_id=ACCOUNT_ID,
        pattern=SIGN_IN_PATTERN,
    )
    trail(aws)
    asks = {
        "on_sign_in": {"EventPattern": json.dumps(SIGN_IN_PATTERN)},
        "audit_mfa": {"ScheduleExpression": deployment.settings.mfa_audit_schedule or ""},
        "self_check": {"ScheduleExpression": deployment.settings.self_check_schedule or ""},
    }
    for handler in deployment.handlers:
        document = grants.document(deployment.settings, handler)
        role = _role(aws, deployment.function(handler), document)
        _function(aws, deployment, handler, role, environment)
        if handler == "on_undelivered":
            clients(aws)("lambda", HOME).create_event_source_mapping(
                EventSourceArn=deployment.queue_arn, FunctionName=deployment.function(handler)
            )
        else:
            _rule(aws, deployment, handler, deployment.rule(handler), asks[handler])
    read_only_rule(aws, deployment)
    forwards(aws, deployment)
    return deployment


def read_only_rule(aws: EmbeddedAws, deployment: Deployment) -> None:
    """Make the second rule of the home region, as `setup` and the guard do."""
    name = resource_names.read_only_rule(deployment.stage)
    asks = {"EventPattern": json.dumps(READ_ONLY_PATTERN), "State": ALL_EVENTS}
    ids = {"target": "on_sign_in", "statement": "read-only-events"}  # as `setup` names them
    _rule(aws, deployment, "on_sign_in", name, asks, **ids)


def forwards(aws: EmbeddedAws, deployment: Deployment) -> None:
    """Let each other region forward to the home region."""
    send = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": deployment.bus_arn}
    name = resource_names.forward(deployment.stage)
    role = _role(aws, name, {"Version": "2012-10-17", "Statement": [send]})
    for region in enabled_regions(clients(aws), HOME):
        if region != HOME:
            _forward(aws, deployment, region, role)


def trail(aws: EmbeddedAws) -> None:
    """Make a trail of all regions that logs."""
    clients(aws)("s3", HOME).create_bucket(Bucket="trail")
    cloudtrail = clients(aws)("cloudtrail", HOME)
    cloudtrail.create_trail(Name=TRAIL, S3BucketName="trail", IsMultiRegionTrail=True)
    cloudtrail.start_logging(Name=TRAIL)


def _role(aws: EmbeddedAws, name: str, document: Mapping[str, Any]) -> str:
    iam = clients(aws)("iam", HOME)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_TRUST))
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(document))
    arn: str = role["Role"]["Arn"]
    return arn


def _function(
    aws: EmbeddedAws,
    deployment: Deployment,
    handler: str,
    role: str,
    environment: Mapping[str, str],
) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), "")  # the same archive for all of them
    clients(aws)("lambda", HOME).create_function(
        FunctionName=deployment.function(handler),
        Role=role,
        Runtime="python3.13",
        Handler=f"app.{handler}",
        Timeout=60,
        Code={"ZipFile": package.getvalue()},
        Environment={"Variables": dict(environment)},
    )
    logs = clients(aws)("logs", HOME)
    logs.create_log_group(logGroupName=deployment.log_group(handler))
    logs.put_retention_policy(logGroupName=deployment.log_group(handler), retentionInDays=7)


def _rule(
    aws: EmbeddedAws,
    deployment: Deployment,
    handler: str,
    name: str,
    asks: Mapping[str, str],
    *,
    target: str = "1",
    statement: str = "events",
) -> None:
    events = clients(aws)("events", HOME)
    rule = events.put_rule(Name=name, **asks)
    function = deployment.function_arn(handler)
    events.put_targets(Rule=name, Targets=[{"Id": target, "Arn": function}])
    clients(aws)("lambda", HOME).add_permission(
        FunctionName=deployment.function(handler),
        StatementId=statement,
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule["RuleArn"],
    )


def _forward(aws: EmbeddedAws, deployment: Deployment, region: str, role: str) -> None:
    events = clients(aws)("events", region)
    events.put_rule(Name="forward", EventPattern=json.dumps(SIGN_IN_PATTERN), State=ALL_EVENTS)
    target = {"Id": "home", "Arn": deployment.bus_arn, "RoleArn": role}
    events.put_targets(Rule="forward", Targets=[target])
