"""Shows that cost does not grow with work: `make growth`.

    python -m benchmarks.growth [--events 100000]

Hands so many sign-ins to one warm process, and measures how long building a message takes. Writes
`benchmarks/results/growth.md`.
"""

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.bed import Bed, sign_in_event
from benchmarks.process import memory_mb, processor_seconds
from benchmarks.shape import Shape, make_floor, make_signin_monitor
from chalicelib.messages.sign_in import sign_in_message
from chalicelib.settings import Settings
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import judge
from playground.aws.deployment import PROJECT
from playground.aws.runtime import LambdaFunction

EVENTS = 100_000
RESULT = Path(__file__).with_name("results") / "growth.md"
_FORGET_EVERY = 100
_BUILDS = 200
_HEAD = (
    "| sign-ins | processor time of each, ms | memory, MB | memory of the floor, MB |",
    "| ---: | ---: | ---: | ---: |",
)
_NOTE = """\
One warm process, as Lambda would keep it; `make growth` makes this table. The floor is
`benchmarks/shapes/floor`, a bare HTTP call: what it grows by, AWS's runtime client keeps.
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What some sign-ins took, one after another in one warm process."""

    sign_ins: str
    processor_ms: float  # of each
    memory_mb: float  # after the last


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Bed(Path(scratch)) as bed:
        ours = make_signin_monitor(bed, Path(scratch))
        rows, of_floor = (grow(shape, bed, chosen.events) for shape in (ours, make_floor(bed)))
    text = f"{_table(rows, of_floor)}\n{building(Settings.from_environment(ours.environment))}\n"
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text)


def grow(shape: Shape, bed: Bed, events: int) -> list[Row]:
    """Have sign-ins told by one warm process; give a row for each power of ten."""
    with LambdaFunction(shape.package, shape.handler, shape.environment) as function:
        function.start()
        pid = function.pid
        assert pid
        rows = []
        told, row_ends, before = 0, 1, processor_seconds(pid)
        for number in range(1, events + 1):
            result = function.invoke(sign_in_event())
            if result.error:
                raise RuntimeError(f"{result.error=}\n" + "\n".join(result.log))
            if number % _FORGET_EVERY == 0:
                bed.receiver.forget()
            if number == row_ends:
                time.sleep(0.1)  # until the process waits for the next event
                after = processor_seconds(pid)
                first = f"{told + 1:,} to " if number > 1 else ""
                rows.append(
                    Row(
                        sign_ins=f"{first}{number:,}",
                        processor_ms=1000 * (after - before) / (number - told),
                        memory_mb=memory_mb(pid),
                    )
                )
                print(shape.title, rows[-1], flush=True)
                told, row_ends, before = number, min(10 * number, events), after
        return rows


def _table(rows: list[Row], of_floor: list[Row]) -> str:
    lines = [
        f"| {row.sign_ins} | {row.processor_ms:.2f} | {row.memory_mb:.1f} | {floor.memory_mb:.1f} |"
        for row, floor in zip(rows, of_floor, strict=True)
    ]
    return "\n".join((*_HEAD, *lines, "", _NOTE))


def building(settings: Settings) -> str:
    """Time the building of a message for every kind of event; give a sentence."""
    events = [
        json.loads(file.read_text())
        for file in sorted((PROJECT / "playground" / "events").glob("*.json"))
    ]
    milliseconds = sorted(1000 * _seconds_to_build(event, settings) for event in events)
    return (
        f"Building a message, from the event to the payload, takes {median(milliseconds):.2f} ms "
        f"({milliseconds[0]:.2f} to {milliseconds[-1]:.2f} over {len(events)} kinds of event)."
    )


def _seconds_to_build(event: object, settings: Settings) -> float:
    """Give the processor time of one build: the median of many."""
    found = []
    for _ in range(_BUILDS):
        began = time.process_time()
        sign_in_message(judge(read_sign_in(event)), settings, timedelta(minutes=6))
        found.append(time.process_time() - began)
    return median(found)


if __name__ == "__main__":
    main()
