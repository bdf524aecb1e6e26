"""A webhook's other end: a small server that answers, limits and fails as Slack's does.

In tests it is a context manager in the same process. For the local page it is a program of its
own, `python -m playground.receiver --port 8090`, which other processes read and steer over HTTP as
`webhook_server` tells.
"""

import argparse
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from playground.server import Server
from playground.slack.answers import ANSWERS, BEHAVIOURS, WIRE_FAULTS, Answer, rate_limited
from playground.slack.rate import Bucket, Rate
from playground.slack.rules import refusal
from playground.slack.webhook_server import WebhookServer

WEBHOOK_PATH = "/services/T0/B0/fake"
DRIP_SECONDS = 1.0


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


class Receiver(Server):
    """An incoming webhook on a loopback address: https with a `tls` context, else http.

    `rate` is enforced if given, by `clock` (seconds). Stopping ends every connection, the hanging
    ones too.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        path: str = WEBHOOK_PATH,
        tls: ssl.SSLContext | None = None,
        rate: Rate | None = None,
        clock: Callable[[], float] = time.monotonic,
        drip_seconds: float = DRIP_SECONDS,
    ) -> None:
        self.path = path
        self.drip_seconds = drip_seconds
        self.stopping = threading.Event()
        self._bucket = Bucket(rate, clock) if rate else None
        self._changed = threading.Condition()
        self._posts: list[Post] = []
        self._visits: list[Visit] = []
        self._numbered = 0
        self._behaviour = Behaviour()
        self._connections = WebhookServer(self, port, tls)
        super().__init__(self._connections)
        self.url = f"{'https' if tls else 'http'}://{self.host}{path}"

    def stop(self) -> None:
        """Answer no more, nor leave a client waiting."""
        self.stopping.set()
        super().stop()

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
    def connections(self) -> int:
        """How many connections were opened."""
        return self._connections.opened

    @property
    def hits_while_limited(self) -> int:
        """How many posts came before the time that an earlier 429 told them to wait for."""
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
        """Keep one POST; give how it is answered, by name and in full.

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


def main() -> None:
    """Run a receiver until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m playground.receiver", description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--rate", action="store_true", help="a burst of 25, then one a second")
    chosen = parser.parse_args()
    with Receiver(port=chosen.port, rate=Rate() if chosen.rate else None) as receiver:
        print(receiver.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
