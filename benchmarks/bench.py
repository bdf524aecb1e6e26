"""Measures signin-monitor against four other variants: `make bench`.

    python -m benchmarks.bench [--rounds 7] [--period-ms 100]

Writes `bench.md` and `bench.svg` into `benchmarks/results`.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks import plot, table
from benchmarks.harness import RESULTS, Harness, write_result
from benchmarks.quota import FULL_PROCESSOR_MB, PERIOD_MS, Quota, open_quota
from benchmarks.result import Result
from benchmarks.sample import Sample, take
from benchmarks.variant import Variant, make_variants

MEMORY_SIZES = (128, 512, FULL_PROCESSOR_MB)
ROUNDS = 7


def main() -> None:
    """Measure, then write the page and the plot."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, help="cold starts of each, 2 at least"
    )
    parser.add_argument("--period-ms", type=float, default=PERIOD_MS, help="of the quota")
    chosen = parser.parse_args()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as scratch,
        Harness(Path(scratch)) as harness,
        open_quota(chosen.period_ms) as quota,
    ):
        results = measure(make_variants(harness, Path(scratch)), chosen.rounds, harness, quota)
    write_result("bench.md", table.markdown(results, rounds=chosen.rounds, quota=quota))
    (RESULTS / "bench.svg").write_text(plot.svg(results))
    print(f"{time.monotonic() - began:.0f} s")


def measure(
    variants: list[Variant], rounds: int, harness: Harness, quota: Quota | None
) -> list[Result]:
    """Measure each variant at each size in turn, as many times as there are rounds."""
    sizes = MEMORY_SIZES if quota else (FULL_PROCESSOR_MB,)
    samples: dict[tuple[int, str], list[Sample]] = defaultdict(list)
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for size in sizes:
            for variant in variants:
                samples[size, variant.title].append(take(variant, size, harness, quota))
    return [
        Result.of(variant, size, samples[size, variant.title])
        for size in sizes
        for variant in variants
    ]


if __name__ == "__main__":
    main()
