"""Checkpoint: what a run of the self-check leaves to the next one, in a line of its own log."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Final, NamedTuple, Self

from chalicelib.health.result import FaultId

Span = tuple[datetime, datetime]
# What a decision line names its sign-in by: the event's id, and the digest of what happened, which
# is in no line that is not authentic.
Key = tuple[str, str | None]

RUN_MARKER: Final = "ran"
# The queue is tried every few minutes: what stays while others are posted may be lost.
_LONGEST_WAIT: Final = timedelta(days=1)
_KEPT: Final = timedelta(days=90)  # CloudTrail's event history


class Waiting(NamedTuple):
    """A parked sign-in that is no failure: where and when the history has it, and its digest."""

    region: str
    event_id: str
    time: datetime
    record: str

    @property
    def key(self) -> Key:
        """What its decision line names it by."""
        return self.event_id, self.record


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one region has been read: to `until`, but for the spans that no run could read."""

    until: datetime
    gaps: tuple[Span, ...] = ()

    def with_gap(self, start: datetime, end: datetime) -> Self:
        """Return it with a span that is to be read again, joined with those that it touches."""
        gaps: list[Span] = []
        for since, until in sorted((*self.gaps, (start, end))):
            if gaps and since <= gaps[-1][1]:
                first, last = gaps.pop()
                gaps.append((first, max(last, until)))
            else:
                gaps.append((since, until))
        return replace(self, gaps=tuple(gaps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What was decided of sign-ins since the last heartbeat.

    `familiar` of them the baseline knew; `people` are their pseudonyms.
    """

    posted: int = 0
    ignored: int = 0
    found: int = 0
    familiar: int = 0
    people: tuple[str, ...] = ()
    last_posted: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """`regions` are known by name; `faults` are those that last, with when each was last posted.

    `at` is when the run began, None of no run; `began` when the first run did. `unknown` are the
    checks, with their regions, that could not look; `waiting` is what the queue holds, as far as it
    is no failure. `logs_since` is when on_sign_in's log group was made, `deployed_at` when the
    first such group was. `unused` are the verified passwords that were reported, by AWS's id of the
    attempt.
    """

    regions: Mapping[str, Progress] = field(default_factory=dict)
    faults: Mapping[FaultId, datetime] = field(default_factory=dict)
    heartbeat: datetime | None = None
    at: datetime | None = None
    deployed_at: datetime | None = None
    logs_since: datetime | None = None
    began: datetime | None = None
    queue_was_empty: bool = False
    waiting: tuple[Waiting, ...] = ()
    unknown: tuple[tuple[str, str | None], ...] = ()
    unused: tuple[str, ...] = ()
    totals: Totals = Totals()

    @property
    def stuck_before(self) -> datetime | None:
        """Until when what was parked should be posted: a day before another sign-in was."""
        posted = self.totals.last_posted
        return posted and posted - _LONGEST_WAIT

    def without_mac(self, at: datetime) -> Self:
        """Return what is believed of a line without MAC that was written at that time.

        That is what it has read until then, but for what CloudTrail keeps no longer, and when the
        last heartbeat was: it mutes no fault.
        """
        return type(self)(
            regions={
                name: replace(progress, until=min(max(progress.until, at - _KEPT), at))
                for name, progress in self.regions.items()
            },
            heartbeat=self.heartbeat and min(self.heartbeat, at),
        )

    def to_line(self) -> dict[str, Any]:
        """Return the fields of a log line that keeps it."""
        return {
            "self_check": RUN_MARKER,
            "regions": {
                name: [at.isoformat() for at in (progress.until, *chain(*progress.gaps))]
                for name, progress in self.regions.items()
            },
            "faults": [
                {**fault._asdict(), "posted": at.isoformat()} for fault, at in self.faults.items()
            ],
            "heartbeat": _written(self.heartbeat),
            "at": _written(self.at),
            "deployed_at": _written(self.deployed_at),
            "logs_since": _written(self.logs_since),
            "began": _written(self.began),
            "queue_was_empty": self.queue_was_empty,
            "waiting": [
                (parked.region, parked.event_id, parked.time.isoformat(), parked.record)
                for parked in self.waiting
            ],
            "unknown": [list(check) for check in self.unknown],
            "unused": self.unused,
            "totals": {
                **asdict(self.totals),
                "last_posted": _written(self.totals.last_posted),
            },
        }

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Self | None:
        """Return what `to_line` wrote; None for anything else.

        What has a default here is not in a line of release 1.0; it goes with release 1.2.
        """
        try:
            totals = line.get("totals", {})
            return cls(
                regions={name: _progress(times) for name, times in line["regions"].items()},
                faults={_fault_id(kept): _time(kept["posted"]) for kept in line["faults"]},
                heartbeat=_moment(line["heartbeat"]),
                at=_moment(line.get("at")),
                deployed_at=_moment(line.get("deployed_at")),
                logs_since=_moment(line.get("logs_since")),
                began=_moment(line.get("began")),
                waiting=tuple(
                    Waiting(region, event_id, _time(time), record)
                    for region, event_id, time, record in line.get("waiting", ())
                ),
                queue_was_empty=line.get("queue_was_empty") is True,
                unknown=tuple((check, region) for check, region in line.get("unknown", ())),
                unused=tuple(line.get("unused", ())),
                totals=Totals(
                    **{
                        **totals,
                        "people": tuple(totals.get("people", ())),
                        "last_posted": _moment(totals.get("last_posted")),
                    }
                ),
            )
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError):
            return None


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(written: str | None) -> datetime | None:
    return _time(written) if written else None


def _time(written: str) -> datetime:
    """Return a time, in UTC also where the text names no zone: times are compared."""
    return datetime.fromisoformat(written).astimezone(UTC)


def _progress(times: list[str]) -> Progress:
    until, *ends = map(_time, times)
    return Progress(until, tuple(zip(ends[::2], ends[1::2], strict=True)))


def _fault_id(kept: Mapping[str, Any]) -> FaultId:
    return FaultId(*(kept[name] for name in FaultId._fields))
