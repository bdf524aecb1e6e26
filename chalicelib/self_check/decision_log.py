"""What the functions' own log groups say: what was decided of which event, and the last run.

Whoever may write to CloudWatch's logs can write lines of any content, and any number, into any
group. What counts is the MAC of a line; what is newest is read first, so that what there is no
time for is the oldest.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import code_of, is_missing, is_throttled
from chalicelib.decision import is_authentic
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import configuration
from chalicelib.self_check.checkpoint import RUN_MARKER, Checkpoint, Key
from chalicelib.timeout import collect

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import (
        FilteredLogEventTypeDef,
        FilterLogEventsRequestTypeDef,
        FilterLogEventsResponseTypeDef,
    )

POSTING_HANDLERS: Final = ("self_check", "on_undelivered", "on_sign_in")

_DECISIONS: Final = '{ $.decision = "*" }'
_RUNS: Final = f'{{ $.self_check = "{RUN_MARKER}" }}'
# The newest span to read; each one before is twice as long.
_NEWEST: Final = timedelta(hours=1)
_PAUSE: Final = 1.0  # seconds, after a throttling
_FUTURE: Final = timedelta(days=1)

_SKEW: Final = timedelta(minutes=1)  # of Lambda's clocks

# As Lambda names them ("How CloudWatch structures logs", AWS Lambda Operator Guide).
_STREAM: Final = re.compile(r"\d{4}/\d{2}/\d{2}/.*\[[^\]]+\][0-9a-f]{32}")

Line = tuple["FilteredLogEventTypeDef", Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a function decided of an event, and when.

    `record` is the digest of the event, `delay` from the event to the decision. One that is not
    authentic was written before the function was last changed: with another webhook, or by release
    1.0, which wrote neither MAC nor `record` (until 1.2).
    """

    event_id: str
    event_name: str
    record: str | None
    verdict: str
    reason: str | None
    handler: str
    at: datetime
    delay: timedelta = timedelta(0)
    is_authentic: bool = True
    familiar: bool = False
    person: str | None = None

    @property
    def key(self) -> Key:
        """What names the sign-in: its id, and the digest of what happened."""
        return self.event_id, self.record

    @classmethod
    def from_line(
        cls, line: Mapping[str, Any], handler: str, at: datetime, *, is_authentic: bool = True
    ) -> Self:
        """Read a decision line, which may be of another release."""
        person, delay = line.get("person"), line.get("delay_ms")
        return cls(
            event_id=str(line.get("event_id")),
            event_name=str(line.get("event_name")),
            record=line.get("record") if is_authentic else None,
            verdict=str(line["decision"]),
            reason=line.get("reason"),
            handler=handler,
            at=at,
            delay=timedelta(milliseconds=delay if is_authentic and isinstance(delay, int) else 0),
            is_authentic=is_authentic,
            familiar=line.get("familiar") is True,
            person=person if isinstance(person, str) else None,
        )


class _Run(NamedTuple):
    """A checkpoint in the log, and when CloudWatch took its line in."""

    taken_in: int
    checkpoint: Checkpoint
    is_authentic: bool = False

    def order(self) -> tuple[bool, datetime, int]:
        """Return what is greatest of the newest run: of its copies, the first is the run's own."""
        if self.is_authentic and self.checkpoint.at:
            return True, self.checkpoint.at, -self.taken_in
        return False, _moment(self.taken_in), 0


class DecisionLog:
    """The log groups of one stage, whose lines are authentic if they bear the MAC of `key`."""

    def __init__(
        self, deployment: Deployment, clients: Clients, now: datetime, key: bytes | None
    ) -> None:
        self._deployment = deployment
        self._clients = clients
        self._logs: CloudWatchLogsClient = clients("logs", deployment.region)
        self._now = now
        self._key = key
        self._changed_at: dict[str, datetime | None] = {}
        self._began: datetime | None = None
        self._reported_until = 0
        self.forged: Counter[str] = Counter()  # lines since the last run, by handler
        self.problem: str | None = None

    def last_run(self, since: datetime, until: float) -> Checkpoint:
        """Return what the last run left behind; an empty checkpoint if there was none.

        `until` is a time of `time.monotonic`. A copy of a checkpoint says nothing new.
        """
        forged: list[int] = []
        newest: list[_Run] = []

        def keep_newest(line: Line) -> None:  # of lines without number
            run = self._run(*line, forged)
            newest[:] = sorted((*newest, run) if run else newest, key=_Run.order)[-1:]

        for span in self._spans(since):
            lines = self._lines("self_check", _RUNS, *span, until)
            _, error = collect(_left(until), map(keep_newest, lines))
            if error:
                self._note("self_check", error)
            if error or any(run.is_authentic for run in newest):
                break
        for run in newest:
            if run.is_authentic:
                self._reported_until = run.taken_in
                self._began = run.checkpoint.began or run.checkpoint.at
        self.forged["self_check"] += sum(at > self._reported_until for at in forged)
        return newest[0].checkpoint if newest else Checkpoint()

    def _run(
        self, event: "FilteredLogEventTypeDef", line: Mapping[str, Any], forged: list[int]
    ) -> "_Run | None":
        """Return the checkpoint of a line, if it proves something; add to the forged lines."""
        at, checkpoint = event["ingestionTime"], Checkpoint.read(line)
        is_own = line.get("function") == self._deployment.function_arn("self_check")
        is_authentic = is_own and self._is_authentic(line)
        if is_authentic:
            forged += [at] * _is_copy(event)
        elif self._is_older(event, "self_check"):
            checkpoint = checkpoint and checkpoint.without_mac(_moment(at))
        else:
            forged += [at] * _is_forged(line)
            return None
        return _Run(at, checkpoint, is_authentic=is_authentic) if checkpoint else None

    def decisions(self, since: datetime, until: float) -> tuple[list[Decision], datetime]:
        """List what was decided, as far back as can be read in time, and how far back that is."""
        with ThreadPoolExecutor(max_workers=len(POSTING_HANDLERS)) as pool:
            read = list(
                pool.map(lambda name: self._decisions_of(name, since, until), POSTING_HANDLERS)
            )
        decisions = [decision for found, _ in read for decision in found]
        decisions.sort(key=attrgetter("at"))
        return decisions, max(reached for _, reached in read)

    def _decisions_of(
        self, handler: str, since: datetime, until: float
    ) -> tuple[list[Decision], datetime]:
        found: list[Decision] = []
        for start, end in self._spans(since):
            lines = self._lines(handler, _DECISIONS, start, end, until)
            decisions = (self._decision(event, line, handler) for event, line in lines)
            read, error = collect(_left(until), filter(None, decisions))
            found += read
            if error:
                self._note(handler, error)
                return found, end
        return found, since

    def _spans(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans from then until now, the newest first, which takes in the future too."""
        start, end, width = self._now - _NEWEST, self._now + _FUTURE, _NEWEST
        while start > since:
            yield start, end
            width *= 2
            start, end = start - width, start
        yield since, end

    def _note(self, handler: str, error: Exception) -> None:
        group = self._deployment.log_group(handler)
        why = f"cannot be read in time ({type(error).__name__})."
        if isinstance(error, ClientError):
            why = f"cannot be read: logs:FilterLogEvents gives {code_of(error)}."
        self.problem = f"The log group {group} {why}"

    def _decision(
        self, event: "FilteredLogEventTypeDef", line: Mapping[str, Any], handler: str
    ) -> Decision | None:
        """Return the decision of a line; None if it proves nothing."""
        if "decision" not in line:
            return None
        authentic = self._is_authentic(line)
        proves = authentic or self._is_older(event, handler)
        if _is_copy(event) if authentic else not proves and _is_forged(line):
            self.forged[handler] += event["ingestionTime"] > self._reported_until
        if not proves:
            return None
        at = _moment(event["timestamp"])
        return Decision.from_line(line, handler, at, is_authentic=authentic)

    def _is_authentic(self, line: Mapping[str, Any]) -> bool:
        try:
            return is_authentic(line, self._key)
        except RecursionError:  # whoever wrote it means harm
            return False

    def _is_older(self, event: "FilteredLogEventTypeDef", handler: str) -> bool:
        """Return whether a line was written before its function was last changed.

        Its time is when CloudWatch took it in, which nobody can choose. From the first run with
        this webhook on, every line bears its MAC, whatever was changed since.
        """
        if handler not in self._changed_at:
            self._changed_at[handler] = self._last_change(handler)
        changed_at = self._changed_at[handler]
        return (
            changed_at is not None
            and _is_of_lambda(event)
            and _moment(event["ingestionTime"]) < min(changed_at, self._began or changed_at)
        )

    def _last_change(self, handler: str) -> datetime | None:
        functions: LambdaClient = self._clients("lambda", self._deployment.region)
        try:
            found = configuration(functions, self._deployment.function(handler))
        except (ClientError, BotoCoreError):
            return None  # reported with the function
        return datetime.fromisoformat(found["LastModified"]).astimezone(UTC) if found else None

    def logs_since(self) -> datetime | None:
        """Return since when there is on_sign_in's log group: Chalice makes it with the function."""
        name = self._deployment.log_group("on_sign_in")
        try:
            groups = self._logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        except (ClientError, BotoCoreError):
            return None
        return next(
            (_moment(found["creationTime"]) for found in groups if found["logGroupName"] == name),
            None,
        )

    def _lines(
        self, handler: str, pattern: str, start: datetime, end: datetime, until: float
    ) -> Iterator[Line]:
        """Yield the JSON lines of a span of a function's log, oldest first.

        Raises TimeoutError, and what boto3 raises.
        """
        request: FilterLogEventsRequestTypeDef = {
            "logGroupName": self._deployment.log_group(handler),
            "filterPattern": pattern,
            "startTime": _milliseconds(start),
            "endTime": _milliseconds(end) - 1,
        }
        try:
            while True:
                page = self._page(request, until)
                for event in page["events"]:
                    line = _read(event["message"])
                    if line is not None:
                        yield event, line
                if not (token := page.get("nextToken")):
                    return
                if time.monotonic() > until:
                    raise TimeoutError
                request["nextToken"] = token
        except ClientError as error:
            if not is_missing(error):
                raise  # else the function is not deployed, or has never run

    def _page(
        self, request: "FilterLogEventsRequestTypeDef", until: float
    ) -> "FilterLogEventsResponseTypeDef":
        """Ask again for as long as AWS throttles: it answers a few requests a second."""
        while True:
            try:
                return self._logs.filter_log_events(**request)
            except ClientError as error:
                if not is_throttled(error) or _left(until) < _PAUSE:
                    raise
            time.sleep(_PAUSE)


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0)


def _is_copy(event: "FilteredLogEventTypeDef") -> bool:
    """Return whether somebody else wrote an authentic line again, which proves what it did before.

    Lambda writes into streams of its own, at the time when CloudWatch takes a line in.
    """
    written, taken_in = _moment(event["timestamp"]), _moment(event["ingestionTime"])
    return not _is_of_lambda(event) or written > taken_in + _SKEW


def _is_of_lambda(event: "FilteredLogEventTypeDef") -> bool:
    return bool(_STREAM.fullmatch(event.get("logStreamName", "")))


def _is_forged(line: Mapping[str, Any]) -> bool:
    """Return whether no function of the stage can have written a line that is not authentic.

    One that does not know its webhook writes no MAC, and has posted nothing.
    """
    return line.get("mac", "") is not None or line.get("decision") == "posted"


def _read(message: str) -> Mapping[str, Any] | None:
    try:
        line = json.loads(message)
    except (RecursionError, ValueError):
        return None
    return line if isinstance(line, dict) else None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
