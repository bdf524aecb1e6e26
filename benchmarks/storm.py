"""A storm of failed sign-ins, with root's one success among them: `make storm`.

    python -m benchmarks.storm [--sign-ins 10000] [--sandboxes 4]

Each name is invented, each address another. All go through the deployed package under AWS's runtime
client: some sandboxes of `on_sign_in`, an embedded SQS, two of `on_undelivered` fed as Lambda's
poller does, and a receiver that takes 25 messages at once and then one a second. Every sign-in must
be counted in a message. Writes `benchmarks/results/storm.md`.
"""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import moto.sqs.models

from benchmarks.bed import Bed, sign_in_event
from benchmarks.shape import deploy_signin_monitor
from benchmarks.telling import Telling
from playground.aws.deployment import Deployment
from playground.aws.poller import MOST_IN_BATCH, Poller
from playground.aws.runtime import LambdaFunction, Result
from playground.slack.rate import Rate

SIGN_INS = 10_000
SANDBOXES = 4
POLLERS = 2  # the event source's maximum concurrency
WINDOW_SECONDS = 60  # the event source's batching window
VISIBILITY_SECONDS = 420  # the queue's: six times the function's timeout, and the window
RETRY_SECONDS = 60  # Lambda's, before it runs a failed asynchronous invocation again
LONGEST_SECONDS = 1_800  # of one storm, on a slow machine
_LOOK_SECONDS = 3
RESULT = Path(__file__).with_name("results") / "storm.md"

_HEADS = (
    "`FAILURES`",
    "sign-ins",
    "counted in messages",
    "messages",
    "of them alone",
    "root told as message no.",
    "… s after its sign-in",
    "… messages in between",
    "429 answers",
    "posts while told to wait",
    "all told after, s",
    "of them skipped waits, s",
)

_NOTES = f"""
`make storm` makes this table: {{sandboxes}} sandboxes of `on_sign_in` and {POLLERS} of
`on_undelivered`, and a receiver that takes 25 messages at once, then one a second. Time is real but
for the skipped waits, which are counted, not waited for: {WINDOW_SECONDS} s until Lambda's poller
hands over a batch that is not full, {VISIBILITY_SECONDS} s until SQS shows again what a batch left.
"""


class Storm:
    """One storm over one deployment."""

    def __init__(self, bed: Bed, deployment: Deployment) -> None:
        self._bed = bed
        self._deployment = deployment
        self._burst: Queue[dict[str, Any]] = Queue()
        self._blowing = threading.Event()
        self._root_came_at = 0.0
        self._patience_ends = time.monotonic() + LONGEST_SECONDS
        self.skipped_seconds = 0  # what AWS would have waited

    def blow(self, sign_ins: int, sandboxes: int) -> Telling:
        """Let it pass over; give what the receiver was told."""
        for number in range(sign_ins):
            self._burst.put(_failure(number))
            if number == sign_ins // 2:
                self._burst.put(sign_in_event("root-without-mfa"))
        self._blowing.set()
        began = time.time()
        with ThreadPoolExecutor(sandboxes + POLLERS) as threads:
            pollers = [threads.submit(self._poll) for _ in range(POLLERS)]
            burst = [threads.submit(self._sign_in) for _ in range(sandboxes)]
            wait(burst)
            self._blowing.clear()
            for thread in burst + pollers:
                thread.result()
        self._poll()  # what came back to the queue last
        return Telling.of(self._bed.receiver, began=began, root_came_at=self._root_came_at)

    def _sign_in(self) -> None:
        """Be one sandbox: take events until there are none."""
        with self._function("on_sign_in") as function:
            while True:
                try:
                    event = self._burst.get_nowait()
                except Empty:
                    return
                if event["detail"]["userIdentity"]["type"] == "Root" and not self._root_came_at:
                    self._root_came_at = time.time()
                if function.invoke(event).error:
                    self.skipped_seconds += RETRY_SECONDS
                    self._burst.put(event)

    def _poll(self) -> None:
        """Be Lambda's poller and its sandbox: whole batches, then, the storm over, the rest."""
        poller = Poller(self._deployment.environment("on_undelivered")["UNDELIVERED_QUEUE"])
        with self._function("on_undelivered") as function:
            while time.monotonic() < self._patience_ends:
                waiting = poller.waiting()
                if waiting < MOST_IN_BATCH and self._blowing.is_set():
                    time.sleep(_LOOK_SECONDS)
                    continue
                if not waiting:
                    return
                delivery = poller.deliver(_raising(function.invoke))
                if delivery.received < MOST_IN_BATCH:
                    self.skipped_seconds += WINDOW_SECONDS
                if delivery.left:
                    self.skipped_seconds += VISIBILITY_SECONDS
        raise TimeoutError(f"{waiting} events are in the queue after {LONGEST_SECONDS} s")

    def _function(self, handler: str) -> LambdaFunction:
        environment = self._deployment.environment(handler) | self._bed.environment
        return LambdaFunction(self._deployment.package, f"app.{handler}", environment)


def main() -> None:
    """Let a storm pass for each value of FAILURES; print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--sign-ins", type=int, default=SIGN_INS)
    parser.add_argument("--sandboxes", type=int, default=SANDBOXES, help="of on_sign_in")
    chosen = parser.parse_args()
    rows = [_HEADS, ["---"] + ["---:"] * (len(_HEADS) - 1)]
    # A process for each: moto keeps one state in a process, and the poller one client.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for failures in ("each", "digest"):
            row = processes.submit(_row, failures, chosen.sign_ins, chosen.sandboxes)
            rows.append(row.result())
            print(*rows[-1], sep=" | ", flush=True)
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    text += _NOTES.format(sandboxes=chosen.sandboxes)
    print(text)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text)
    if any(sign_ins != counted for _, sign_ins, counted, *_ in rows[2:]):
        raise SystemExit("Not every sign-in is counted in one message.")


def _row(failures: str, sign_ins: int, sandboxes: int) -> list[str]:
    with (
        tempfile.TemporaryDirectory() as scratch,
        Bed(Path(scratch), rate=Rate(), aws_over_tls=False) as bed,
    ):
        deployment = deploy_signin_monitor(bed, Path(scratch), FAILURES=failures)
        os.environ.update(bed.environment)  # for the poller
        bed.aws.leave_alone(deployment.environment("on_undelivered")["UNDELIVERED_QUEUE"])
        _hurry_moto()
        storm = Storm(bed, deployment)
        told = storm.blow(sign_ins, sandboxes)
    return [
        failures,
        f"{sign_ins + 1:,}",
        f"{told.counted:,}",
        f"{told.messages:,}",
        f"{told.alone:,}",
        f"{told.root_rank:,}",
        f"{told.root_seconds:.1f}",
        f"{told.root_waited_for:,}",
        f"{told.refused:,}",
        f"{told.hits_while_limited:,}",
        f"{told.seconds + storm.skipped_seconds:,.0f}",
        f"{storm.skipped_seconds:,}",
    ]


def _hurry_moto() -> None:
    """Let moto ask the time fast: it asks for each message of the queue, at every call."""
    setattr(moto.sqs.models, "unix_time_millis", lambda: time.time() * 1000)  # noqa: B010 — moto's


def _failure(number: int) -> dict[str, Any]:
    event = sign_in_event("iam-user-wrong-password")
    event["detail"]["userIdentity"] |= {"userName": f"invented-{number:05}"}
    event["detail"]["sourceIPAddress"] = f"198.18.{number // 250}.{number % 250 + 1}"
    return event


def _raising(invoke: Callable[[object], Result]) -> Callable[[Mapping[str, Any]], None]:
    """Turn an invocation's error into an exception, as the poller wants it."""

    def call(event: Mapping[str, Any]) -> None:
        result = invoke(event)
        if result.error:
            raise RuntimeError(result.error["errorMessage"])

    return call


if __name__ == "__main__":
    main()
