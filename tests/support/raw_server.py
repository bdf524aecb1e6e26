"""A server that sends the bytes it was given, whatever HTTP says, and ends the connection."""

import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Self


class RawServer:
    """A context manager on a loopback address, `host` as host:port; the last answer is repeated."""

    def __init__(self, *answers: bytes) -> None:
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.answers = list(answers)
        self.requests = self._server.requests = []  # each as it came
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
    answers: list[bytes]
    requests: list[bytes]


class _Connection(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        length, request = 0, b""
        while line := self.rfile.readline():
            request += line
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
            if not line.strip():
                break
        answers = self.server.answers
        self.server.requests.append(request + self.rfile.read(length))
        self.wfile.write(answers.pop(0) if len(answers) > 1 else answers[0])
