"""What a receiver was sent, and how it answers: Slack's rules, or a fault that was asked for."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from playground.slack.answers import ANSWERS, BEHAVIOURS, WIRE_FAULTS, Answer, rate_limited
from playground.slack.rate import Bucket, Rate
from playground.slack.rules import refusal


@dataclass(frozen=True, kw_only=True)
class Post:
    """One POST, and how it was answered: `ok`, a word of Slack's, or a behaviour's name."""

    number: int
    payload: dict[str, Any]  # empty if it was not a JSON object
    path: str
    headers: Mapping[str, str]
    received_at: float  # seconds since 1970
    connection: int  # counted from 1, in the order in which they were opened
    answer: str


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request that was no POST, such as the HEAD of a client that opens its connection early."""

    method: str
    path: str
    connection: int


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How to answer the next posts: a name of `BEHAVIOURS`, and for how many (None: all)."""

    name: str = "ok"
    times: int | None = None
    retry_after: int = 1  # seconds, for rate_limited

    def __post_init__(self) -> None:
        if self.name not in BEHAVIOURS:
            raise ValueError(f"{self.name!r} is none of {', '.join(sorted(BEHAVIOURS))}")
        if self.times is not None and self.times < 1:
            raise ValueError("times counts from 1")


class Inbox:
    """Keeps what is posted to one path, and decides how each post is answered.

    `rate` is enforced if given, by `clock` (seconds).
    """

    def __init__(self, path: str, rate: Rate | None, clock: Callable[[], float]) -> None:
        self.path = path
        self._bucket = Bucket(rate, clock) if rate else None
        self._changed = threading.Condition()
        self._posts: list[Post] = []
        self._visits: list[Visit] = []
        self._numbered = 0
        self._behaviour = Behaviour()

    @property
    def posts(self) -> list[Post]:
        """Every POST so far, oldest first."""
        with self._changed:
            return list(self._posts)

    @property
    def messages(self) -> list[Post]:
        """The posts that Slack took and showed."""
        return [post for post in self.posts if post.answer in ("ok", "close_idle")]

    @property
    def refused(self) -> list[Post]:
        """The posts that got any other answer, or none."""
        return [post for post in self.posts if post.answer not in ("ok", "close_idle")]

    @property
    def visits(self) -> list[Visit]:
        """Every request that was no POST, oldest first."""
        with self._changed:
            return list(self._visits)

    @property
    def hits_while_limited(self) -> int:
        """How many posts came before the time that an earlier 429 named."""
        return self._bucket.hits_while_limited if self._bucket else 0

    @property
    def behaviour(self) -> Behaviour:
        """How the next post will be answered."""
        return self._behaviour

    def behave(self, name: str, times: int | None = None, *, retry_after: int = 1) -> None:
        """Answer the next posts so: a name of `BEHAVIOURS`, `times` posts long (None: for good).

        Raises ValueError for any other name, and for `times` below 1.
        """
        with self._changed:
            self._behaviour = Behaviour(name=name, times=times, retry_after=retry_after)

    def forget(self) -> None:
        """Empty `posts` and `visits`; their numbers go on."""
        with self._changed:
            self._posts.clear()
            self._visits.clear()

    def wait_for(self, count: int, seconds: float = 10) -> list[Post]:
        """Return the messages once there are `count` of them.

        Raises TimeoutError if that takes longer than `seconds`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.messages) >= count, seconds):
                raise TimeoutError(f"{len(self.messages)} of {count} messages came; {self.posts=}")
            return self.messages

    def take(
        self, *, path: str, headers: Mapping[str, str], body: bytes, connection: int
    ) -> tuple[str, Answer]:
        """Keep one POST; return how it is answered, by name and in full.

        The name is one of `WIRE_FAULTS` where the answer is to fail on its way.
        """
        payload = _payload(headers, body)
        with self._changed:
            name, answer = self._decide(path, payload)
            self._numbered += 1
            self._posts.append(
                Post(
                    number=self._numbered,
                    payload=payload if isinstance(payload, dict) else {},
                    path=path,
                    headers=dict(headers),
                    received_at=time.time(),
                    connection=connection,
                    answer=name,
                )
            )
            self._changed.notify_all()
        return name, answer

    def keep_visit(self, *, method: str, path: str, connection: int) -> None:
        """Keep a request that was no POST."""
        with self._changed:
            self._visits.append(Visit(method=method, path=path, connection=connection))

    def _decide(self, path: str, payload: object) -> tuple[str, Answer]:
        if path != self.path:
            return "no_service", ANSWERS["no_service"]
        chosen = self._behaviour
        if chosen.times is not None:
            left = chosen.times - 1
            self._behaviour = replace(chosen, times=left) if left else Behaviour()
        if chosen.name in WIRE_FAULTS:
            return chosen.name, ANSWERS["ok"]
        if chosen.name == "rate_limited":
            return chosen.name, rate_limited(chosen.retry_after)
        if chosen.name != "ok":
            return chosen.name, ANSWERS[chosen.name]
        wait = self._bucket.seconds_to_wait() if self._bucket else 0
        if wait:
            return "rate_limited", rate_limited(wait)
        word = refusal(payload) or "ok"
        return word, ANSWERS[word]


def _payload(headers: Mapping[str, str], body: bytes) -> object:
    """Read a body as JSON, or as the form with a `payload` field of Slack's older clients."""
    text = body.decode(errors="replace")
    if headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        text = parse_qs(text).get("payload", [""])[0]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
