"""What the functions' own log groups say: what was decided of which event, and the last run."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import code_of, is_missing
from chalicelib.decision import is_authentic
from chalicelib.errors import AWSReadError
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import configuration
from chalicelib.self_check.checkpoint import RUN_MARKER, Checkpoint

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

POSTING_HANDLERS: Final = ("on_sign_in", "on_undelivered", "self_check")

_DECISIONS: Final = '{ $.decision = "*" }'
_RUNS: Final = f'{{ $.self_check = "{RUN_MARKER}" }}'


# As Lambda names them ("Viewing CloudWatch logs for Lambda", AWS Lambda Developer Guide).
_STREAM: Final = re.compile(r"\d{4}/\d{2}/\d{2}/.*\[[^\]]+\][0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a function decided of an event, and when.

    `record` is the digest of the event. One that is not authentic was written before the function
    was last changed, with another webhook or by an earlier release.
    """

    event_id: str
    event_name: str
    record: str | None
    verdict: str
    reason: str | None
    handler: str
    at: datetime
    is_authentic: bool = True
    familiar: bool = False
    person: str | None = None

    @classmethod
    def from_line(
        cls, line: Mapping[str, Any], handler: str, at: datetime, *, is_authentic: bool = True
    ) -> Self:
        """Read a decision line, which may be of another release."""
        person = line.get("person")
        return cls(
            event_id=str(line.get("event_id")),
            event_name=str(line.get("event_name")),
            record=line.get("record") if is_authentic else None,
            verdict=str(line["decision"]),
            reason=line.get("reason"),
            handler=handler,
            at=at,
            is_authentic=is_authentic,
            familiar=line.get("familiar") is True,
            person=person if isinstance(person, str) else None,
        )


class DecisionLog:
    """The log groups of one stage, whose lines are authentic if they bear the MAC of `key`.

    Whoever may write to CloudWatch's logs can write lines of any content into any group.
    """

    def __init__(
        self, deployment: Deployment, clients: Clients, until: float, key: bytes | None
    ) -> None:
        self._deployment = deployment
        self._clients = clients
        self._logs: CloudWatchLogsClient = clients("logs", deployment.region)
        self._until = until
        self._key = key
        self._changed_at: dict[str, datetime | None] = {}
        self._forged: list[tuple[str, int]] = []
        self._reported_until = 0
        self.problem: AWSReadError | None = None

    def last_run(self, since: datetime) -> Checkpoint:
        """Return what the last run left behind; an empty checkpoint if there was none."""
        authentic: list[tuple[str, int, Checkpoint]] = []
        older: list[tuple[str, int, Checkpoint]] = []
        for event, line in list(self._lines("self_check", _RUNS, since)):
            if line.get("self_check") != RUN_MARKER:
                continue
            ingested = event["ingestionTime"]
            with suppress(AttributeError, LookupError, TypeError, ValueError):
                if is_authentic(line, self._key):  # a copy of one says nothing new
                    checkpoint = Checkpoint.from_line(line)
                    authentic.append((str(line.get("at")), ingested, checkpoint))
                elif self._is_older(event, "self_check"):
                    checkpoint = Checkpoint.from_line(line).until(_moment(ingested))
                    older.append((_moment(ingested).isoformat(), ingested, checkpoint))
                elif line.get("mac", "") is not None:
                    self._forged.append(("self_check", ingested))
        if not (found := authentic or older):
            return Checkpoint()
        _, ingested, checkpoint = max(found, key=lambda one: one[:2])
        self._reported_until = ingested
        return checkpoint

    @property
    def forged(self) -> Counter[str]:
        """How many forged lines came since the last run, by the handler in whose log they are."""
        return Counter(name for name, at in self._forged if at > self._reported_until)

    def decisions(self, since: datetime) -> list[Decision]:
        """List what was decided, oldest first for each function, as far as it can be read."""
        return [
            decision
            for handler in POSTING_HANDLERS
            for event, line in self._lines(handler, _DECISIONS, since)
            if "decision" in line and (decision := self._decision(event, line, handler))
        ]

    def _decision(
        self, event: "FilteredLogEventTypeDef", line: Mapping[str, Any], handler: str
    ) -> Decision | None:
        """Return the decision of a line; None if it proves nothing."""
        authentic = is_authentic(line, self._key)
        if not authentic and not self._is_older(event, handler):
            if line.get("mac", "") is not None:  # a function without its webhook writes no MAC
                self._forged.append((handler, event["ingestionTime"]))
            return None
        at = _moment(event["timestamp"])
        return Decision.from_line(line, handler, at, is_authentic=authentic)

    def _is_older(self, event: "FilteredLogEventTypeDef", handler: str) -> bool:
        """Return whether a line was written before its function was last changed."""
        if handler not in self._changed_at:
            self._changed_at[handler] = self._last_change(handler)
        changed_at = self._changed_at[handler]
        return (
            changed_at is not None
            and bool(_STREAM.fullmatch(event.get("logStreamName", "")))
            and _moment(event["ingestionTime"]) < changed_at
        )

    def _last_change(self, handler: str) -> datetime | None:
        functions: LambdaClient = self._clients("lambda", self._deployment.region)
        try:
            found = configuration(functions, self._deployment.function(handler))
        except (ClientError, BotoCoreError):
            return None  # reported with the function
        return datetime.fromisoformat(found["LastModified"]).astimezone(UTC) if found else None

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
    ) -> "Iterator[tuple[FilteredLogEventTypeDef, Mapping[str, Any]]]":
        """Yield the JSON lines of a function's log, oldest first; `problem` says what ended it."""
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
                        yield event, line
                if time.monotonic() > self._until:
                    self.problem = AWSReadError(f"There was no time to read the log group {group}.")
                    return
        except ClientError as error:
            if is_missing(error):
                return  # the function is not deployed, or has never run
            self.problem = AWSReadError(
                f"The log group {group} cannot be read: logs:FilterLogEvents gives "
                f"{code_of(error)}."
            )
        except BotoCoreError as error:
            self.problem = AWSReadError(
                f"The log group {group} cannot be read ({type(error).__name__})."
            )


def _read(message: str) -> Mapping[str, Any] | None:
    try:
        line = json.loads(message)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
