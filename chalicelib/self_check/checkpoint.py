"""What the self-check must know of its last run: it stands in its own log, one line a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Final, Self

Span = tuple[datetime, datetime]

RUN_MARKER: Final = "ran"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one region has been read: to `until`, but for the spans that no run could read."""

    until: datetime
    gaps: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """`regions` by name; `faults` by the link's key, when each was last told."""

    regions: Mapping[str, Progress] = field(default_factory=dict)
    faults: Mapping[str, datetime] = field(default_factory=dict)
    heartbeat: datetime | None = None

    def to_line(self) -> dict[str, Any]:
        """Write it as fields of a log line."""
        return {
            "self_check": RUN_MARKER,
            "regions": {
                name: [at.isoformat() for at in (one.until, *chain(*one.gaps))]
                for name, one in self.regions.items()
            },
            "faults": {key: at.isoformat() for key, at in self.faults.items()},
            "heartbeat": self.heartbeat.isoformat() if self.heartbeat else None,
        }

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> Self:
        """Read what `to_line` wrote."""
        heartbeat = line["heartbeat"]
        return cls(
            regions={name: _progress(times) for name, times in line["regions"].items()},
            faults={key: datetime.fromisoformat(at) for key, at in line["faults"].items()},
            heartbeat=datetime.fromisoformat(heartbeat) if heartbeat else None,
        )


def _progress(times: list[str]) -> Progress:
    until, *ends = map(datetime.fromisoformat, times)
    return Progress(until, tuple(zip(ends[::2], ends[1::2], strict=True)))
