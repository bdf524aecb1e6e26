"""What a run of the self-check has to tell of the chain, as a report that can travel and wait."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Self

from chalicelib import resource_names
from chalicelib.health.result import CheckResult, Status
from chalicelib.signin.severity import Severity

DETAIL_TYPE: Final = "signin-monitor self-check"
EVENT_NAME: Final = "SelfCheck"

# While one of these lasts, no sign-in is told, or none of a region.
_OUTAGES: Final = frozenset(
    {
        "trail_missing",
        "trail_stopped",
        "trail_without_sign_ins",
        "rule_missing",
        "rule_disabled",
        "rule_pattern",
        "target_missing",
        "target_changes_event",
        "permission_missing",
        "function_missing",
        "function_failed",
        "concurrency_zero",
        "key_missing",
        "key_disabled",
        "key_pending_deletion",
    }
)
_OTHER_HANDLERS: Final = tuple(f"-{one}" for one in resource_names.HANDLERS if one != "on_sign_in")
_LONGEST_LIST: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """How many events of the last week were told, ignored and found late; how many still wait."""

    told: int
    ignored: int
    found: int
    waiting: int
    last_told: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The findings of one run.

    `broken` are faults that are new, `still_broken` those that are told again, `mended` the
    links that work again. `in_doubt` and `blind` regions are shown beside; `week` is the
    heartbeat, once a week.
    """

    account_id: str | None
    new: Sequence[CheckResult] = ()
    ongoing: Sequence[CheckResult] = ()
    resolved: Sequence[CheckResult] = ()
    unknown: Sequence[CheckResult] = ()
    uncovered: Sequence[str] = ()
    week: Week | None = None

    @property
    def is_worth_posting(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.new or self.ongoing or self.resolved or self.week)

    @property
    def severity(self) -> Severity:
        """How much it matters: a new fault that silences the app may wake people up."""
        if any(map(is_outage, self.new)):
            return Severity.CRITICAL
        return Severity.WARNING if self.new or self.ongoing else Severity.INFO

    def to_event(self, cause: Mapping[str, Any]) -> dict[str, Any]:
        """Write the findings as a report, which the notifier tells or parks.

        `cause` is the schedule's event: its id and time become the report's.
        """
        week = self.week and asdict(self.week)
        if week:
            week["last_told"] = week["last_told"] and week["last_told"].isoformat()
        return {
            "detail-type": DETAIL_TYPE,
            "account": self.account_id,
            "detail": {
                "eventName": EVENT_NAME,
                "eventID": cause.get("id"),
                "eventTime": cause.get("time"),
                "broken": list(map(_written, self.new)),
                "still_broken": list(map(_written, self.ongoing)),
                "mended": list(map(_written, self.resolved)),
                "in_doubt": list(map(_written, self.unknown)),
                "blind": list(self.uncovered),
                "week": week,
            },
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a report that `to_event` wrote, or anything else. Raises nothing."""
        account_id, detail = event.get("account"), event.get("detail")
        detail = detail if isinstance(detail, Mapping) else {}
        return cls(
            account_id=account_id if isinstance(account_id, str) else None,
            new=_links(detail.get("broken"), Status.FAULT),
            ongoing=_links(detail.get("still_broken"), Status.FAULT),
            resolved=_links(detail.get("mended"), Status.OK),
            unknown=_links(detail.get("in_doubt"), Status.UNKNOWN),
            uncovered=tuple(map(str, _listed(detail.get("blind")))),
            week=_week(detail.get("week")),
        )


def is_outage(fault: CheckResult) -> bool:
    """Return whether a fault keeps sign-ins from being told, so long as it lasts."""
    return fault.code in _OUTAGES and not any(
        fact.removesuffix("-event").endswith(_OTHER_HANDLERS) for fact in fault.facts.values()
    )


def _written(result: CheckResult) -> dict[str, Any]:
    """Write a link as JSON, its code under a name that is not redacted as an OAuth code is."""
    written = asdict(result)
    written["says"] = written.pop("code")
    return written


def _links(said: object, state: Status) -> tuple[CheckResult, ...]:
    return tuple(
        CheckResult(
            name=str(one.get("name")),
            state=state,
            code=str(one.get("says")),
            facts=_texts(one.get("facts")),
            remedy=str(one.get("remedy", "")),
            region=str(one["region"]) if one.get("region") else None,
        )
        for one in _listed(said)
        if isinstance(one, Mapping)
    )


def _texts(said: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in said.items()} if isinstance(said, Mapping) else {}


def _listed(said: object) -> list[Any]:
    return said[:_LONGEST_LIST] if isinstance(said, list) else []


def _week(said: object) -> Week | None:
    if not isinstance(said, Mapping):
        return None
    try:
        last_told = datetime.fromisoformat(str(said.get("last_told")))
    except ValueError:
        last_told = None
    counts = {name: said.get(name) for name in ("told", "ignored", "found", "waiting")}
    return Week(
        **{name: one if isinstance(one, int) else 0 for name, one in counts.items()},
        last_told=last_told,
    )
