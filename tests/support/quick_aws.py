"""What makes AWS's calls cheap in the process of the tests: they are most of what it works on.

boto3's clients reach the embedded AWS without a socket and a thread, botocore reads its data and
makes each service's class once for all sessions, and coverage, which slows every line, watches
neither: they run no code of the product. A request names who signs it, but has no signature, which
nobody here checks. What the app calls without boto3 goes over the wire.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.client import BaseClient, ClientCreator
from botocore.compat import HTTPHeaders
from botocore.exceptions import NoCredentialsError
from botocore.hooks import EventAliaser
from botocore.httpsession import URLLib3Session
from botocore.loaders import Loader
from botocore.session import Session
from botocore.signers import RequestSigner
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
    sign_in_full = RequestSigner.handler

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        if may_hang() or not request.url.startswith(url):
            return over_the_wire(session, request)
        return _answer(url, serve, request)

    def sign(signer: RequestSigner, request: AWSRequest, **more: str) -> None:
        if (request.url or "").startswith(url):
            _name_the_caller(signer, request)
        else:
            sign_in_full(signer, request=request, **more)

    with (
        mock.patch.object(URLLib3Session, "send", send),
        mock.patch.object(Loader, "_cache", property(lambda _: read, lambda *_: None), create=True),
        mock.patch.object(RequestSigner, "handler", sign),
        _found_once(EventAliaser, "_alias_event_name"),
        _found_once(ClientCreator, "_create_client_class"),
        mock.patch("flask.debughelpers.attach_enctype_error_multidict"),  # for forms of a browser
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


@contextmanager
def _found_once(owner: type, name: str) -> Iterator[None]:
    """Let all objects of a class share what a method returns for a name, its first argument."""
    method = vars(owner)[name]
    found: dict[str, object] = {}

    def run(own: object, key: str, *more: object) -> object:
        if key not in found:
            found[key] = method(own, key, *more)
        return found[key]

    with mock.patch.object(owner, name, run):
        yield


def _name_the_caller(signer: Any, request: AWSRequest) -> None:  # noqa: ANN401 — what it knows is not public
    """Write who calls, and where to, as a signature does."""
    if signer._credentials is None:
        raise NoCredentialsError
    caller = signer._credentials.get_frozen_credentials().access_key
    region = request.context.get("signing", {}).get("region") or signer._region_name
    scope = f"{caller}/20260101/{region}/{signer._signing_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}"


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
