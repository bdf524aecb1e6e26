"""Posts a payload to a webhook: when to try again, how long to wait, when to give up.

urllib3's own Retry is not used: it leaves POST alone, obeys Retry-After for hours, and logs the
webhook's path.
"""

import json
import math
import time
from collections.abc import Callable
from typing import Final

from chalicelib.delivery.answer import Answer, Destination, error_for
from chalicelib.delivery.webhook import MAIN, Webhook
from chalicelib.errors import NoAnswer, PostError, RefusedForNow
from chalicelib.http import Connection
from chalicelib.messages.payload import Payload
from chalicelib.settings import Settings
from chalicelib.timeout import Deadline

_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}
_SHORTEST_WAIT_SECONDS: Final = 1.0
_QUICK_SECONDS: Final = 2.0
_RECENT_SECONDS: Final = 60.0
_LEAST_SECONDS: Final = 0.5


class RateLimit:
    """The time before which a receiver must not be posted to, because it asked to wait."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._not_before = 0.0
        self._asked_at = -math.inf

    @property
    def seconds_left(self) -> float:
        """How long that time is away; 0 once it has come."""
        return max(self._not_before - self._clock(), 0.0)

    def wait_for(self, seconds: float) -> bool:
        """Keep how long the receiver asks to wait; return whether it did within a minute before."""
        now = self._clock()
        is_repeated = now - self._asked_at < _RECENT_SECONDS
        self._not_before, self._asked_at = now + seconds, now
        return is_repeated


class Slack:
    """Posts to one webhook, and keeps its connection and how long it was asked to wait."""

    def __init__(
        self,
        webhook: Webhook,
        settings: Settings,
        setting: str = MAIN,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = Connection(webhook.origin, webhook.reveal, clock=clock)
        self._destination = Destination(webhook.host, settings, setting)
        self._limit = RateLimit(clock)
        self._sleep = sleep

    def connect(self) -> None:
        """Open a connection to the host, and to nothing on it. Raises NoAnswer."""
        self._connection.open()

    def post(self, payload: Payload, deadline: Deadline, *, patient: bool = False) -> None:
        """Post, trying again as `next_wait` says; return once the receiver took it.

        Raises NoAnswer, RefusedForNow, WebhookDead or PayloadInvalid.
        """
        body = json.dumps(payload).encode()
        self._keep_to_limit(deadline, patient=patient)
        if deadline.seconds_left < _LEAST_SECONDS:  # a post that is given up may still arrive
            raise NoAnswer("out_of_time", "There was no time left to post.", unsent=True)
        tries = 0
        while failure := self._attempt(body, deadline):
            tries += 1
            is_repeated = (
                isinstance(failure, RefusedForNow)
                and failure.retry_after is not None
                and self._limit.wait_for(failure.retry_after)
            )
            wait = next_wait(failure, tries, is_repeated=is_repeated, patient=patient)
            if wait is None or wait > deadline.seconds_left - _LEAST_SECONDS:
                raise failure
            if wait:
                self._sleep(wait)

    def _attempt(self, body: bytes, deadline: Deadline) -> PostError | None:
        try:
            response = self._connection.post(body, _HEADERS, deadline.seconds_left)
        except NoAnswer as failure:
            return failure
        return error_for(Answer.from_response(response), self._destination)

    def _keep_to_limit(self, deadline: Deadline, *, patient: bool) -> None:
        """Wait until the time that the receiver named, or refuse to try before it."""
        wait = self._limit.seconds_left
        if not wait:
            return
        if not patient or wait > deadline.seconds_left - _LEAST_SECONDS:
            raise RefusedForNow(
                "still_limited",
                f"The receiver asked to wait; {math.ceil(wait)} s of that are left.",
                retry_after=wait,
            )
        self._sleep(wait)


def next_wait(failure: PostError, tries: int, *, is_repeated: bool, patient: bool) -> float | None:
    """Return how many seconds to wait before posting again; None if that is of no use.

    What cannot have arrived is posted again at once, and once. A receiver that asks to wait is
    obeyed by a patient post, however long and often it asks: others may be served in between. Any
    other post waits a moment, once, and not if the wait `is_repeated` within a minute: in a storm
    of sign-ins each would wait in vain.
    """
    if isinstance(failure, NoAnswer):
        return 0.0 if failure.unsent and tries == 1 else None
    if not isinstance(failure, RefusedForNow) or failure.retry_after is None:
        return None
    wait = max(failure.retry_after, _SHORTEST_WAIT_SECONDS)  # "0" must not make it a flood
    if patient or (tries == 1 and not is_repeated and wait <= _QUICK_SECONDS):
        return wait
    return None
