"""The stage prod as it is deployed; `playground.aws.deployed_stage` makes its parts."""

import json

from chalicelib.health.deployment import Deployment
from playground.aws import deployed_stage
from playground.aws.deployed_stage import (
    HOME,
    TRAIL,
    clients,
    forwards,
    read_only_rule,
    trail,
)
from playground.aws.embedded import EmbeddedAws

__all__ = [
    "FORWARD_ROLE",
    "HOME",
    "QUEUE",
    "TRAIL",
    "clients",
    "forwards",
    "read_only_rule",
    "trail",
]

STAGE = "prod"
FORWARD_ROLE = "signin-monitor-prod-forward"
QUEUE = "signin-monitor-prod-undelivered"
CONTEXT = {"app": "signin-monitor", "stage": STAGE}


def variables(aws: EmbeddedAws, deployment: Deployment) -> dict[str, str]:
    """Return the variables of a deployed stage, as its configuration has them."""
    found: dict[str, str] = clients(aws)("lambda", HOME).get_function_configuration(
        FunctionName=deployment.function("on_sign_in")
    )["Environment"]["Variables"]
    return found


def build(
    aws: EmbeddedAws, webhook: str = "https://hooks.slack.com/services/T0/B0/fake", **more: str
) -> Deployment:
    """Make everything that `setup`, `chalice deploy` and `regions --apply` make."""
    alias = f"alias/signin-monitor-{STAGE}"
    aws.make_key(alias)
    aws.make_queue(QUEUE, {"VisibilityTimeout": "420", "MessageRetentionPeriod": "1209600"})
    environment = {
        "STAGE": STAGE,
        "WEBHOOK_URL_ENCRYPTED": aws.encrypt(webhook, alias, CONTEXT),
        "WEBHOOK_ENCRYPTION_CONTEXT": json.dumps(CONTEXT),
        "UNDELIVERED_QUEUE": QUEUE,
        "SELF_CHECK_SCHEDULE": "rate(1 hour)",
        **more,
    }
    return deployed_stage.build(aws, environment)
