"""Shows that cost does not grow with work: `make growth`.

    python -m benchmarks.growth [--events 100000]

Hands so many sign-ins to one warm process, and measures how long building a message takes. Writes
`benchmarks/results/growth.md`.
"""

import argparse
import json
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.bed import Bed, sign_in_event
from benchmarks.process import memory_mb, processor_seconds
from benchmarks.shape import make_signin_monitor
from chalicelib.message import sign_in_message
from chalicelib.settings import Settings
from chalicelib.severity import judge
from chalicelib.signin import SignIn
from playground.deployment import PROJECT
from playground.runtime import LambdaFunction

EVENTS = 100_000
RESULT = Path(__file__).with_name("results") / "growth.md"
_FORGET_EVERY = 100
_BUILDS = 200


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--events", type=int, default=EVENTS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Bed(Path(scratch)) as bed:
        shape = make_signin_monitor(bed, Path(scratch))
        with LambdaFunction(shape.package, shape.handler, shape.environment) as function:
            lines = grow(function, bed, chosen.events)
        settings = Settings.from_environment(shape.environment)
    text = "\n".join([*lines, "", building(settings), ""])
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text)


def grow(function: LambdaFunction, bed: Bed, events: int) -> list[str]:
    """Have sign-ins told by one warm process; give a table with a row for each power of ten."""
    function.start()
    pid = function.pid
    assert pid
    lines = [
        "| sign-ins | processor time of each, ms | memory, MB |",
        "| ---: | ---: | ---: |",
    ]
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
            each = 1000 * (after - before) / (number - told)
            first = f"{told + 1:,} to " if number > 1 else ""
            lines.append(f"| {first}{number:,} | {each:.2f} | {memory_mb(pid):.1f} |")
            print(lines[-1], flush=True)
            told, row_ends, before = number, min(10 * number, events), after
    return lines


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
        sign_in_message(judge(SignIn.from_event(event)), settings, timedelta(minutes=6))
        found.append(time.process_time() - began)
    return median(found)


if __name__ == "__main__":
    main()
