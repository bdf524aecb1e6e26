"""The receiver's wire: connections, answers that fail on their way, and the control address.

Other processes read and steer a receiver through

    GET    /_control/posts?after=N    the posts with a number above N
    DELETE /_control/posts            forget them
    GET    /_control/behaviour        {"name": "ok", "times": null, "retry_after": 1}
    PUT    /_control/behaviour        the same, to choose what comes next
"""

import json
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playground.hosts import is_own
from playground.server import LOOPBACK, HttpHandler, TcpServer
from playground.slack.answers import ANSWERS, WIRE_FAULTS, Answer
from playground.slack.inbox import Inbox

CONTROL = "/_control/"
DRIP_SECONDS = 1.0
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time at all


class _Connection(HttpHandler):
    """One connection: answers its requests in turn until it ends."""

    server: "WebhookServer"

    def setup(self) -> None:
        super().setup()
        self.number = self.server.number_of[self.request]

    def do_POST(self) -> None:
        name, answer = self.server.inbox.take(
            path=self.path,
            headers={name.title(): value for name, value in self.headers.items()},
            body=self.body(),
            connection=self.number,
        )
        if name in WIRE_FAULTS:
            self.close_connection = True
            self._fail(name, answer)
        else:
            self._send(answer.whole())

    def _do_other(self) -> None:
        body = self.body()
        if self.path.startswith(CONTROL):
            self._control(body)
            return
        self.server.inbox.keep_visit(method=self.command, path=self.path, connection=self.number)
        # "ok" here is a trap for a client that follows a redirect and takes the page for success.
        ok = ANSWERS["ok"]
        self._send(ok.head() if self.command == "HEAD" else ok.whole())

    do_GET = do_HEAD = do_OPTIONS = do_PUT = do_DELETE = _do_other  # the base's names

    def _fail(self, name: str, answer: Answer) -> None:
        half = answer.whole()[:-1]
        if name in ("reset_in_answer", "hang_in_answer"):
            self._send(half)
        if name in ("reset", "reset_in_answer"):
            linger = socket.SOL_SOCKET, socket.SO_LINGER
            self.connection.setsockopt(*linger, _RESET_ON_CLOSE)
            socket.close(self.connection.detach())
        elif name in ("hang", "hang_in_answer"):
            self.server.stopping.wait()
        elif name == "drip":
            for byte in answer.whole():
                self._send(bytes([byte]))
                if self.server.stopping.wait(self.server.drip_seconds):
                    return
        elif name == "close_idle":
            self._send(answer.whole())

    def _control(self, body: bytes) -> None:
        inbox = self.server.inbox
        address = urlsplit(self.path)
        if not is_own(self.headers.get("Host")):
            self._send_json(403, {"error": "not asked for by this machine's own name"})
            return
        match self.command, address.path.removeprefix(CONTROL):
            case "GET", "posts":
                after = int(parse_qs(address.query).get("after", ["0"])[0])
                shown = [asdict(post) for post in inbox.posts if post.number > after]
                self._send_json(200, shown)
            case "DELETE", "posts":
                inbox.forget()
                self._send_json(200, [])
            case "PUT", "behaviour":
                try:
                    inbox.behave(**json.loads(body))
                except (TypeError, ValueError) as error:
                    self._send_json(400, {"error": str(error)})
                else:
                    self._send_json(200, asdict(inbox.behaviour))
            case "GET", "behaviour":
                self._send_json(200, asdict(inbox.behaviour))
            case _:
                self._send_json(404, {"error": "no such control"})

    def _send_json(self, status: int, value: object) -> None:
        body = json.dumps(value)
        self._send(Answer(status=status, body=body, content_type="application/json").whole())

    def _send(self, answer: bytes) -> None:
        self.wfile.write(answer)


class WebhookServer(TcpServer):
    """Numbers its connections, and ends them all when it is closed."""

    def __init__(
        self, inbox: Inbox, port: int, tls: ssl.SSLContext | None, drip_seconds: float
    ) -> None:
        super().__init__((LOOPBACK, port), _Connection)
        self.inbox = inbox
        self.drip_seconds = drip_seconds
        self.stopping = threading.Event()
        self.opened = 0
        self.number_of: dict[socket.socket, int] = {}
        self._tls = tls

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection and number it."""
        accepted, address = super().get_request()
        self.opened += 1
        if self._tls:  # the handshake is left to the connection's own thread
            accepted = self._tls.wrap_socket(
                accepted, server_side=True, do_handshake_on_connect=False
            )
        self.number_of[accepted] = self.opened
        return accepted, address

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401  # socketserver's own type
        """End a connection that has had its last answer."""
        self.number_of.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Close the address, and end the open connections and the waiting of their threads."""
        super().server_close()
        for connection in list(self.number_of):
            with suppress(OSError):  # it may have ended meanwhile
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
