"""A gate before the embedded AWS: sees each call on the wire and may refuse it as AWS would."""

import json
import re
import threading
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

import botocore.session

from playground.aws.embedded import EmbeddedAws

IAM_NAMES = {"monitoring": "cloudwatch"}  # where a service signs under another name than IAM's


class Call(NamedTuple):
    """One call, as IAM names it: `kms:Encrypt`; and the region that was asked."""

    action: str
    region: str


class Refusal(NamedTuple):
    """What a refused call is answered."""

    code: str
    message: str


class Gate:
    """A context manager; `url` is an endpoint, `seen` holds every call that came."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.seen: list[Call] = []
        self._refusals: dict[tuple[str, str | None], Refusal] = {}
        gate = self

        class Handler(_Handler):
            upstream = urlsplit(aws.url).netloc

            def refusal(self, call: Call) -> Refusal | None:
                gate.seen.append(call)
                return gate._refusals.get(call) or gate._refusals.get((call.action, None))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def refuse(
        self, action: str, code: str, message: str = "", *, region: str | None = None
    ) -> None:
        """From now on refuse an action, in one region or in all."""
        self._refusals[(action, region)] = Refusal(code, message)

    def deny(self, action: str, *, region: str | None = None) -> None:
        """Refuse an action for want of a right, in AWS's own words."""
        user = "arn:aws:iam::123456789012:user/operator"
        told = f"User: {user} is not authorized to perform: {action} on resource: *"
        self.refuse(action, "AccessDeniedException", told, region=region)

    def open(self) -> None:
        """Refuse nothing any more."""
        self._refusals.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream: str

    def refusal(self, call: Call) -> Refusal | None:
        raise NotImplementedError

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        refusal = self.refusal(self._call(body))
        if refusal:
            self._answer(400, *_error(refusal, self.headers.get("Content-Type", "")))
            return
        connection = HTTPConnection(self.upstream)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        headers = {
            key: value
            for key, value in answer.getheaders()
            if key.lower() not in ("connection", "transfer-encoding", "content-length")
        }
        self._answer(answer.status, answer.read(), headers)
        connection.close()

    do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815  # http.server's names

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response_only(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _call(self, body: bytes) -> Call:
        scope = re.search(r"Credential=([^,]+)", self.headers.get("Authorization", ""))
        _, _, region, service, _ = scope[1].split("/") if scope else [""] * 5
        if target := self.headers.get("X-Amz-Target"):
            operation = target.rpartition(".")[2]
        elif form := parse_qs(body.decode(errors="replace")).get("Action"):
            operation = form[0]
        elif "/operation/" in self.path:
            operation = self.path.rpartition("/")[2]
        else:
            operation = _rest_operation(service, self.command, urlsplit(self.path).path)
        return Call(f"{IAM_NAMES.get(service, service)}:{operation}", region)


def _error(refusal: Refusal, content_type: str) -> tuple[bytes, dict[str, str]]:
    if "form" in content_type:
        text = f"<Code>{refusal.code}</Code><Message>{refusal.message}</Message>"
        xml = f"<ErrorResponse><Error>{text}</Error></ErrorResponse>"
        return xml.encode(), {"Content-Type": "text/xml"}
    told = {"__type": refusal.code, "message": refusal.message}
    return json.dumps(told).encode(), {"Content-Type": content_type}


@cache
def _rest_operation(service: str, method: str, path: str) -> str:
    model = botocore.session.get_session().get_service_model(service)
    for name in model.operation_names:
        http = model.operation_model(name).http
        template = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(http["requestUri"].split("?")[0]))
        if http["method"] == method and re.fullmatch(template.rstrip("/") + "/?", path):
            return name
    raise LookupError(path)
