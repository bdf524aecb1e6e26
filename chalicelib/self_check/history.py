"""CloudTrail's event history as a run reads it: what is to be read, what was, and how far."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from chalicelib.aws.clients import Clients
from chalicelib.aws.event_history import Event, Window, read
from chalicelib.health.result import CheckResult
from chalicelib.health.rights import unread_history
from chalicelib.self_check.checkpoint import Checkpoint, Progress, Span
from chalicelib.signin.events import ACCESS_CHANGES, SIGN_INS
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import AssessedSignIn, Severity, assess

# CloudTrail's own delay; until then a sign-in may still be on its way.
DELAY: Final = timedelta(minutes=15)
# Read again what the last run has read: some records come later than that.
OVERLAP: Final = timedelta(hours=1)
# The logs are kept for a week: what was decided before cannot be known for much longer.
LOOK_BACK: Final = timedelta(days=6)
# … and where nobody can know what the last run has read.
SHORT_LOOK_BACK: Final = timedelta(hours=3)
# What one run can hold, at some 7 kB each, and post.
MOST: Final = 20_000
_STORM: Final = {"ConsoleLogin"}
_STEPS: Final = {"CredentialVerification", "SwitchRole"}
# What is looked at first where a run could not read everything: root, whose password was right, who
# got in or switched role, what changed access. ConsoleLogin, of which a storm is, comes last.
_FIRST: Final = (
    ("Username", "root"),
    *(("EventName", name) for name in sorted(_STEPS | ACCESS_CHANGES | SIGN_INS - _STORM)),
    *(("EventName", name) for name in _STORM),
)


class Record(NamedTuple):
    """A sign-in of the history, and the region whose history has it."""

    region: str
    event: Event
    assessed: AssessedSignIn

    @property
    def sign_in(self) -> SignIn:
        """The sign-in itself."""
        return self.assessed.sign_in

    @property
    def is_critical(self) -> bool:
        """Whether it may wake people up."""
        return self.assessed.severity is Severity.CRITICAL

    @property
    def is_failure(self) -> bool:
        """Whether AWS refused it."""
        return self.sign_in.outcome is Outcome.FAILURE


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of the history, how far, and who refused."""

    records: Sequence[Record]
    progress: dict[str, Progress]
    refusals: Sequence[CheckResult]

    def results(self, regions: Iterable[str]) -> Iterator[CheckResult]:
        """Yield who refused, and the regions whose history was read to its end."""
        yield from self.refusals
        unread = {refusal.region for refusal in self.refusals}
        for region in regions:
            if region not in unread:
                yield CheckResult.ok("history", region=region)

    def progress_without(
        self, unfinished: Iterable[Record], last_run: datetime | None
    ) -> dict[str, Progress]:
        """Return how far each region is done with, if these records are to be looked at again.

        A record of no known time is looked for from the last run on.
        """
        progress = dict(self.progress)
        times: dict[str, list[datetime]] = {}
        for record in unfinished:
            time = record.sign_in.event_time or last_run or progress[record.region].until
            times.setdefault(record.region, []).append(time)
        for region, found in times.items():
            progress[region] = progress[region].with_gap(min(found), max(found))
        return progress


def windows(
    regions: Sequence[str], last: Checkpoint, now: datetime, look_back: timedelta = LOOK_BACK
) -> Iterator[Window]:
    """Return what is to be read: what came since the last run, then what that left.

    Without a checkpoint that is everything that the logs reach back to: a new stage and deleted
    logs look alike.
    """
    earliest, end = now - look_back, now - DELAY
    for region in regions:
        known = last.regions.get(region)
        if known is None:
            yield Window(region=region, start=earliest, end=end)
            continue
        gaps = [(max(start, earliest), stop) for start, stop in known.gaps if stop > earliest]
        spans = list(_spans(Progress(known.until, tuple(gaps)), end))
        for attribute in _FIRST if gaps else ():
            start = min(start for start, _ in spans)
            yield Window(region=region, start=start, end=end, attribute=attribute)
        for start, stop in spans:
            yield Window(region=region, start=start, end=stop)
    stuck_before = last.stuck_before
    for parked in last.waiting:
        may_be_lost = last.queue_was_empty or (stuck_before and parked.time < stuck_before)
        if may_be_lost and parked.region in regions:
            yield Window(region=parked.region, start=parked.time, end=parked.time)


def given_up(
    regions: Sequence[str], last: Checkpoint, reading: Reading, now: datetime
) -> Iterator[CheckResult]:
    """Yield what no run has read and none will: the sign-ins there may not be posted."""
    for region, known in last.regions.items():
        if region not in regions:
            since = f"{known.until:%Y-%m-%d %H:%M} UTC"
            yield CheckResult.fault("history", "region_gone", "", region=region, since=since)
    for region, (start, end) in given_up_gaps(last, reading, now):
        since, until = f"{start:%Y-%m-%d %H:%M} UTC", f"{end:%Y-%m-%d %H:%M} UTC"
        yield CheckResult.fault(
            "history", "history_given_up", "", region=region, since=since, until=until
        )


def given_up_gaps(last: Checkpoint, reading: Reading, now: datetime) -> Iterator[tuple[str, Span]]:
    """Yield the part of each gap that is too old to be read, once the rest is read or as old."""
    earliest = now - LOOK_BACK
    for region, known in last.regions.items():
        left = reading.progress[region].gaps
        for start, end in known.gaps:
            if start < earliest and not any(since <= start < until for since, until in left):
                yield region, (start, min(end, earliest))


def _spans(known: Progress, end: datetime) -> Iterator[Span]:
    """Yield the spans to read, the newest first: what came since, then what no run could read.

    Whoever is behind reads nothing twice.
    """
    start, gaps = known.until, list(known.gaps)
    if not gaps:
        start -= OVERLAP
    elif gaps[-1][1] == start:  # the last run read nothing new
        start = gaps.pop()[0]
    if start < end:
        yield start, end
    yield from reversed(gaps)


def read_history(
    clients: Clients, wanted: Sequence[Window], last: Checkpoint, until: float
) -> Reading:
    """Read windows until that time of `time.monotonic`, but no more than one run can hold."""
    records: list[Record] = []
    ends: dict[str, datetime] = {}
    for window in wanted:
        ends[window.region] = max(window.end, ends.get(window.region, window.end))
    progress = {**last.regions, **{region: Progress(end) for region, end in ends.items()}}
    refusals: dict[str, CheckResult] = {}
    for page in read(clients, wanted, until=until, most=MOST):
        region, start = page.window.region, page.window.start
        records += [Record(region, event, assess(read_sign_in(event))) for event in page.events]
        if page.window.attribute:
            continue
        if page.refusal:
            start = _begin_of_gap(last, region, start)
            progress[region] = progress[region].with_gap(start, page.reached)
            refusals.setdefault(region, unread_history(page.refusal))
    return Reading(records, progress, list(refusals.values()))


def _begin_of_gap(last: Checkpoint, region: str, start: datetime) -> datetime:
    """Return when a gap began whose window begins at `start`: a window looks back a few days."""
    gaps = last.regions[region].gaps if region in last.regions else ()
    return min([start, *(since for since, until in gaps if since <= start <= until)])
