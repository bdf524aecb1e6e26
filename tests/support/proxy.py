"""A CONNECT proxy that leads every host to one local address.

With it a test reaches the local receiver under the name hooks.slack.com.
"""

import socket
import threading
from contextlib import suppress
from socketserver import StreamRequestHandler

from playground.server import LOOPBACK, Server, TcpServer


class Proxy(Server):
    """A context manager; `url` is for HTTPS_PROXY, `asked_for` the hosts that clients named."""

    def __init__(self, leads_to: str) -> None:
        """Lead to `leads_to`, as host:port."""
        self.asked_for: list[str] = []
        host, port = leads_to.split(":")
        super().__init__(_Server((host, int(port)), self.asked_for))
        self.url = f"http://{self.host}"


class _Server(TcpServer):
    def __init__(self, leads_to: tuple[str, int], asked_for: list[str]) -> None:
        super().__init__((LOOPBACK, 0), _Tunnel)
        self.leads_to = leads_to
        self.asked_for = asked_for


class _Tunnel(StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        method, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        self.server.asked_for.append(target)
        if method != "CONNECT":
            self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            return
        try:
            there = socket.create_connection(self.server.leads_to)
        except OSError:
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
            back.start()
            _copy(self.connection, there)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
