"""Waits for a real sign-in's decision: the proof from end to end that only an account can give."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final

from chalicelib.aws import event_history
from chalicelib.aws.clients import Clients
from chalicelib.health.deployment import Deployment
from chalicelib.health.regions import enabled_regions
from chalicelib.signin.events import SIGN_INS

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

SECONDS: Final = 600.0
_PAUSE: Final = 10.0


def wait_for_decision(
    deployment: Deployment, clients: Clients, since: datetime
) -> Mapping[str, Any] | None:
    """Return the first decision line of a sign-in after `since`; None if none came in time."""
    end = monotonic() + SECONDS
    while True:
        for line in _decisions(deployment, clients, since):
            if line.get("event_name") in SIGN_INS:
                return line
        if monotonic() + _PAUSE > end:
            return None
        sleep(_PAUSE)


def first_silent_part(deployment: Deployment, clients: Clients, since: datetime) -> str:
    """Return which part of the way did not answer, in a sentence with what to do."""
    now = datetime.now(UTC)
    windows = [
        event_history.Window(region=region, start=since, end=now)
        for region in enabled_regions(clients, deployment.region)
    ]
    regions = {page.window.region for page in event_history.read(clients, windows) if page.events}
    if not regions:
        return (
            "CloudTrail has recorded no sign-in since. It takes up to 15 minutes: "
            f"{deployment.ops_command('doctor', '--wait')} once more."
        )
    recorded = f"CloudTrail recorded a sign-in in {', '.join(sorted(regions))}, but"
    if others := sorted(regions - {deployment.region}):
        return (
            f"{recorded} it did not reach {deployment.function('on_sign_in')}: look at the forward "
            f"of {', '.join(others)}, {deployment.ops_command('regions')}."
        )
    return (
        f"{recorded} {deployment.function('on_sign_in')} decided nothing: look at the rule "
        f"{deployment.rule('on_sign_in')}, its target and permission above."
    )


def _decisions(
    deployment: Deployment, clients: Clients, since: datetime
) -> Iterator[Mapping[str, Any]]:
    logs: CloudWatchLogsClient = clients("logs", deployment.region)
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=deployment.log_group("on_sign_in"),
        startTime=int(since.timestamp() * 1000),
        filterPattern='{ $.decision = "*" }',
    )
    for page in pages:
        for event in page["events"]:
            try:
                line = json.loads(event["message"])
            except ValueError:
                continue
            if isinstance(line, dict) and "decision" in line:
                yield line
