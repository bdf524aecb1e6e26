"""A front to the embedded AWS: passes calls on, but for those that it was told to fail.

An action is named as AWS's JSON protocols name it: TrentService.Decrypt, AmazonSQS.SendMessage.
"""

import json
import threading
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

_HTML = b"<html><body>Sign in to the network</body></html>"

Answer = tuple[int, dict[str, str], bytes]


class AwsFront:
    """A context manager; `url` is for AWS_ENDPOINT_URL.

    `calls` names each action, `user_agent` says who asked for the last one.
    """

    def __init__(self, leads_to: str) -> None:
        self.calls: list[str] = []
        self.user_agent = ""
        self._faults: dict[str, Answer | None] = {}  # None hangs
        self._stopping = threading.Event()
        self._server = _Server(self, leads_to.removeprefix("http://"))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def refuse(self, action: str, code: str, status: int = 400) -> None:
        """Answer an action with an error of AWS's."""
        body = json.dumps({"__type": code, "message": "as asked"}).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "x-amzn-query-error": f"{code};Sender",
        }
        self._faults[action] = (status, headers, body)

    def babble(self, action: str) -> None:
        """Answer an action as a captive portal does: 200, and a page of its own."""
        self._faults[action] = (200, {"Content-Type": "text/html"}, _HTML)

    def hang(self, action: str) -> None:
        """Leave an action without an answer until the front stops."""
        self._faults[action] = None

    def fault_of(self, action: str, user_agent: str) -> Answer | None:
        """Note a call, and give the answer that it is failed with, if it is."""
        self.calls.append(action)
        self.user_agent = user_agent
        if action not in self._faults:
            return None
        fault = self._faults[action]
        if fault is None:
            self._stopping.wait()
        return fault or (500, {}, b"")


class _Server(ThreadingHTTPServer):
    def __init__(self, front: AwsFront, leads_to: str) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.front = front
        self.leads_to = leads_to


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, content = self.server.front.fault_of(
            self.headers.get("X-Amz-Target", ""), self.headers.get("User-Agent", "")
        ) or self._passed_on(body)
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # whoever asked has given up
            self.close_connection = True

    def _passed_on(self, body: bytes) -> Answer:
        with closing(HTTPConnection(self.server.leads_to)) as aws:
            aws.request("POST", self.path, body, dict(self.headers.items()))
            answer = aws.getresponse()
            content = answer.read()
        kept = ("content-type", "x-amzn-query-error", "x-amzn-errortype", "x-amzn-requestid")
        headers = {name: value for name, value in answer.getheaders() if name.lower() in kept}
        return answer.status, headers, content
