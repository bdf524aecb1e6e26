"""Several measurements of one thing, summed up."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Self


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, measurements: Iterable[float]) -> Self:
        """Sum measurements up, two at least."""
        found = sorted(measurements)
        low, _, high = quantiles(found, n=4, method="inclusive")
        return cls(median(found), low, high)

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}-{_short(self.high)})"


def _short(number: float) -> str:
    return f"{number:,.1f}" if number < 9.95 else f"{number:,.0f}"  # noqa: PLR2004
