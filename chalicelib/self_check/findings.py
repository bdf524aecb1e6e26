"""What a run of the self-check found, as a report that can travel and wait."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Self

from chalicelib.health.result import CheckResult, FaultId, Status
from chalicelib.self_check.changes import is_outage
from chalicelib.signin.severity import Severity

DETAIL_TYPE: Final = "signin-monitor self-check"
EVENT_NAME: Final = "SelfCheck"

_COUNTS: Final = ("posted", "ignored", "found", "waiting", "familiar", "people")
_LONGEST_LIST: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """How many events of a week were posted, ignored and found late; how many still wait.

    `familiar` of them the baseline knew, of so many `people`.
    """

    posted: int
    ignored: int
    found: int
    waiting: int
    last_posted: datetime | None
    familiar: int = 0
    people: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The findings of one run.

    `new` and `ongoing` are faults, `resolved` those that are no more. `unknown` results and
    `uncovered` regions are shown beside; `week` is the heartbeat, once a week.
    """

    account_id: str | None
    new: Sequence[CheckResult] = ()
    ongoing: Sequence[CheckResult] = ()
    resolved: Sequence[FaultId] = ()
    unknown: Sequence[CheckResult] = ()
    uncovered: Sequence[str] = ()
    week: Week | None = None

    @property
    def is_worth_posting(self) -> bool:
        """Whether there is anything to post."""
        return bool(self.new or self.ongoing or self.resolved or self.week)

    @property
    def severity(self) -> Severity:
        """How much it matters: a new outage may wake people up."""
        if any(map(is_outage, self.new)):
            return Severity.CRITICAL
        return Severity.WARNING if self.new or self.ongoing else Severity.INFO

    def to_event(self, cause: Mapping[str, Any]) -> dict[str, Any]:
        """Return the findings as a report, which the notifier posts or parks.

        `cause` is the schedule's event: its id and time become the report's.
        """
        return {
            "detail-type": DETAIL_TYPE,
            "account": self.account_id,
            "detail": {
                "eventName": EVENT_NAME,
                "eventID": cause.get("id"),
                "eventTime": cause.get("time"),
                "new": list(map(_written, self.new)),
                "ongoing": list(map(_written, self.ongoing)),
                "resolved": list(map(list, self.resolved)),
                "unknown": list(map(_written, self.unknown)),
                "uncovered": list(self.uncovered),
                "week": self.week and _written_week(self.week),
            },
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a report that `to_event` wrote, or anything else. Raises nothing."""
        account_id, detail = event.get("account"), event.get("detail")
        detail = detail if isinstance(detail, Mapping) else {}
        return cls(
            account_id=account_id if isinstance(account_id, str) else None,
            new=_results(detail.get("new"), Status.FAULT),
            ongoing=_results(detail.get("ongoing"), Status.FAULT),
            resolved=_fault_ids(detail.get("resolved")),
            unknown=_results(detail.get("unknown"), Status.UNKNOWN),
            uncovered=tuple(map(str, _listed(detail.get("uncovered")))),
            week=_week(detail.get("week")),
        )


def _written(result: CheckResult) -> dict[str, Any]:
    """Return a result as JSON, its code under a name that is not redacted as an OAuth code is."""
    written = asdict(result)
    written["result_code"] = written.pop("code")
    return written


def _written_week(week: Week) -> dict[str, Any]:
    last_posted = week.last_posted and week.last_posted.isoformat()
    return {**asdict(week), "last_posted": last_posted}


def _results(written: object, status: Status) -> tuple[CheckResult, ...]:
    return tuple(
        CheckResult(
            check=str(result.get("check")),
            status=status,
            code=str(result.get("result_code")),
            resource=str(result.get("resource", "")),
            region=_text(result.get("region")),
            handler=_text(result.get("handler")),
            facts=_facts(result.get("facts")),
            remedy=str(result.get("remedy", "")),
        )
        for result in _listed(written)
        if isinstance(result, Mapping)
    )


def _fault_ids(written: object) -> tuple[FaultId, ...]:
    return tuple(
        FaultId(str(fault[0]), str(fault[1]), _text(fault[2]), str(fault[3]))
        for fault in _listed(written)
        if isinstance(fault, list) and len(fault) == len(FaultId._fields)
    )


def _text(written: object) -> str | None:
    return str(written) if written else None


def _facts(written: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in written.items()} if isinstance(written, Mapping) else {}


def _listed(written: object) -> list[Any]:
    return written[:_LONGEST_LIST] if isinstance(written, list) else []


def _week(written: object) -> Week | None:
    if not isinstance(written, Mapping):
        return None
    try:
        last_posted = datetime.fromisoformat(str(written.get("last_posted")))
    except ValueError:
        last_posted = None
    counts = {name: written.get(name) for name in _COUNTS}
    return Week(
        **{name: count if isinstance(count, int) else 0 for name, count in counts.items()},
        last_posted=last_posted,
    )
