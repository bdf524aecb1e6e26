"""A webhook's other end: a small server that answers, limits and fails as Slack's does.

In tests it is a context manager in the same process. By itself it is a program,
`python -m playground.slack.receiver --port 8090`, which other processes read and steer over HTTP
as `webhook_server` says.
"""

import argparse
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from playground.server import Server
from playground.slack.inbox import Inbox
from playground.slack.rate import Rate
from playground.slack.webhook_server import DRIP_SECONDS, WebhookServer

WEBHOOK_PATH = "/services/T0/B0/fake"


class Receiver(Inbox, Server):
    """An incoming webhook on a loopback address: https with a `tls` context, else http.

    Stopping ends every connection, even if it hangs.
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
        Inbox.__init__(self, path, rate, clock)
        self._connections = WebhookServer(self, port, tls, drip_seconds)
        Server.__init__(self, self._connections)
        self.url = f"{'https' if tls else 'http'}://{self.host}{path}"

    def stop(self) -> None:
        """Answer no more, nor leave a client waiting."""
        self._connections.stopping.set()
        super().stop()

    @property
    def connections(self) -> int:
        """How many connections were opened."""
        return self._connections.opened


def main() -> None:
    """Run a receiver until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m playground.slack.receiver", description=__doc__
    )
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--rate", action="store_true", help="a burst of 25, then one a second")
    chosen = parser.parse_args()
    with Receiver(port=chosen.port, rate=Rate() if chosen.rate else None) as receiver:
        print(receiver.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
