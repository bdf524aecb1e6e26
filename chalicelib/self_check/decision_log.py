"""What the functions' logs say: what was decided of which event, and the last run.

What counts is the MAC of a line: anybody may have written the others.
"""

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import code_of
from chalicelib.decision import is_authentic
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import configuration
from chalicelib.self_check.checkpoint import RUN_MARKER, Checkpoint, Key
from chalicelib.self_check.log_groups import LogGroups, LogLine
from chalicelib.timeout import collect

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

POSTING_HANDLERS: Final = ("self_check", "on_undelivered", "on_sign_in")

_DECISIONS: Final = '{ $.decision = "*" }'
_RUNS: Final = f'{{ $.self_check = "{RUN_MARKER}" }}'


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

    checkpoint: Checkpoint
    taken_in: datetime
    is_authentic: bool

    def order(self) -> tuple[bool, datetime, timedelta]:
        """Return what is greatest of the newest run: of its copies, the first is the run's own."""
        if self.is_authentic and self.checkpoint.at:
            return True, self.checkpoint.at, self.checkpoint.at - self.taken_in
        return False, self.taken_in, timedelta(0)


class DecisionLog:
    """The decisions in the logs of one stage, authentic if they bear the MAC of `key`."""

    def __init__(
        self, deployment: Deployment, clients: Clients, log_groups: LogGroups, key: bytes | None
    ) -> None:
        self._deployment = deployment
        self._clients = clients
        self._log_groups = log_groups
        self._key = key
        self._changed_at: dict[str, datetime | None] = {}
        self._began: datetime | None = None
        self._reported_until = datetime.min.replace(tzinfo=UTC)
        # Lines since the last run; what was given up may still count while others read this.
        self.forged = Counter(dict.fromkeys(POSTING_HANDLERS, 0))
        self.problem: str | None = None

    def last_run(self, since: datetime, until: float) -> Checkpoint:
        """Return what the last run left behind; an empty checkpoint if there was none.

        `until` is a time of `time.monotonic`. A copy of a checkpoint says nothing new.
        """
        forged: list[datetime] = []
        newest: _Run | None = None

        def read(line: LogLine) -> None:  # of any number of lines, one run is kept
            nonlocal newest
            if run := self._run(line, forged):
                newest = max(newest or run, run, key=_Run.order)

        for span in self._log_groups.spans(since):
            lines = self._log_groups.lines("self_check", _RUNS, span, until)
            _, error = collect(_left(until), map(read, lines))
            if error:
                self._note("self_check", error)
            if error or (newest and newest.is_authentic):
                break
        if newest and newest.is_authentic:
            self._reported_until = newest.taken_in
            self._began = newest.checkpoint.began or newest.checkpoint.at
        self.forged["self_check"] += sum(at > self._reported_until for at in forged)
        return newest.checkpoint if newest else Checkpoint()

    def _run(self, line: LogLine, forged: list[datetime]) -> _Run | None:
        """Return the run of a line, if it proves something; add to the times of forged lines."""
        checkpoint = Checkpoint.read(line.content)
        is_own = line.content.get("function") == self._deployment.function_arn("self_check")
        is_authentic = is_own and self._is_authentic(line)
        if is_authentic:
            forged += [line.taken_in] * line.is_of_somebody_else
        elif self._is_older(line, "self_check"):
            checkpoint = checkpoint and checkpoint.without_mac(line.taken_in)
        else:
            forged += [line.taken_in] * _is_forged(line)
            return None
        return _Run(checkpoint, line.taken_in, is_authentic) if checkpoint else None

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
        found: dict[object, Decision] = {}

        def read(line: LogLine) -> None:  # of any number of copies of a line, two are kept
            if decision := self._decision(line, handler):
                mac = line.content["mac"] if decision.is_authentic else len(found)
                found.setdefault((mac, line.is_of_somebody_else), decision)

        for span in self._log_groups.spans(since):
            lines = self._log_groups.lines(handler, _DECISIONS, span, until)
            _, error = collect(_left(until), map(read, lines))
            if error:
                self._note(handler, error)
                return list(found.values()), span[1]
        return list(found.values()), since

    def _decision(self, line: LogLine, handler: str) -> Decision | None:
        """Return the decision of a line; None if it proves nothing."""
        if "decision" not in line.content:
            return None
        authentic = self._is_authentic(line)
        proves = authentic or self._is_older(line, handler)
        if line.is_of_somebody_else if authentic else not proves and _is_forged(line):
            self.forged[handler] += line.taken_in > self._reported_until
        if not proves:
            return None
        return Decision.from_line(line.content, handler, line.written, is_authentic=authentic)

    def _note(self, handler: str, error: Exception) -> None:
        group = self._deployment.log_group(handler)
        why = f"cannot be read in time ({type(error).__name__})."
        if isinstance(error, ClientError):
            why = f"cannot be read: logs:FilterLogEvents gives {code_of(error)}."
        self.problem = f"The log group {group} {why}"

    def _is_authentic(self, line: LogLine) -> bool:
        try:
            return is_authentic(line.content, self._key)
        except RecursionError:  # whoever wrote it means harm
            return False

    def _is_older(self, line: LogLine, handler: str) -> bool:
        """Return whether a line was written before its function was last changed.

        From the first run with this webhook on, every line bears its MAC, whatever was changed
        since.
        """
        if handler not in self._changed_at:
            self._changed_at[handler] = self._last_change(handler)
        changed_at = self._changed_at[handler]
        return (
            changed_at is not None
            and line.is_of_lambda
            and line.taken_in < min(changed_at, self._began or changed_at)
        )

    def _last_change(self, handler: str) -> datetime | None:
        functions: LambdaClient = self._clients("lambda", self._deployment.region)
        try:
            found = configuration(functions, self._deployment.function(handler))
        except (ClientError, BotoCoreError):
            return None  # reported with the function
        return datetime.fromisoformat(found["LastModified"]).astimezone(UTC) if found else None


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0)


def _is_forged(line: LogLine) -> bool:
    """Return whether no function of the stage can have written a line that is not authentic.

    A function that does not know its webhook writes no MAC, and has posted nothing.
    """
    content = line.content
    return content.get("mac", "") is not None or content.get("decision") == "posted"
