"""What signin-monitor should reach, as ratios within one run: machines differ, ratios hardly do."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.harness import row
from benchmarks.quota import FULL_PROCESSOR_MB
from benchmarks.result import Result
from benchmarks.variant import ARTICLE, FLOOR, LEAN, OURS, WITH_BASELINE


@dataclass(frozen=True)
class Bar:
    """The most that a measurement may be, in its unit or as a multiple of another variant's."""

    measure: str
    reading: Callable[[Result], float]
    most: float
    against: str | None = None  # a variant's title
    memory_mb: int = 128
    of: str = OURS

    def value(self, found: Mapping[tuple[str, int], Result]) -> float:
        """Return what was measured."""
        value = self.reading(found[self.of, self.memory_mb])
        if self.against is None:
            return value
        other = self.reading(found[self.against, self.memory_mb])
        return value - other if self.of is WITH_BASELINE else value / other


def _processor(result: Result) -> float:
    return result.processor.median


BARS: Final = (
    Bar("cold start until posted", lambda result: result.cold.median, 0.5, LEAN),
    Bar(
        "cold start until posted",
        lambda result: result.cold.median,
        0.9,
        LEAN,
        FULL_PROCESSOR_MB,
    ),
    Bar("cold start until posted", lambda result: result.cold.median, 0.15, ARTICLE),
    Bar("first sign-in, ms", lambda result: result.first.median, 25),
    Bar("warm, same connection", lambda result: result.kept.median, 0.02, LEAN),
    Bar("warm, same connection", lambda result: result.kept.median, 3, FLOOR),
    Bar("warm, new connection", lambda result: result.new.median, 0.1, LEAN),
    Bar("peak memory", lambda result: result.peak_memory, 1, ARTICLE),
    Bar("processor time more, ms", _processor, 15, OURS, of=WITH_BASELINE),
    Bar("package, MB", lambda result: result.variant.package_bytes / 1e6, 1.15),
)


def bars(results: Collection[Result]) -> Iterator[str]:
    """Yield the rows of a table that holds signin-monitor against its bars."""
    found = {(result.variant.title, result.memory_mb): result for result in results}
    yield row(("signin-monitor", "compared with", "memory size (MB)", "measured", "at most"))
    yield row(("---", "---", "---:", "---:", "---:"))
    measured = {result.memory_mb for result in results}
    for bar in (bar for bar in BARS if bar.memory_mb in measured):
        value = bar.value(found)
        yield row(
            (
                bar.measure if bar.of is OURS else f"{bar.of}: {bar.measure}",
                bar.against or "",
                f"{bar.memory_mb:,}",
                f"{value:.3g}" if value <= bar.most else f"**{value:.3g}**",
                f"{bar.most:g}",
            )
        )
