"""Several measurements of one thing, summed up."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import quantiles
from typing import Self

_ONE_DECIMAL_BELOW = 9.95


@dataclass(frozen=True, slots=True)
class Quartiles:
    """The median, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, measurements: Iterable[float]) -> Self:
        """Sum measurements up, two at least."""
        return cls(*quantiles(measurements, n=4, method="inclusive"))

    def __str__(self) -> str:
        return f"{_short(self.median)} ({_short(self.low)}–{_short(self.high)})"


def _short(number: float) -> str:
    return f"{number:,.1f}" if number < _ONE_DECIMAL_BELOW else f"{number:,.0f}"
