"""What makes AWS's calls cheap in the process of the tests: they are most of what it works on.

boto3's clients reach the embedded AWS without a socket and a thread, botocore reads its data once
for all sessions, and coverage, which slows every line, watches neither: they run no code of the
product. What the app calls without boto3 goes over the wire.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader
from botocore.session import Session
from moto.core.botocore_stubber import MockRawResponse
from werkzeug.test import create_environ, run_wsgi_app

from playground.aws.embedded import EmbeddedAws

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@contextmanager
def quick_aws(
    url: str, serve: "WSGIApplication", *, may_hang: Callable[[], bool]
) -> Iterator[None]:
    """Let botocore hand requests for a URL to its application, and keep what it has read.

    What may hang goes over the wire, where it has a timeout.
    """
    read: dict[object, object] = {}
    over_the_wire = URLLib3Session.send

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        if may_hang() or not request.url.startswith(url):
            return over_the_wire(session, request)
        return _answer(url, serve, request)

    with (
        mock.patch.object(URLLib3Session, "send", send),
        mock.patch.object(Loader, "_cache", property(lambda _: read, lambda *_: None), create=True),
        _unwatched(BaseClient, "_make_api_call"),
        _unwatched(Session, "create_client"),
        _unwatched(EmbeddedAws, "serve"),
    ):
        yield


@contextmanager
def _unwatched(owner: type, name: str) -> Iterator[None]:
    """Let a method run without coverage's trace function."""
    method = vars(owner)[name]

    def run(*args: object, **kwargs: object) -> object:
        trace = sys.gettrace()
        sys.settrace(None)
        try:
            return method(*args, **kwargs)
        finally:
            sys.settrace(trace)

    with mock.patch.object(owner, name, run):
        yield


def _answer(url: str, serve: "WSGIApplication", request: AWSPreparedRequest) -> AWSResponse:
    environ = create_environ(
        path=request.url.removeprefix(url),
        base_url=url,
        method=request.method,
        headers=[(name, _text(value)) for name, value in request.headers.items()],
        data=request.body,
    )
    body, status, headers = run_wsgi_app(serve, environ, buffered=True)
    raw: Any = MockRawResponse(b"".join(body))
    return AWSResponse(request.url, int(status[:3]), HTTPHeaders.from_pairs(headers), raw)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()
