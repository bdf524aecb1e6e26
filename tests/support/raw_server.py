"""A server that sends the bytes it was given, whatever HTTP says, and ends the connection."""

from socketserver import StreamRequestHandler

from playground.server import LOOPBACK, Server, TcpServer


class RawServer(Server):
    """A context manager; `requests` holds each as it came, and the last answer is repeated."""

    def __init__(self, *answers: bytes) -> None:
        server = _Server((LOOPBACK, 0), _Connection)
        server.answers = list(answers)
        self.requests = server.requests = []
        super().__init__(server)


class _Server(TcpServer):
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
