"""Checkpoint: what a run of the self-check leaves to the next one, in a line of its own log."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any, Final, NamedTuple, Self

from chalicelib.health.result import FaultId

Span = tuple[datetime, datetime]

RUN_MARKER: Final = "ran"


class Waiting(NamedTuple):
    """A parked sign-in that is no failure: where and when the history has it."""

    region: str
    event_id: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one region has been read: to `until`, but for the spans that no run could read."""

    until: datetime
    gaps: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """`regions` are known by name; `faults` are those that last, with when each was last posted.

    `unknown` are the checks, with their regions, that could not look; `waiting` is what the queue
    holds, as far as it is no failure.
    """

    regions: Mapping[str, Progress] = field(default_factory=dict)
    faults: Mapping[FaultId, datetime] = field(default_factory=dict)
    heartbeat: datetime | None = None
    at: datetime | None = None
    queue_was_empty: bool = False
    waiting: tuple[Waiting, ...] = ()
    unknown: tuple[tuple[str, str | None], ...] = ()

    def until(self, at: datetime) -> Self:
        """Return it without what it claims to have read after that time."""
        return replace(
            self,
            regions={
                name: replace(progress, until=min(progress.until, at))
                for name, progress in self.regions.items()
            },
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
            "heartbeat": self.heartbeat.isoformat() if self.heartbeat else None,
            "at": self.at.isoformat() if self.at else None,
            "queue_was_empty": self.queue_was_empty,
            "waiting": [(one.region, one.event_id, one.time.isoformat()) for one in self.waiting],
            "unknown": [list(check) for check in self.unknown],
        }

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> Self:
        """Return what `to_line` wrote. Raises one of many errors for another release's line."""
        heartbeat = line["heartbeat"]
        return cls(
            regions={name: _progress(times) for name, times in line["regions"].items()},
            faults={
                _fault_id(kept): datetime.fromisoformat(kept["posted"]) for kept in line["faults"]
            },
            heartbeat=datetime.fromisoformat(heartbeat) if heartbeat else None,
            at=datetime.fromisoformat(line["at"]) if line.get("at") else None,
            waiting=tuple(
                Waiting(region, event_id, datetime.fromisoformat(time))
                for region, event_id, time in line.get("waiting", ())
            ),
            queue_was_empty=line.get("queue_was_empty") is True,
            unknown=tuple((check, region) for check, region in line.get("unknown", ())),
        )


def _progress(times: list[str]) -> Progress:
    until, *ends = map(datetime.fromisoformat, times)
    return Progress(until, tuple(zip(ends[::2], ends[1::2], strict=True)))


def _fault_id(kept: Mapping[str, Any]) -> FaultId:
    return FaultId(*(kept[name] for name in FaultId._fields))
