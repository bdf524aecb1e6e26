"""A storm of failed sign-ins, with a successful one of root's among them: `make storm`.

    python -m benchmarks.storm [--sign-ins 10000] [--sandboxes 4]

Each name is invented, each address another. All go through the deployed package under AWS's runtime
client: some sandboxes of `on_sign_in`, an embedded SQS, two of `on_undelivered` fed as Lambda's
poller does, and a receiver that takes 25 messages at once and then one a second. By the decision
lines, every sign-in must be posted. Writes `benchmarks/results/storm.md`.
"""

import argparse
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Final

import moto.sqs.models

from benchmarks.harness import Harness, decisions, row, sign_in_event, write_result
from benchmarks.variant import deploy_signin_monitor
from playground.aws.deployment import Deployment
from playground.aws.poller import MOST_IN_BATCH, Poller
from playground.aws.runtime import LambdaFunction, Result
from playground.slack.rate import Rate

SIGN_INS: Final = 10_000
SANDBOXES: Final = 4
POLLERS: Final = 2  # the event source's maximum concurrency
WINDOW_SECONDS: Final = 60  # the event source's batching window
VISIBILITY_SECONDS: Final = 420  # the queue's: six times the function's timeout, and the window
RETRY_SECONDS: Final = 60  # Lambda's, before it runs a failed asynchronous invocation again
LONGEST_SECONDS: Final = 1_800  # of one storm, on a slow machine
_LOOK_SECONDS: Final = 3

_HEADS: Final = (
    "`FAILURES`",
    "sign-ins",
    "posted",
    "… more than once",
    "messages in the channel",
    "root posted after (s)",
    "posts answered 429",
    "… before the wait asked for was over",
    "all posted after (s)",
    "… of it skipped waits (s)",
)
_NOTES: Final = f"""
`make storm` makes this table: {{sandboxes}} sandboxes of `on_sign_in` and {POLLERS} of
`on_undelivered`, and a receiver that takes 25 messages at once, then one a second. What was posted
is counted by the functions' decision lines. Time is real but for the skipped waits, which are
counted, not waited for: {WINDOW_SECONDS} s until Lambda's poller hands over a batch that is not
full, {VISIBILITY_SECONDS} s until SQS shows again what a batch left.
"""


class Storm:
    """One storm over one deployment."""

    def __init__(self, harness: Harness, deployment: Deployment) -> None:
        self._harness = harness
        self._deployment = deployment
        self._burst: Queue[dict[str, Any]] = Queue()
        self._blowing = threading.Event()
        self._patience_ends = time.monotonic() + LONGEST_SECONDS
        self.posted: Counter[str] = Counter()  # by event id
        self.root_seconds = 0.0  # from root's sign-in to its message
        self.skipped_seconds = 0  # what AWS would have waited

    def blow(self, sign_ins: int, sandboxes: int) -> None:
        """Sign in as often, half-way as root; return once all that was parked is posted."""
        for number in range(sign_ins):
            self._burst.put(_failure(number))
            if number == sign_ins // 2:
                self._burst.put(sign_in_event("root-without-mfa"))
        self._blowing.set()
        with ThreadPoolExecutor(sandboxes + POLLERS) as threads:
            pollers = [threads.submit(self._poll) for _ in range(POLLERS)]
            burst = [threads.submit(self._sign_in) for _ in range(sandboxes)]
            wait(burst)
            self._blowing.clear()
            for thread in burst + pollers:
                thread.result()
        self._poll()  # what came back to the queue last

    def _sign_in(self) -> None:
        """Run one sandbox of `on_sign_in` until there are no events."""
        with self._function("on_sign_in") as function:
            while True:
                try:
                    event = self._burst.get_nowait()
                except Empty:
                    return
                if event["detail"]["userIdentity"]["type"] == "Root":
                    event["detail"]["eventTime"] = sign_in_event()["time"]  # it happens now
                if self._invoke(function, event).error:
                    self.skipped_seconds += RETRY_SECONDS
                    self._burst.put(event)

    def _poll(self) -> None:
        """Run Lambda's poller and its sandbox: whole batches, then, the storm over, the rest."""
        poller = Poller(self._deployment.environment("on_undelivered")["UNDELIVERED_QUEUE"])
        with self._function("on_undelivered") as function:
            while time.monotonic() < self._patience_ends:
                waiting = poller.waiting()
                if waiting < MOST_IN_BATCH and self._blowing.is_set():
                    time.sleep(_LOOK_SECONDS)
                    continue
                if not waiting:
                    return
                delivery = poller.deliver(_raising(lambda event: self._invoke(function, event)))
                if delivery.received < MOST_IN_BATCH:
                    self.skipped_seconds += WINDOW_SECONDS
                if delivery.left:
                    self.skipped_seconds += VISIBILITY_SECONDS
        raise TimeoutError(f"{waiting} events are in the queue after {LONGEST_SECONDS} s")

    def _invoke(self, function: LambdaFunction, event: object) -> Result:
        result = function.invoke(event)
        for decision in decisions(result):
            if decision["decision"] == "posted":
                self.posted[decision["event_id"]] += 1
                if decision["severity"] == "critical":
                    self.root_seconds = decision["delay_ms"] / 1000
        return result

    def _function(self, handler: str) -> LambdaFunction:
        environment = self._deployment.environment(handler) | self._harness.environment
        return LambdaFunction(self._deployment.package, f"app.{handler}", environment)


def main() -> None:
    """Run a storm for each value of FAILURES; write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--sign-ins", type=int, default=SIGN_INS)
    parser.add_argument("--sandboxes", type=int, default=SANDBOXES, help="of on_sign_in")
    chosen = parser.parse_args()
    lines = [row(_HEADS), row(("---", *["---:"] * (len(_HEADS) - 1)))]
    missing = 0
    # A process for each: moto keeps one state in a process, and the poller one client.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes:
        for failures in ("each", "digest"):
            storm = processes.submit(_pass, failures, chosen.sign_ins, chosen.sandboxes)
            cells, lost = storm.result()
            missing += lost
            lines.append(row(cells))
            print(lines[-1], flush=True)
    write_result("storm.md", "\n".join((*lines, _NOTES.format(sandboxes=chosen.sandboxes))))
    if missing:
        raise SystemExit(f"{missing} sign-ins were not posted.")


def _pass(failures: str, sign_ins: int, sandboxes: int) -> tuple[list[str], int]:
    """Run one storm; return its cells of the table, and how many sign-ins were not posted."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        Harness(Path(scratch), rate=Rate(), aws_over_tls=False) as harness,
    ):
        deployment = deploy_signin_monitor(harness, Path(scratch), FAILURES=failures)
        os.environ.update(harness.environment)  # for the poller
        harness.aws.leave_alone(deployment.environment("on_undelivered")["UNDELIVERED_QUEUE"])
        _hurry_moto()
        storm = Storm(harness, deployment)
        began = time.time()
        storm.blow(sign_ins, sandboxes)
        receiver = harness.receiver
    cells = [
        failures,
        f"{sign_ins + 1:,}",
        f"{len(storm.posted):,}",
        f"{storm.posted.total() - len(storm.posted):,}",
        f"{len(receiver.messages):,}",
        f"{storm.root_seconds:.0f}",
        f"{len(receiver.refused):,}",
        f"{receiver.hits_while_limited:,}",
        f"{receiver.messages[-1].received_at - began + storm.skipped_seconds:,.0f}",
        f"{storm.skipped_seconds:,}",
    ]
    return cells, sign_ins + 1 - len(storm.posted)


def _hurry_moto() -> None:
    """Make moto's clock fast: it asks the time for each message of the queue, at every call."""
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
