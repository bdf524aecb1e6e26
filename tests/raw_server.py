"""A receiver that sends the bytes it was given, whatever HTTP says, and ends the connection."""

import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Self


class RawServer:
    """A context manager on a loopback address, `host` as host:port."""

    def __init__(self, answer: bytes) -> None:
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.answer = answer
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingTCPServer):
    answer: bytes


class _Connection(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        length = 0
        while line := self.rfile.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        self.rfile.read(length)
        self.wfile.write(self.server.answer)
