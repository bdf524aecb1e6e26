"""Measures signin-monitor against three other shapes: `make bench`.

    python -m benchmarks.bench [--quick] [--rounds 10] [--period-ms 100]

Writes `benchmarks/results/bench.md` and `bench.svg`.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import plot, table
from benchmarks.bed import Bed
from benchmarks.quota import FULL_PROCESSOR_MB, PERIOD_MS, Quota, open_quota
from benchmarks.result import Result
from benchmarks.shape import Shape, make_shapes
from benchmarks.trial import Trial, run

MEMORY_SIZES: tuple[int, ...] = (128, 256, 512, 1024, FULL_PROCESSOR_MB)
ROUNDS = 10
RESULTS = Path(__file__).with_name("results")


def main() -> None:
    """Measure, write the table and the plot, say how the ratios stand."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="cold starts of each")
    parser.add_argument("--quick", action="store_true", help="two rounds at two sizes, no files")
    parser.add_argument("--period-ms", type=float, default=PERIOD_MS, help="of the quota")
    chosen = parser.parse_args()
    rounds = 2 if chosen.quick else chosen.rounds
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as scratch,
        Bed(Path(scratch)) as bed,
        open_quota(chosen.period_ms) as quota,
    ):
        sizes: tuple[int, ...] = MEMORY_SIZES if quota else (FULL_PROCESSOR_MB,)
        if chosen.quick:
            sizes = tuple(sorted({sizes[0], sizes[-1]}))
        shapes = make_shapes(bed, Path(scratch))
        results = measure(shapes, sizes, rounds, bed, quota)
    text = table.markdown(results, rounds=rounds, quota=quota)
    print(text)
    print_bars([result for result in results if result.memory_mb == sizes[0]])
    if not chosen.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "bench.md").write_text(text)
        (RESULTS / "bench.svg").write_text(plot.svg(results))
    print(f"\n{time.monotonic() - began:.0f} s")


def measure(
    shapes: list[Shape], sizes: tuple[int, ...], rounds: int, bed: Bed, quota: Quota | None
) -> list[Result]:
    """Try each shape at each size in turn, as many times as there are rounds."""
    trials: dict[tuple[int, str], list[Trial]] = defaultdict(list)
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for size in sizes:
            for shape in shapes:
                trials[size, shape.name].append(run(shape, size, bed, quota))
    return [Result.of(shape, size, trials[size, shape.name]) for size in sizes for shape in shapes]


@dataclass(frozen=True)
class Bar:
    """A ratio, or a number, that ours should not exceed."""

    what: str
    reading: Callable[[Result], float]
    most: float
    of: str | None = None  # the shape to compare with


BARS = (
    Bar("cold start to posted", lambda result: result.cold.median, 0.55, "lean"),
    Bar("cold start to posted", lambda result: result.cold.median, 0.2, "article"),
    Bar("first event, ms", lambda result: result.first.median, 25),
    Bar("warm, connection kept", lambda result: result.kept.median, 0.02, "lean"),
    Bar("warm, connection kept", lambda result: result.kept.median, 4, "floor"),
    Bar("warm, new connection", lambda result: result.new.median, 0.25, "lean"),
    Bar("package, kB", lambda result: result.shape.package_bytes / 1000, 1000),
    Bar("peak memory", lambda result: result.peak_memory, 1.15, "article"),
)


def print_bars(results: list[Result]) -> None:
    """Say how ours compares at the smallest size; for information, nothing fails."""
    by_name = {result.shape.name: result for result in results}
    ours = by_name["signin-monitor"]
    for bar in BARS:
        value = bar.reading(ours) / (bar.reading(by_name[bar.of]) if bar.of else 1)
        verdict = "ok" if value <= bar.most else "above"
        against = f" / {bar.of}" if bar.of else ""
        print(f"{verdict:6}{bar.what}{against}: {value:.3g} (at most {bar.most:g})")


if __name__ == "__main__":
    main()
