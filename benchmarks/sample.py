"""One life of a function, measured: a cold start, some warm sign-ins, its end."""

import random
import time
from dataclasses import dataclass

from benchmarks.harness import Harness, sign_in_event
from benchmarks.process import peak_memory_mb, processor_seconds
from benchmarks.quota import PERIOD_MS, Quota
from benchmarks.variant import Variant
from playground.aws.runtime import LambdaFunction, Result

WARM_CALLS = 3
_PAUSE_SECONDS = 0.12  # with the random part, more than a period: each call finds a fresh quota


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Times in milliseconds, memory in MB."""

    init: float  # the process's start to its first question for an event
    init_processor: float  # processor time of that
    cold: float  # the process's start to the message at the receiver
    first: float  # the handler's time of the first event
    kept: tuple[float, ...]  # … of the next events, the receiver keeping the connection
    new: tuple[float, ...]  # … where the receiver ends it after each answer
    processor: tuple[float, ...]  # processor time of `kept`, the runtime client's included
    peak_memory: float


def take(variant: Variant, memory_mb: int, harness: Harness, quota: Quota | None) -> Sample:
    """Start a variant cold at a memory size, sign in several times, stop it."""
    init_processor = []

    def ready(pid: int) -> None:
        init_processor.append(processor_seconds(pid))
        if quota:
            quota.hold(pid, memory_mb)

    with LambdaFunction(
        variant.package, variant.handler, variant.environment, memory_mb=memory_mb, on_ready=ready
    ) as function:
        first, posted = _sign_in(function, harness)
        pid = function.pid
        assert pid
        kept, processor = [], []
        _pause()
        for _ in range(WARM_CALLS):
            before = processor_seconds(pid)
            kept.append(_sign_in(function, harness)[0].seconds)
            _pause()
            processor.append(processor_seconds(pid) - before)
        harness.receiver.behave("close_idle")
        _sign_in(function, harness)  # the last sign-in over the kept connection
        new = []
        for _ in range(WARM_CALLS):
            _pause()
            new.append(_sign_in(function, harness)[0].seconds)
        harness.receiver.behave("ok")
        return Sample(
            init=1000 * (function.ready - function.started),
            init_processor=1000 * init_processor[0],
            cold=1000 * (posted - function.started),
            first=1000 * first.seconds,
            kept=_milliseconds(kept),
            new=_milliseconds(new),
            processor=_milliseconds(processor),
            peak_memory=peak_memory_mb(pid),
        )


def _sign_in(function: LambdaFunction, harness: Harness) -> tuple[Result, float]:
    """Have a sign-in posted; return how that ended, and when the message came (perf_counter)."""
    harness.receiver.forget()
    result = function.invoke(sign_in_event())
    messages = harness.receiver.messages
    if result.error or len(messages) != 1:
        raise RuntimeError(f"{result.error=} {messages=}\n" + "\n".join(result.log))
    return result, messages[0].received_at - (time.time() - time.perf_counter())


def _pause() -> None:
    time.sleep(_PAUSE_SECONDS + random.random() * PERIOD_MS / 1000)


def _milliseconds(seconds: list[float]) -> tuple[float, ...]:
    return tuple(1000 * second for second in seconds)
