"""The sign-ins that AWS recorded and no function posted, and why not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.decision import record_of
from chalicelib.health.result import CheckResult
from chalicelib.self_check.changes import is_outage, regions_of
from chalicelib.self_check.checkpoint import Checkpoint, Key, Waiting
from chalicelib.self_check.decision_log import Decision
from chalicelib.self_check.evidence import Evidence, key_of
from chalicelib.self_check.history import LOOK_BACK, Reading, Record
from chalicelib.settings import Settings
from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.model import SignIn

# The logs are kept for a week: what was decided before can no longer be known.
_LOGS_KEPT: Final = timedelta(days=7)
# A stage that was deployed now is answerable for the sign-ins of this last while as well.
_BEFORE_DEPLOYMENT: Final = timedelta(hours=2)
_MOST_WAITING: Final = 500


@dataclass(frozen=True, slots=True)
class Missed:
    """A sign-in that was not posted, and the word for the cause."""

    record: Record
    cause: str

    @property
    def event(self) -> dict[str, Any]:
        """The event as it is posted now: with how it was found, and why it was missed."""
        return {**self.record.event, "found-by": "self-check", "found-cause": self.cause}

    @property
    def is_unknown_call(self) -> bool:
        """Whether it is an API call of which nobody knows what it does: no sign-in."""
        sign_in = self.record.sign_in
        return sign_in.is_api_call and not sign_in.understood


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
        """Return whether nobody answers for a sign-in of that time, unless it is critical.

        It is from before the logs, or from before the self-check and in no log that can be read.
        """
        began = self.began and min(self.began, self.complete_since)
        since = max(filter(None, (self.deployed_at, began)), default=time)
        return time < since - _BEFORE_DEPLOYMENT


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
    evidence = Evidence(known.decisions, known.lost_before)
    found: dict[tuple[object, str], Missed] = {}
    for number, record in enumerate(reading.records):
        sign_in = record.sign_in
        reason = reason_to_ignore(record.assessed, known.settings)
        if reason and not _may_be_unusual(sign_in, known.settings):
            continue
        if evidence.settles(record.assessed, is_ignored=bool(reason)):
            continue
        cause = evidence.cause(sign_in) or _cause(record, known)
        found[sign_in.event_id or number, record_of(sign_in)] = Missed(record, cause)
    newest_first = sorted(
        found.values(), key=lambda late: str(late.record.event["time"]), reverse=True
    )
    to_post: list[Missed] = []
    unverified: list[Missed] = []
    older = 0
    for late in newest_first:
        time = late.record.sign_in.event_time
        if late.record.is_critical or time is None:
            to_post.append(late)
        elif known.is_too_old(time):
            older += 1
        elif late.record.is_failure and time < known.complete_since:
            unverified.append(late)
        else:
            to_post.append(late)
    to_post.sort(key=lambda late: (not late.record.is_critical, late.record.is_failure))
    return Unposted(to_post, unverified, older)


def waiting(
    reading: Reading, decisions: Iterable[Decision], last: Checkpoint, now: datetime
) -> tuple[Waiting, ...]:
    """Return what the queue holds of successes and criticals, this run's and the last runs'."""
    verdicts: dict[Key, set[str]] = {}
    for decision in decisions:
        if decision.is_authentic:
            verdicts.setdefault(decision.key, set()).add(decision.verdict)
    found = {parked.key: parked for parked in last.waiting if parked.time > now - LOOK_BACK}
    for record in reading.records:
        time, key = record.sign_in.event_time, key_of(record.sign_in)
        if (
            time
            and (record.is_critical or not record.is_failure)
            and "parked" in verdicts.get(key, ())
        ):
            found.setdefault(key, Waiting(record.region, key[0], time, key[1]))
    held = [parked for key, parked in found.items() if "posted" not in verdicts.get(key, ())]
    return tuple(held[-_MOST_WAITING:])


def _may_be_unusual(sign_in: SignIn, settings: Settings) -> bool:
    """Return whether where it came from may make a sign-in more than the settings ignore."""
    return sign_in.is_entry and bool(settings.known_networks or settings.baseline_table)


def _cause(record: Record, known: Known) -> str:
    time = record.sign_in.event_time
    if time and (time < known.complete_since or time < known.now - _LOGS_KEPT):
        return "unverified"
    if fault := _fault_on_the_way(record.region, known.faults):
        return "forward" if fault.check == "role" else fault.check
    if time and known.deployed_at and time < known.deployed_at:
        return "before_deployment"
    return "read_only" if record.event["detail"].get("readOnly") is True else "unknown"


def _fault_on_the_way(region: str, faults: Iterable[CheckResult]) -> CheckResult | None:
    """Return the first fault that a sign-in in a region meets on its way to the channel."""
    for result in faults:
        regions = regions_of(result)
        if (regions is None or region in regions) and (
            result.check in ("forward", "role") or is_outage(result)
        ):
            return result
    return None
