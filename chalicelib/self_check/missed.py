"""The sign-ins that AWS recorded and no function posted, and why not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.aws.clients import Clients
from chalicelib.aws.event_history import Event, Window, read
from chalicelib.decision import record_of
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unread_history
from chalicelib.self_check.changes import is_outage, regions_of
from chalicelib.self_check.checkpoint import Checkpoint, Progress, Span, Waiting
from chalicelib.self_check.decision_log import Decision
from chalicelib.settings import Settings
from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import AssessedSignIn, Severity, assess

# CloudTrail's own delay; until then a sign-in may still be on its way.
DELAY: Final = timedelta(minutes=15)
# Read again what the last run has read: some records come later than that.
OVERLAP: Final = timedelta(hours=1)
# The logs are kept for a week: what was decided before can no longer be known.
LOOK_BACK: Final = timedelta(days=6)
# A stage that was deployed now is answerable for the sign-ins of this last while as well.
BEFORE_DEPLOYMENT: Final = timedelta(hours=2)
# What one run can hold, at some 7 kB each, and post.
MOST: Final = 10_000
_MOST_WAITING: Final = 500


@dataclass(frozen=True, slots=True)
class Missed:
    """A sign-in that was not posted, the region of its record, and the word for the cause."""

    event: Event
    assessed: AssessedSignIn
    region: str
    cause: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of the history: sign-ins with their regions, how far, and who refused."""

    events: Sequence[tuple[str, Event]]
    progress: dict[str, Progress]
    refusals: Sequence[CheckResult]


def windows(regions: Sequence[str], memory: Checkpoint, now: datetime) -> Iterator[Window]:
    """Return what is to be read: what came since the last run, then what that left.

    Without a checkpoint that is everything that the logs reach back to: a new stage and deleted
    logs look alike.
    """
    earliest, end = now - LOOK_BACK, now - DELAY
    for region in regions:
        spans = [(earliest, end)]
        if known := memory.regions.get(region):
            spans = _spans(known, end)
        for start, stop in spans:
            if max(start, earliest) < stop:
                yield Window(region=region, start=max(start, earliest), end=stop)
    if memory.queue_was_empty:  # what waited may be lost
        for one in memory.waiting:
            yield Window(region=one.region, start=one.time, end=one.time)


def _spans(known: Progress, end: datetime) -> list[Span]:
    """Return the spans to read, the newest first: what came since, then what no run could read."""
    gaps, start = [*known.gaps], known.until - OVERLAP
    if gaps and gaps[-1][1] == known.until:  # the last run read nothing new
        start = min(start, gaps.pop()[0])
    return [(start, end), *reversed(gaps)]


def read_history(
    clients: Clients, wanted: Sequence[Window], memory: Checkpoint, until: float
) -> Reading:
    """Read windows until that time of `time.monotonic`, but no more than one run can hold."""
    events: list[tuple[str, Event]] = []
    ends: dict[str, datetime] = {}
    for one in wanted:
        ends[one.region] = max(one.end, ends.get(one.region, one.end))
    progress = {**memory.regions, **{region: Progress(end) for region, end in ends.items()}}
    refusals: dict[str, CheckResult] = {}
    for page in read(clients, wanted, until=until, most=MOST):
        region, start = page.window.region, page.window.start
        events += [(region, event) for event in page.events]
        if page.is_last and page.reached > start:
            gaps = (*progress[region].gaps, (start, page.reached))
            progress[region] = replace(progress[region], gaps=gaps)
        if page.refusal:
            refusals.setdefault(region, unread_history(page.refusal))
    return Reading(events, progress, list(refusals.values()))


def missed(
    reading: Reading,
    decisions: Sequence[Decision],
    results: Sequence[CheckResult],
    deployed_at: datetime | None,
    settings: Settings,
    *,
    lost_before: datetime | None,
    decisions_are_complete: bool,
) -> list[Missed]:
    """Return the sign-ins that were not posted: criticals, successes, failures, newest first.

    What was parked before `lost_before` is no longer in the queue. Where the decisions could not
    be read to the end, criticals and successes are posted as unverified, and failures wait.
    """
    evidence = _Evidence(decisions, lost_before)
    answerable_since = deployed_at and deployed_at - BEFORE_DEPLOYMENT
    faults = [result for result in results if result.status is Status.FAULT]
    found: dict[tuple[str, str], Missed] = {}
    for region, event in reading.events:
        assessed = assess(read_sign_in(event))
        time = assessed.sign_in.event_time
        is_critical = assessed.severity is Severity.CRITICAL
        if answerable_since and time and time < answerable_since and not is_critical:
            continue
        if evidence.settles(assessed, is_ignored=bool(reason_to_ignore(assessed, settings))):
            continue
        cause = evidence.cause(assessed)
        if cause is None and not decisions_are_complete:
            cause = "unverified"
        if cause is None:
            cause = _cause(region, event, assessed.sign_in, faults, deployed_at)
        key = assessed.sign_in.event_id or "", record_of(assessed.sign_in)
        found[key] = Missed(event, assessed, region, cause)
    newest_first = sorted(found.values(), key=lambda one: str(one.event["time"]), reverse=True)
    return sorted(newest_first, key=_rank)


def waiting(
    reading: Reading, decisions: Sequence[Decision], last: Checkpoint, now: datetime
) -> tuple[Waiting, ...]:
    """Return what the queue holds of successes and criticals, this run's and the last runs'."""
    verdicts: dict[str, set[str]] = {}
    for one in decisions:
        if one.is_authentic:
            verdicts.setdefault(one.event_id, set()).add(one.verdict)
    found = {one.event_id: one for one in last.waiting if one.time > now - LOOK_BACK}
    for region, event in reading.events:
        assessed = assess(read_sign_in(event))
        sign_in = assessed.sign_in
        is_failure = sign_in.outcome is Outcome.FAILURE
        if (
            sign_in.event_id
            and sign_in.event_time
            and (assessed.severity is Severity.CRITICAL or not is_failure)
        ) and "parked" in verdicts.get(sign_in.event_id, ()):
            at = Waiting(region, sign_in.event_id, sign_in.event_time)
            found.setdefault(sign_in.event_id, at)
    held = [one for one in found.values() if "posted" not in verdicts.get(one.event_id, ())]
    return tuple(held[-_MOST_WAITING:])


def _rank(one: Missed) -> int:
    if one.assessed.severity is Severity.CRITICAL:
        return 0
    return 2 if one.assessed.sign_in.outcome is Outcome.FAILURE else 1


class _Evidence:
    """What the functions' decisions prove of each sign-in."""

    def __init__(self, decisions: Sequence[Decision], lost_before: datetime | None) -> None:
        self._settled: set[tuple[str, str | None]] = set()
        self._ignored: set[tuple[str, str | None]] = set()
        self._verdicts: dict[tuple[str, str | None], str] = {}
        self._older: set[str] = set()
        for one in decisions:
            key = one.event_id, one.record
            if not one.is_authentic:
                if one.verdict in ("posted", "ignored", "parked"):
                    self._older.add(one.event_id)
                continue
            self._verdicts[key] = one.verdict
            if (
                one.verdict == "posted"
                or (one.verdict == "ignored" and one.reason == "familiar")
                or (one.verdict == "parked" and not (lost_before and one.at < lost_before))
            ):
                self._settled.add(key)
            elif one.verdict == "ignored":
                self._ignored.add(key)

    def settles(self, assessed: AssessedSignIn, *, is_ignored: bool) -> bool:
        """Return whether a function posted it, or the queue holds it, or the settings ignore it."""
        event_id = assessed.sign_in.event_id or ""
        key = event_id, record_of(assessed.sign_in)
        if key in self._settled or (is_ignored and key in self._ignored):
            return True
        return event_id in self._older and assessed.severity is not Severity.CRITICAL

    def cause(self, assessed: AssessedSignIn) -> str | None:
        """Return why it was not posted, as far as the decisions show it."""
        event_id = assessed.sign_in.event_id or ""
        match self._verdicts.get((event_id, record_of(assessed.sign_in))):
            case "failed":
                return "failed"
            case "parked":
                return "lost"
        return "unverified" if event_id in self._older else None


def _cause(
    region: str,
    event: Event,
    sign_in: SignIn,
    faults: Sequence[CheckResult],
    deployed_at: datetime | None,
) -> str:
    if fault := _fault_on_the_way(region, faults):
        return "forward" if fault.check == "role" else fault.check
    if deployed_at and sign_in.event_time and sign_in.event_time < deployed_at:
        return "before_deployment"
    return "read_only" if event["detail"].get("readOnly") is True else "unknown"


def _fault_on_the_way(region: str, faults: Iterable[CheckResult]) -> CheckResult | None:
    """Return the first fault that a sign-in in a region meets on its way to the channel."""
    for result in faults:
        regions = regions_of(result)
        if (regions is None or region in regions) and (
            result.check in ("forward", "role") or is_outage(result)
        ):
            return result
    return None
