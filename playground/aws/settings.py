"""The settings of a stage that lives in the embedded AWS and posts to the receiver."""

import json

from chalicelib import resource_names
from chalicelib.baseline.item import EXPIRY, KEY
from playground.aws.embedded import EmbeddedAws
from playground.slack.receiver import Receiver

ACCOUNTS = {"111122223333": "prod", "444455556666": "dev"}


def provision(stage: str, *, aws: EmbeddedAws, receiver: Receiver) -> dict[str, str]:
    """Make a stage's key, ciphertext and queue; return the settings that follow from them."""
    context = {"app": resource_names.APP, "stage": stage}
    alias = resource_names.key_alias(stage)
    queue = resource_names.undelivered_queue(stage)
    aws.make_key(alias)
    aws.make_queue(queue, {"MaximumMessageSize": str(1024 * 1024), "VisibilityTimeout": "420"})
    return {
        "STAGE": stage,
        "WEBHOOK_URL_ENCRYPTED": aws.encrypt(receiver.url, alias, context),
        "WEBHOOK_ENCRYPTION_CONTEXT": json.dumps(context),
        "WEBHOOK_HOSTS": receiver.host,
        "UNDELIVERED_QUEUE": queue,
        "CRITICAL_MENTION": "here",
        "ACCOUNT_NAMES": json.dumps(ACCOUNTS),
    }


def provision_baseline(stage: str, *, aws: EmbeddedAws) -> dict[str, str]:
    """Make a stage's table; return the setting that follows from it."""
    table = resource_names.baseline_table(stage)
    aws.make_table(table, key=KEY, expiry=EXPIRY)
    return {"BASELINE_TABLE": table}
