"""Time that runs out: a function that is killed has posted nothing and kept nothing.

What an invocation and INIT may take is shared out here, in seconds; a test adds it up.

No timeout of a library bounds a whole call: each read of a dripping answer starts it again, and
looking up a host name has none. So a call that may hang runs in a thread of its own, which is
given up when its time is over.
"""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

# An invocation: `lambda_timeout` of the configuration.
FUNCTION_SECONDS: Final = 60.0
LOOKUP_SECONDS: Final = 9.0  # to decrypt a webhook
BASELINE_SECONDS: Final = 2.0  # to compare one sign-in
BASELINE_BATCH_SECONDS: Final = 5.0  # … and a whole batch
IDENTITY_STORE_SECONDS: Final = 1.0  # to name a user
QUEUE_SECONDS: Final = 9.0  # to park an event, or to delete what was posted
RESERVE_SECONDS: Final = 12.0  # what posting leaves for the queue and for Lambda

# An exchange with a host: Slack answers within a second as a rule, and at times after ten.
CONNECT_SECONDS: Final = 3.05
READ_SECONDS: Final = 15.0
EXCHANGE_SECONDS: Final = 18.5

# A call of AWS: two attempts, and a wait between them.
AWS_ATTEMPT_SECONDS: Final = 4.0
AWS_WAIT_SECONDS: Final = 1.0

# INIT: Lambda starts it over, and bills it again, when it takes longer.
INIT_SECONDS: Final = 10.0
INIT_LOOKUP_SECONDS: Final = 5.0
INIT_OPEN_SECONDS: Final = 4.0
INIT_BASELINE_SECONDS: Final = 0.5


class Deadline:
    """A moment by which a call must be over."""

    def __init__(self, seconds: float) -> None:
        """Set the moment so many seconds from now."""
        self._end = time.monotonic() + seconds

    @classmethod
    def within_invocation(cls, seconds_left: float) -> "Deadline":
        """Set the moment for posting, which leaves enough of an invocation for parking."""
        return cls(seconds_left - min(RESERVE_SECONDS, seconds_left / 2))

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


def collect(seconds: float, items: Iterable[T]) -> tuple[list[T], Exception | None]:
    """Return what an iterable gives in its time, and what ended it before its end, if anything."""
    given: list[T] = []
    try:
        call_with_timeout(seconds, lambda: given.extend(items))
    except Exception as error:  # noqa: BLE001 — whatever it is, what was given stays
        return list(given), error
    return given, None
