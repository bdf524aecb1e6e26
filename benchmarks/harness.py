"""What every benchmark runs against: an AWS and a webhook's receiver on this machine.

Clients trust a whole CA bundle, certifi's, with the harness's own authority at its end. No time of
a network, of Slack or of KMS itself is in any number.
"""

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import certifi
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from playground.aws.embedded import EmbeddedAws
from playground.aws.runtime import Result
from playground.catalogue import read, renewed
from playground.server import LOOPBACK, Server
from playground.slack.certificates import make_certificates
from playground.slack.rate import Rate
from playground.slack.receiver import Receiver

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEY: Final = "alias/benchmarks"
RESULTS: Final = Path(__file__).with_name("results")


class Harness:
    """An embedded AWS and a receiver, as a context manager; its files go to `scratch`.

    The receiver enforces `rate`, if given. Functions reach AWS at a server of the harness's own,
    which speaks TLS and answers one request at a time: moto's queues are not made for several.
    """

    def __init__(
        self, scratch: Path, *, rate: Rate | None = None, aws_over_tls: bool = True
    ) -> None:
        certificates = make_certificates(scratch)
        self.bundle = scratch / "bundle.pem"
        self.bundle.write_bytes(
            Path(certifi.where()).read_bytes() + certificates.ca_file.read_bytes()
        )
        self.aws = EmbeddedAws()
        self.receiver = Receiver(tls=certificates.good, rate=rate)
        server = make_server(
            LOOPBACK,
            0,
            _one_at_a_time(DomainDispatcherApplication(create_backend_app)),
            threaded=True,
            request_handler=_Request,
            ssl_context=certificates.good if aws_over_tls else None,
        )
        self._aws_server = Server(server)
        self._aws_url = f"{'https' if aws_over_tls else 'http'}://{self._aws_server.host}"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.aws)
        self._stack.enter_context(self.receiver)
        self._stack.enter_context(self._aws_server)
        self.aws.make_key(KEY)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead a function to this AWS and make it trust both servers."""
        trusted = dict.fromkeys(
            ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), str(self.bundle)
        )
        return self.aws.environment | {"AWS_ENDPOINT_URL": self._aws_url} | trusted


def sign_in_event(name: str = "iam-user-with-mfa") -> dict[str, Any]:
    """Return a sign-in, by its file's name, that happened just now, unlike any before."""
    return renewed(read(name), datetime.now(UTC))


def decisions(result: Result) -> Iterator[dict[str, Any]]:
    """Yield the decision lines that an invocation logged."""
    for line in result.log:
        if line.startswith("{") and "decision" in (fields := json.loads(line)):
            yield fields


def write_result(name: str, text: str) -> None:
    """Print a result, and keep it in `benchmarks/results`."""
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(text)


def row(cells: Iterable[str]) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def _one_at_a_time(app: "WSGIApplication") -> "WSGIApplication":
    turn = threading.Lock()

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with turn:
            return app(environ, start_response)

    return answer


class _Request(WSGIRequestHandler):
    disable_nagle_algorithm = True  # else delayed acknowledgements add 40 ms to an answer

    def log(self, *_: object) -> None:
        """Leave the terminal to the results."""
