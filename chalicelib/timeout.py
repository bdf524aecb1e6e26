"""Time that runs out: a function that is killed has told nobody and kept nothing.

No timeout of a library bounds a whole call: each read of a dripping answer starts it anew, and
looking up a host name has none. So a call that may hang runs in a thread of its own, which is
given up when its time is over.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_RESERVE_SECONDS: Final = 12.0


class Deadline:
    """A moment by which a call must be over."""

    def __init__(self, seconds: float) -> None:
        """Set the moment so many seconds from now."""
        self._end = time.monotonic() + seconds

    @classmethod
    def within_invocation(cls, seconds_left: float) -> "Deadline":
        """Set the moment for posting, which leaves enough of an invocation for parking."""
        return cls(seconds_left - min(_RESERVE_SECONDS, seconds_left / 2))

    @property
    def seconds_left(self) -> float:
        """How long there is; never negative."""
        return max(self._end - time.monotonic(), 0.0)


def call_with_timeout(seconds: float, call: Callable[[], T]) -> T:
    """Return what the call gives, or raise what it raises; TimeoutError when its time is over."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 — raised again in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
