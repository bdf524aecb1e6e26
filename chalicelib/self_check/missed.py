"""The sign-ins that AWS recorded and no function posted, and why not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chalicelib.aws.clients import Clients
from chalicelib.aws.event_history import Event, Window, read
from chalicelib.decision import record_of
from chalicelib.health.result import CheckResult
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
_LOGS_KEPT: Final = timedelta(days=7)
LOOK_BACK: Final = timedelta(days=6)
# … and where nobody can know what the last run has read.
SHORT_LOOK_BACK: Final = timedelta(hours=3)
# A stage that was deployed now is answerable for the sign-ins of this last while as well.
BEFORE_DEPLOYMENT: Final = timedelta(hours=2)
# What one run can hold, at some 7 kB each, and post.
MOST: Final = 20_000
_MOST_WAITING: Final = 500
# What is looked at first where a run could not read everything: who got in, and root.
_FIRST: Final = (
    ("Username", "root"),
    ("EventName", "UserAuthentication"),
    ("EventName", "AuthorizeOAuth2Access"),
    ("EventName", "ConsoleLogin"),
)


@dataclass(frozen=True, slots=True)
class Missed:
    """A sign-in that was not posted, the region of its record, and the word for the cause."""

    event: Event
    assessed: AssessedSignIn
    region: str
    cause: str

    @property
    def is_unknown_call(self) -> bool:
        """Whether it is an API call of which nobody knows what it does: no sign-in."""
        return self.assessed.sign_in.is_api_call and not self.assessed.sign_in.understood


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of the history: sign-ins with their regions, how far, and who refused."""

    events: Sequence[tuple[str, Event]]
    progress: dict[str, Progress]
    refusals: Sequence[CheckResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the stage beside the history.

    `decisions` are complete since `complete_since`; what was parked before `lost_before` is no
    longer in the queue. `deployed_at` is when its logs begin, `began` when the self-check did.
    """

    now: datetime
    settings: Settings
    decisions: Sequence[Decision]
    complete_since: datetime
    faults: Sequence[CheckResult]
    deployed_at: datetime | None
    began: datetime | None
    lost_before: datetime | None

    def is_too_old(self, time: datetime) -> bool:
        """Return whether nobody answers for a sign-in of that time, but for a critical one.

        It is from before the logs, or from before the self-check and in no log that can be read.
        """
        began = self.began and min(self.began, self.complete_since)
        since = max(filter(None, (self.deployed_at, began)), default=time)
        return time < since - BEFORE_DEPLOYMENT


def windows(
    regions: Sequence[str], memory: Checkpoint, now: datetime, look_back: timedelta = LOOK_BACK
) -> Iterator[Window]:
    """Return what is to be read: what came since the last run, then what that left.

    Without a checkpoint that is everything that the logs reach back to: a new stage and deleted
    logs look alike.
    """
    earliest, end = now - look_back, now - DELAY
    for region in regions:
        known = memory.regions.get(region)
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
    if memory.queue_was_empty:  # what waited may be lost
        for one in memory.waiting:
            yield Window(region=one.region, start=one.time, end=one.time)


def given_up(regions: Sequence[str], memory: Checkpoint, now: datetime) -> Iterator[CheckResult]:
    """Yield the spans that no run has read and none will: what they hold may not be posted."""
    for region, known in memory.regions.items():
        for start, end in known.gaps if region in regions else ():
            if end <= now - LOOK_BACK:
                since, until = f"{start:%Y-%m-%d %H:%M} UTC", f"{end:%Y-%m-%d %H:%M} UTC"
                yield CheckResult.fault(
                    "history", "history_given_up", "", region=region, since=since, until=until
                )


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
        if page.window.attribute:
            continue
        if page.is_last and page.reached > start:
            progress[region] = progress[region].with_gap(start, page.reached)
        if page.refusal:
            refusals.setdefault(region, unread_history(page.refusal))
    return Reading(events, progress, list(refusals.values()))


@dataclass(frozen=True, slots=True)
class Unposted:
    """The sign-ins that were not posted.

    `to_post` are criticals, successes, failures, the newest first of each. `unverified` are
    failures whose decisions could not be read, which wait; `older` is how many are from before the
    stage's logs, and not critical.
    """

    to_post: Sequence[Missed]
    unverified: Sequence[Missed] = ()
    older: int = 0


def missed(reading: Reading, known: Known) -> Unposted:
    """Return what no function posted, and no setting ignores."""
    evidence = _Evidence(known)
    found: dict[tuple[object, str], Missed] = {}
    for number, (region, event) in enumerate(reading.events):
        assessed = assess(read_sign_in(event))
        sign_in = assessed.sign_in
        reason = reason_to_ignore(assessed, known.settings)
        if reason and not _may_be_unusual(sign_in, known.settings):
            continue
        if evidence.settles(assessed, is_ignored=bool(reason)):
            continue
        cause = evidence.cause(assessed) or _cause(region, event, sign_in, known)
        key = sign_in.event_id or number, record_of(sign_in)
        found[key] = Missed(event, assessed, region, cause)
    to_post: list[Missed] = []
    unverified: list[Missed] = []
    older = 0
    for one in sorted(found.values(), key=lambda one: str(one.event["time"]), reverse=True):
        time = one.assessed.sign_in.event_time
        if one.assessed.severity is Severity.CRITICAL or time is None:
            to_post.append(one)
        elif known.is_too_old(time):
            older += 1
        elif one.assessed.sign_in.outcome is Outcome.FAILURE and time < known.complete_since:
            unverified.append(one)
        else:
            to_post.append(one)
    return Unposted(sorted(to_post, key=_rank), unverified, older)


def _may_be_unusual(sign_in: SignIn, settings: Settings) -> bool:
    """Return whether where it came from may make a sign-in more than the settings ignore."""
    return sign_in.is_entry and bool(settings.known_networks or settings.baseline_table)


def waiting(
    reading: Reading, decisions: Sequence[Decision], last: Checkpoint, now: datetime
) -> tuple[Waiting, ...]:
    """Return what the queue holds of successes and criticals, this run's and the last runs'."""
    verdicts: dict[tuple[str, str | None], set[str]] = {}
    for one in decisions:
        if one.is_authentic:
            verdicts.setdefault((one.event_id, one.record), set()).add(one.verdict)
    found = {(one.event_id, one.record): one for one in last.waiting if one.time > now - LOOK_BACK}
    for region, event in reading.events:
        assessed = assess(read_sign_in(event))
        sign_in = assessed.sign_in
        is_failure = sign_in.outcome is Outcome.FAILURE
        key = _key(sign_in)
        if (
            sign_in.event_time
            and (assessed.severity is Severity.CRITICAL or not is_failure)
            and "parked" in verdicts.get(key, ())
        ):
            found.setdefault(key, Waiting(region, key[0], sign_in.event_time, key[1]))
    held = [one for key, one in found.items() if "posted" not in verdicts.get(key, ())]
    return tuple(held[-_MOST_WAITING:])


def _key(sign_in: SignIn) -> tuple[str, str]:
    """Return what the decision line of a sign-in names it by."""
    return str(sign_in.event_id), record_of(sign_in)


def _rank(one: Missed) -> int:
    if one.assessed.severity is Severity.CRITICAL:
        return 0
    return 2 if one.assessed.sign_in.outcome is Outcome.FAILURE else 1


class _Evidence:
    """What the functions' decisions prove of each sign-in."""

    def __init__(self, known: Known) -> None:
        self._lost_before = known.lost_before
        self._settled: set[tuple[str, str | None]] = set()
        self._ignored: set[tuple[str, str | None]] = set()
        self._parked: dict[tuple[str, str | None], timedelta] = {}
        self._failed: set[tuple[str, str | None]] = set()
        self._older: set[str] = set()
        for one in known.decisions:
            key = one.event_id, one.record
            if not one.is_authentic:
                if one.verdict in ("posted", "ignored", "parked"):
                    self._older.add(one.event_id)
            elif one.verdict == "posted" or one.reason == "familiar":
                self._settled.add(key)
            elif one.verdict == "parked":
                self._parked[key] = max(one.delay, self._parked.get(key, one.delay))
            else:
                (self._ignored if one.verdict == "ignored" else self._failed).add(key)

    def settles(self, assessed: AssessedSignIn, *, is_ignored: bool) -> bool:
        """Return whether a function posted it, or the queue holds it, or the settings ignore it."""
        sign_in = assessed.sign_in
        key = _key(sign_in)
        if key in self._settled or (is_ignored and key in self._ignored):
            return True
        if key in self._parked:  # by the line's own word: its time in the log can be chosen
            parked_at = sign_in.event_time and sign_in.event_time + self._parked[key]
            return not (self._lost_before and parked_at and parked_at < self._lost_before)
        return key[0] in self._older and assessed.severity is not Severity.CRITICAL

    def cause(self, assessed: AssessedSignIn) -> str | None:
        """Return why it was not posted, as far as the decisions show it."""
        key = _key(assessed.sign_in)
        if key in self._parked:
            return "lost"
        if key in self._failed:
            return "failed"
        return "unverified" if key[0] in self._older else None


def _cause(region: str, event: Event, sign_in: SignIn, known: Known) -> str:
    time = sign_in.event_time
    if time and (time < known.complete_since or time < known.now - _LOGS_KEPT):
        return "unverified"
    if fault := _fault_on_the_way(region, known.faults):
        return "forward" if fault.check == "role" else fault.check
    if time and known.deployed_at and time < known.deployed_at:
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
