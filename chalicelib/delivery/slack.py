"""Posts a payload to a webhook: when to try again, how long to wait, when to give up.

urllib3's own Retry is not used: it leaves POST alone, obeys Retry-After for hours, and logs the
webhook's path.
"""

import json
import math
import time
from collections.abc import Callable
from typing import Final

from chalicelib.delivery.answer import SLACK_HOSTS, Answer, error_for
from chalicelib.delivery.webhook import Webhook
from chalicelib.errors import NoAnswer, RefusedForNow
from chalicelib.http import Connection
from chalicelib.messages.payload import Payload
from chalicelib.timeout import Deadline

_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}
_SHORTEST_WAIT_SECONDS: Final = 1.0
_QUICK_SECONDS: Final = 2.0
_RECENT_SECONDS: Final = 60.0
_LEAST_SECONDS: Final = 0.5


class Slack:
    """A line to one webhook, which remembers how long it was asked to be silent."""

    def __init__(
        self,
        webhook: Webhook,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._connection = Connection(webhook.origin, webhook.reveal, clock=clock)
        self._is_slack = webhook.host.removesuffix(":443") in SLACK_HOSTS
        self._clock = clock
        self._sleep = sleep
        self._silent_until = 0.0
        self._last_limited = -math.inf

    def connect(self) -> None:
        """Open a connection to the host, and to nothing on it. Raises NoAnswer."""
        self._connection.open()

    def post(self, payload: Payload, deadline: Deadline, *, patient: bool = False) -> None:
        """Post, with one quick retry where it fits; return once the receiver took it.

        Told to wait, it waits a moment at most, once; if `patient` as often and as long as the
        deadline allows, for others may be served in between. Raises NoAnswer, RefusedForNow,
        WebhookDead or PayloadInvalid.
        """
        body = json.dumps(payload).encode()
        self._keep_silence(deadline, patient=patient)
        if deadline.seconds_left < _LEAST_SECONDS:  # a post that is given up may still arrive
            raise NoAnswer("out_of_time", "There was no time left to post.", unsent=True)
        tried_again = False
        while True:
            kept = self._connection.is_kept
            try:
                self._attempt(body, deadline)
            except NoAnswer as failure:
                mendable = kept or failure.unsent
                if tried_again or not mendable or deadline.seconds_left < _LEAST_SECONDS:
                    raise
            except RefusedForNow as failure:
                if tried_again and not patient:
                    raise
                if not self._wait_out(failure, deadline, patient=patient):
                    raise
            else:
                return
            tried_again = True

    def _attempt(self, body: bytes, deadline: Deadline) -> None:
        response = self._connection.post(body, _HEADERS, deadline.seconds_left)
        failure = error_for(Answer.from_response(response), is_slack=self._is_slack)
        if isinstance(failure, RefusedForNow) and failure.retry_after is not None:
            self._silent_until = self._clock() + failure.retry_after
        if failure:
            raise failure

    def _keep_silence(self, deadline: Deadline, *, patient: bool) -> None:
        """Wait until the time that the receiver named, or refuse to try before it."""
        wait = self._silent_until - self._clock()
        if wait <= 0:
            return
        if not patient or wait > deadline.seconds_left - _LEAST_SECONDS:
            raise RefusedForNow(
                "still_limited",
                f"The receiver asked to wait; {math.ceil(wait)} s of that are left.",
                retry_after=wait,
            )
        self._sleep(wait)

    def _wait_out(self, failure: RefusedForNow, deadline: Deadline, *, patient: bool) -> bool:
        """Wait as long as asked, if that is short.

        Unless patient, not twice in a minute: in a storm of sign-ins each would wait in vain.
        """
        if failure.retry_after is None:
            return False
        now = self._clock()
        again = now - self._last_limited < _RECENT_SECONDS
        self._last_limited = now
        wait = max(failure.retry_after, _SHORTEST_WAIT_SECONDS)  # "0" must not make it a flood
        if not patient and (again or wait > _QUICK_SECONDS):
            return False
        if wait > deadline.seconds_left - _LEAST_SECONDS:
            return False
        self._sleep(wait)
        return True
