"""What the functions' own log groups say: what was decided of which event, and the last run."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_denied, is_missing
from chalicelib.errors import AWSReadError
from chalicelib.health.deployment import Deployment
from chalicelib.self_check.checkpoint import RUN_MARKER, Checkpoint

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

POSTING_HANDLERS: Final = ("on_sign_in", "on_undelivered", "self_check")

_DECISIONS: Final = '{ $.decision = "*" }'
_RUNS: Final = f'{{ $.self_check = "{RUN_MARKER}" }}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a function decided of an event, and when."""

    event_id: str
    event_name: str
    verdict: str
    handler: str
    at: datetime
    familiar: bool = False
    person: str | None = None

    @classmethod
    def from_line(cls, line: Mapping[str, Any], handler: str, at: datetime) -> Self:
        """Read a decision line, which may be of another release."""
        person = line.get("person")
        return cls(
            event_id=str(line.get("event_id")),
            event_name=str(line.get("event_name")),
            verdict=str(line["decision"]),
            handler=handler,
            at=at,
            familiar=line.get("familiar") is True,
            person=person if isinstance(person, str) else None,
        )


class DecisionLog:
    """The log groups of one stage. Raises AWSReadError where they cannot be read in time."""

    def __init__(self, deployment: Deployment, clients: Clients, until: float) -> None:
        self._deployment = deployment
        self._logs: CloudWatchLogsClient = clients("logs", deployment.region)
        self._until = until

    def last_run(self, since: datetime) -> Checkpoint:
        """Return what the last run left behind; an empty memory if there was none."""
        memory = Checkpoint()
        for _, line in self._lines("self_check", _RUNS, since):
            if line.get("self_check") == RUN_MARKER:
                with suppress(AttributeError, LookupError, TypeError, ValueError):
                    memory = Checkpoint.from_line(line)  # unless another release wrote it
        return memory

    def decisions(self, since: datetime) -> list[Decision]:
        """List what was decided, oldest first for each function."""
        return [
            Decision.from_line(line, handler, at)
            for handler in POSTING_HANDLERS
            for at, line in self._lines(handler, _DECISIONS, since)
            if "decision" in line
        ]

    def deployed_at(self) -> datetime | None:
        """Return when the stage was deployed: Chalice made the log group then. None if unknown."""
        name = self._deployment.log_group("on_sign_in")
        try:
            groups = self._logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        except (ClientError, BotoCoreError):
            return None
        return next(
            (_moment(one["creationTime"]) for one in groups if one["logGroupName"] == name), None
        )

    def _lines(
        self, handler: str, pattern: str, since: datetime
    ) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
        """Return the JSON lines of a function's log, oldest first, with the time of each."""
        group = self._deployment.log_group(handler)
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=group,
            filterPattern=pattern,
            startTime=int(since.timestamp() * 1000),
        )
        try:
            for page in pages:
                for event in page["events"]:
                    line = _read(event["message"])
                    if line is not None:
                        yield _moment(event["timestamp"]), line
                if time.monotonic() > self._until:
                    raise AWSReadError(f"There was not the time to read the log group {group}.")
        except ClientError as error:
            if is_missing(error):
                return  # the function is not deployed, or has never run
            remedy = (
                "Its policy file in .chalice must allow it: "
                + self._deployment.ops_command("policies")
                if is_denied(error)
                else "A later try may work."
            )
            raise AWSReadError(
                f"The self-check cannot read the log group {group}: logs:FilterLogEvents gives "
                f"{error.response['Error']['Code']}. {remedy}"
            ) from None
        except BotoCoreError as error:
            raise AWSReadError(
                f"The self-check cannot read the log group {group} ({type(error).__name__})."
            ) from None


def _read(message: str) -> Mapping[str, Any] | None:
    try:
        line = json.loads(message)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
