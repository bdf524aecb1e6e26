"""Slack's limit on how fast a webhook may be posted to: a token bucket."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Posts that may come at once, and posts a second after those."""

    burst: int = 25
    per_second: float = 1.0


class Bucket:
    """Counts the posts of one webhook against its rate.

    `clock` returns seconds and never goes back.
    """

    def __init__(self, rate: Rate, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.burst)
        self._filled_at = clock()
        self._closed_until = -math.inf
        self.hits_while_limited = 0  # posts that came before the wait was over

    def seconds_to_wait(self) -> int:
        """Count one post; return 0 if it may pass, else the whole seconds to wait."""
        now = self._clock()
        refilled = (now - self._filled_at) * self._rate.per_second
        self._tokens = min(self._rate.burst, self._tokens + refilled)
        self._filled_at = now
        if now < self._closed_until:
            self.hits_while_limited += 1
            return math.ceil(self._closed_until - now)
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        wait = math.ceil((1 - self._tokens) / self._rate.per_second)
        self._closed_until = now + wait
        return wait
