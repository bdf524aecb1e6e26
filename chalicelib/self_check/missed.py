"""The sign-ins that AWS recorded and nobody told, and why they were not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chalicelib.aws.clients import Clients
from chalicelib.aws.event_history import Event, Window, read
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unread_history
from chalicelib.self_check.changes import is_outage
from chalicelib.self_check.checkpoint import Checkpoint, Progress, Span
from chalicelib.self_check.decision_log import Decision
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import AssessedSignIn, assess

# CloudTrail's own delay; until then a sign-in may still be on its way.
DELAY: Final = timedelta(minutes=15)
# Read again what the last run has read: some records come later than that.
OVERLAP: Final = timedelta(hours=1)
# The logs are kept for a week: what was decided before can no longer be known.
LOOK_BACK: Final = timedelta(days=6)
# A stage that was deployed now is answerable for the sign-ins of this last while as well.
BEFORE_DEPLOYMENT: Final = timedelta(hours=2)
# What one run can hold, at some 7 kB each, and tell.
MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Missed:
    """A sign-in that nobody told, the region whose history has it, and the word for the cause."""

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


def windows(
    regions: Sequence[str], memory: Checkpoint, now: datetime, deployed_at: datetime | None
) -> Iterator[Window]:
    """Return what is to be read: what the last run left, then what came since."""
    earliest, end = now - LOOK_BACK, now - DELAY
    first = max(earliest, deployed_at - BEFORE_DEPLOYMENT) if deployed_at else earliest
    for region in regions:
        spans = [(first, end)]
        if known := memory.regions.get(region):
            spans = _spans(known, end)
        for start, stop in spans:
            if max(start, earliest) < stop:
                yield Window(region=region, start=max(start, earliest), end=stop)


def _spans(known: Progress, end: datetime) -> list[Span]:
    """Return the spans to read, the oldest first: what no run could read, then what came since."""
    gaps, start = [*known.gaps], known.until - OVERLAP
    if gaps and gaps[-1][1] == known.until:  # the last run read nothing new
        start = min(start, gaps.pop()[0])
    return [*gaps, (start, end)]


def read_history(
    clients: Clients, wanted: Sequence[Window], memory: Checkpoint, until: float
) -> Reading:
    """Read windows until that time of `time.monotonic`, but no more than one run can hold."""
    events: list[tuple[str, Event]] = []
    progress = {**memory.regions, **{one.region: Progress(one.end) for one in wanted}}
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
) -> list[Missed]:
    """Find the sign-ins without a decision, the gravest and then the oldest first."""
    settled = {one.event_id for one in decisions if one.verdict != "failed"}
    failed = {one.event_id for one in decisions if one.verdict == "failed"}
    faults = [result for result in results if result.status is Status.FAULT]
    found: dict[str, Missed] = {}
    for region, event in reading.events:
        assessed = assess(read_sign_in(event))
        event_id = assessed.sign_in.event_id or ""
        if event_id in settled:
            continue
        time = assessed.sign_in.event_time
        if event_id in failed:
            cause = "failed"
        elif fault := _fault_on_the_way(region, faults):
            cause = fault.check
        elif deployed_at and time and time < deployed_at:
            cause = "before_deployment"
        elif event["detail"].get("readOnly") is True:
            cause = "read_only"
        else:
            cause = "unknown"
        found[event_id] = Missed(event, assessed, region, cause)
    return sorted(found.values(), key=lambda one: (-one.assessed.severity, str(one.event["time"])))


def _fault_on_the_way(region: str, faults: Iterable[CheckResult]) -> CheckResult | None:
    """Return the first fault that a sign-in in a region meets on its way to the channel."""
    for result in faults:
        if result.region in (None, region) and (result.check == "forward" or is_outage(result)):
            return result
    return None
