"""The receiver's control address, from another process: what came, and how to answer next."""

import json
import os
import urllib.request
from dataclasses import dataclass
from typing import Any, Final, Self

SETTING: Final = "PLAYGROUND_RECEIVER"
_SECONDS: Final = 5


@dataclass(frozen=True)
class ReceiverControl:
    """The control address of the receiver at `host`, which is `host:port`.

    Each call raises OSError if the receiver does not answer.
    """

    host: str

    @classmethod
    def of_environment(cls) -> Self | None:
        """Return the receiver that the environment names; None if it names none."""
        host = os.environ.get(SETTING, "")
        return cls(host) if host else None

    def posts(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the posts with a number above `after`, oldest first."""
        posts: list[dict[str, Any]] = self._call("GET", f"posts?after={after}")
        return posts

    @property
    def answer(self) -> str:
        """The name of what the next post is answered with."""
        return str(self._call("GET", "behaviour")["name"])

    def choose_answer(self, name: str) -> None:
        """Answer every post from now on so: a name of `playground.slack.answers.BEHAVIOURS`."""
        self._call("PUT", "behaviour", {"name": name})

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  # any JSON
        request = urllib.request.Request(  # our own loopback address
            f"http://{self.host}/_control/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return json.load(answer)
