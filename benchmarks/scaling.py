"""Shows that time and memory do not grow with the work: `make scaling`.

    python -m benchmarks.scaling [--sign-ins 100000]

Hands so many sign-ins to one warm process, hands whole batches of the undelivered queue to others,
and times the building of each kind of message. Writes `benchmarks/results/scaling.md`.
"""

import argparse
import base64
import json
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.harness import Harness, decisions, row, sign_in_event, write_result
from benchmarks.process import memory_mb, peak_memory_mb, processor_seconds
from benchmarks.variant import Variant, deploy_signin_monitor, make_floor, variant_of
from chalicelib.messages.sign_in import sign_in_message
from chalicelib.settings import Settings
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import assess
from playground.aws.deployment import Deployment
from playground.aws.poller import MOST_IN_BATCH
from playground.aws.runtime import LambdaFunction
from playground.catalogue import NAMES, read

SIGN_INS: Final = 100_000
_FORGET_EVERY: Final = 100
_BUILDS: Final = 200
_PADDING: Final = 11_500  # bytes, of a policy in the request: 13 kB with the rest of a sign-in
_LARGEST_EVENT: Final = 1_000_000  # bytes, of what a queue's message may unpack to

_GROWTH_HEADS: Final = (
    "sign-ins in one process",
    "processor time of each (ms)",
    "memory (MB)",
    "memory of the floor (MB)",
)
_BATCH_HEADS: Final = ("batch of the undelivered queue", "events posted", "peak memory (MB)")
_NOTES: Final = """\
`make scaling` makes this page. One warm process, as Lambda would keep it. The floor is
`benchmarks/variants/floor`, a bare HTTP call: what it grows by, AWS's runtime client keeps.
"""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What some sign-ins took, one after another in one warm process."""

    sign_ins: str
    processor_ms: float  # of each
    memory_mb: float  # after the last


def main() -> None:
    """Measure, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--sign-ins", type=int, default=SIGN_INS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, Harness(Path(scratch)) as harness:
        deployment = deploy_signin_monitor(harness, Path(scratch))
        lines = [row(_BATCH_HEADS), row(("---", "---:", "---:"))]
        for name, batch in _batches().items():
            lines.append(row((name, *_deliver(batch, deployment, harness))))
        ours = variant_of(deployment, harness)
        growth = (
            _grow(variant, harness, chosen.sign_ins) for variant in (ours, make_floor(harness))
        )
        lines += ["", row(_GROWTH_HEADS), row(("---:",) * len(_GROWTH_HEADS))]
        for stretch, of_floor in zip(*growth, strict=True):
            memory = f"{stretch.memory_mb:.1f}", f"{of_floor.memory_mb:.1f}"
            lines.append(row((stretch.sign_ins, f"{stretch.processor_ms:.2f}", *memory)))
    building = _time_building(Settings.from_environment(ours.environment))
    write_result("scaling.md", "\n".join((*lines, "", _NOTES, building, "")))


def _grow(variant: Variant, harness: Harness, sign_ins: int) -> list[Stretch]:
    """Have sign-ins posted by one warm process; return a stretch for each power of ten."""
    with LambdaFunction(variant.package, variant.handler, variant.environment) as function:
        function.start()
        pid = function.pid
        assert pid
        stretches = []
        posted, end, before = 0, 1, processor_seconds(pid)
        for number in range(1, sign_ins + 1):
            result = function.invoke(sign_in_event())
            if result.error:
                raise RuntimeError(f"{result.error=}\n" + "\n".join(result.log))
            if number % _FORGET_EVERY == 0:
                harness.receiver.forget()
            if number == end:
                time.sleep(0.1)  # until the process waits for the next event
                after = processor_seconds(pid)
                stretch = Stretch(
                    sign_ins=f"{posted + 1:,} to {number:,}" if number > 1 else "1",
                    processor_ms=1000 * (after - before) / (number - posted),
                    memory_mb=memory_mb(pid),
                )
                print(variant.title, stretch, flush=True)
                stretches.append(stretch)
                posted, end, before = number, min(10 * number, sign_ins), after
        return stretches


def _batches() -> dict[str, list[Any]]:
    """Return whole batches, of what the app parks and of what a stranger could send."""
    return {
        "one sign-in": [sign_in_event()],
        "sign-ins of 13 kB": [_padded_sign_in(_PADDING) for _ in range(MOST_IN_BATCH)],
        "sign-ins that unpack to a megabyte": [
            _compressed(_padded_sign_in(_LARGEST_EVENT)) for _ in range(MOST_IN_BATCH)
        ],
        "reports that unpack to a megabyte": [
            _compressed(_padded_report(number)) for number in range(MOST_IN_BATCH)
        ],
    }


def _padded_sign_in(length: int) -> dict[str, Any]:
    event = sign_in_event()
    event["detail"]["requestParameters"] = {"policy": "x" * length}
    return event


def _padded_report(number: int) -> dict[str, Any]:
    facts = {"rule": "x" * (_LARGEST_EVENT // 10)}
    result = {"check": "rule", "result_code": "rule_disabled", "facts": facts}
    detail = {"eventID": str(number), "new": [result] * 10}
    return {"detail-type": "signin-monitor self-check", "detail": detail}


def _compressed(event: object) -> dict[str, str]:
    return {"compressed": base64.b64encode(zlib.compress(json.dumps(event).encode())).decode()}


def _deliver(events: list[Any], deployment: Deployment, harness: Harness) -> Iterator[str]:
    """Hand a batch to a new process; yield how much was posted, and the peak of its memory."""
    variant = variant_of(deployment, harness, "on_undelivered")
    records = [
        {"receiptHandle": str(number), "body": json.dumps({"event": event})}
        for number, event in enumerate(events)
    ]
    with LambdaFunction(variant.package, variant.handler, variant.environment) as function:
        result = function.invoke({"Records": records})
        assert function.pid, result
        posted = sum(decision["decision"] == "posted" for decision in decisions(result))
        yield f"{posted:,}"
        yield f"{peak_memory_mb(function.pid):.0f}"


def _time_building(settings: Settings) -> str:
    """Time the building of a message for every kind of event; return a sentence."""
    times = sorted(1000 * _seconds_to_build(read(name), settings) for name in NAMES)
    return (
        f"Building a message, from the event to the payload, takes {median(times):.2f} ms "
        f"({times[0]:.2f} to {times[-1]:.2f} over {len(times)} kinds of event)."
    )


def _seconds_to_build(event: object, settings: Settings) -> float:
    """Return the processor time of one build: the median of many."""
    found = []
    for _ in range(_BUILDS):
        began = time.process_time()
        sign_in_message(assess(read_sign_in(event)), settings, timedelta(minutes=6))
        found.append(time.process_time() - began)
    return median(found)


if __name__ == "__main__":
    main()
