"""A server on a loopback address, as each stand-in of the playground and of the tests is."""

import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingTCPServer
from typing import Any, Self

LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.01  # how long stopping may take


class Server:
    """A context manager that serves in a thread of its own; `host` is its address as host:port."""

    def __init__(self, server: TCPServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,))
        self.host = f"{LOOPBACK}:{server.server_address[1]}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Serve no more, and wait until that is so."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class TcpServer(ThreadingTCPServer):
    """Gives each connection a thread; a client that goes away is no error."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 — socketserver's types
        """Report an error of our own, and none of the client's."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class HttpHandler(BaseHTTPRequestHandler):
    """One connection that stays open between requests and logs nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else delayed acknowledgements add 40 ms to an answer

    def log_message(self, *_: object) -> None:
        """Leave the terminal to what the app prints."""

    def body(self) -> bytes:
        """Return the request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))
