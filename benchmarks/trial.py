"""One life of a function, measured: a cold start, some warm sign-ins, its end."""

import random
import time
from dataclasses import dataclass

from benchmarks.bed import Bed, sign_in_event
from benchmarks.process import peak_memory_mb, processor_seconds
from benchmarks.quota import PERIOD_MS, Quota
from benchmarks.shape import Shape
from playground.aws.runtime import LambdaFunction, Result

WARM_CALLS = 5
_PAUSE_SECONDS = 0.12  # with the random part, more than a period: each call finds a fresh quota


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Times in milliseconds, memory in MB."""

    init: float  # the process's start to its first question for an event
    init_processor: float  # processor time of that
    cold: float  # the process's start to the message at the receiver
    first: float  # the handler's time of the first event
    kept: tuple[float, ...]  # … of the next ones, the receiver keeping the connection
    new: tuple[float, ...]  # … where the receiver ends it after each answer
    processor: tuple[float, ...]  # processor time of the `kept` ones, the runtime client's included
    peak_memory: float


def run(shape: Shape, memory_mb: int, bed: Bed, quota: Quota | None) -> Trial:
    """Start a shape cold at a memory size, sign in several times, stop it."""
    init_processor = []

    def ready(pid: int) -> None:
        init_processor.append(processor_seconds(pid))
        if quota:
            quota.hold(pid, memory_mb)

    with LambdaFunction(
        shape.package, shape.handler, shape.environment, memory_mb=memory_mb, on_ready=ready
    ) as function:
        first, posted = _sign_in(function, bed)
        pid = function.pid
        assert pid
        kept, processor = [], []
        _pause()
        for _ in range(WARM_CALLS):
            before = processor_seconds(pid)
            kept.append(_sign_in(function, bed)[0].seconds)
            _pause()
            processor.append(processor_seconds(pid) - before)
        bed.receiver.behave("close_idle")
        _sign_in(function, bed)  # the last one over the kept connection
        new = []
        for _ in range(WARM_CALLS):
            _pause()
            new.append(_sign_in(function, bed)[0].seconds)
        bed.receiver.behave("ok")
        return Trial(
            init=1000 * (function.ready - function.started),
            init_processor=1000 * init_processor[0],
            cold=1000 * (posted - function.started),
            first=1000 * first.seconds,
            kept=_milliseconds(kept),
            new=_milliseconds(new),
            processor=_milliseconds(processor),
            peak_memory=peak_memory_mb(pid),
        )


def _sign_in(function: LambdaFunction, bed: Bed) -> tuple[Result, float]:
    """Have one sign-in told; give how it ended, and when its message came (perf_counter)."""
    bed.receiver.forget()
    result = function.invoke(sign_in_event())
    if result.error or len(bed.receiver.messages) != 1:
        raise RuntimeError(f"{result.error=} {bed.receiver.posts=}\n" + "\n".join(result.log))
    posted = bed.receiver.messages[0].received_at
    return result, posted - (time.time() - time.perf_counter())


def _pause() -> None:
    time.sleep(_PAUSE_SECONDS + random.random() * PERIOD_MS / 1000)


def _milliseconds(seconds: list[float]) -> tuple[float, ...]:
    return tuple(1000 * one for one in seconds)
