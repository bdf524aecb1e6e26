"""A connection to one host: opened ahead, kept for reuse, given up when it is too old.

requests does the talking, by an adapter of our own and without a session: nothing is kept between
two exchanges but the connection. What is added: one TLS context that is loaded once, no look at the
environment for every request, a bound on the whole exchange, and errors that do not know the URL.
"""

import io
import logging
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import MaxRetryError, ProtocolError, ProxyError
from urllib3.util.ssl_ import create_urllib3_context

from chalicelib.errors import NoAnswer
from chalicelib.log import mute_logger
from chalicelib.timeout import (
    CONNECT_SECONDS,
    EXCHANGE_SECONDS,
    INIT_OPEN_SECONDS,
    READ_SECONDS,
    call_with_timeout,
)

T = TypeVar("T")

_KEEP_SECONDS: Final = 50.0  # load balancers commonly drop a silent connection after 60
_LONGEST_BODY: Final = 65_536
# Answers of a proxy that the operator must act on: it forbids the host, or wants a password.
PROXY_REFUSALS: Final = frozenset({"proxy_403", "proxy_407"})
_TUNNEL_REFUSED: Final = re.compile("Tunnel connection failed: ([0-9]+)")
_WORD_STARTS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

mute_logger("urllib3.connectionpool", up_to=logging.DEBUG)  # logs the path of every request
mute_logger("urllib3.connection", up_to=logging.WARNING)  # likewise, if the answer's head is broken


class Response(NamedTuple):
    """What a host answered: the status, the headers by name in any case, the start of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A connection to the host of one URL."""

    def __init__(
        self,
        origin: str,
        url: Callable[[], str],
        *,
        ca_bundles: tuple[str, ...] = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Connect to an origin, the URL's scheme and host; `url` returns the URL whole.

        The URL may be a secret, which no error here holds. `ca_bundles` are the variables that may
        name a CA bundle, the first that is set. The clock is the wall's: a monotonic clock may
        stand still while Lambda freezes the sandbox.
        """
        self._origin = origin
        self._url = url
        self._ca_bundles = ca_bundles
        self._clock = clock
        self._adapter: _Adapter | None = None
        self._last_used = 0.0

    @property
    def is_kept(self) -> bool:
        """Whether a connection is open that is young enough to be trusted."""
        return self._adapter is not None and 0 <= self._clock() - self._last_used < _KEEP_SECONDS

    def open(self) -> None:
        """Connect to the host, and ask nothing of it. Raises NoAnswer."""
        if not self.is_kept:
            self._exchange(INIT_OPEN_SECONDS, self._open)

    def post(self, body: bytes, headers: Mapping[str, str], seconds: float) -> Response:
        """Post to the URL; wait so many seconds at most. Raises NoAnswer."""
        content = _Body(body)
        return self._exchange(
            min(EXCHANGE_SECONDS, seconds),
            lambda adapter: self._post(adapter, content, headers),
            content,
        )

    def _exchange(
        self, seconds: float, call: "Callable[[_Adapter], T]", body: "_Body | None" = None
    ) -> T:
        was_kept = self.is_kept
        if not was_kept:
            self._close()
        try:
            adapter = self._adapter = self._adapter or self._new_adapter()
            answer = call_with_timeout(seconds, lambda: call(adapter))
        except Exception as error:  # noqa: BLE001 — whatever a library raises may quote the URL
            failure = _no_answer(error, body or _Body(), was_kept=was_kept)
        else:
            self._last_used = self._clock()
            return answer
        self._close()
        raise failure  # outside of the `except`: no error that knows the URL hangs on ours

    def _post(self, adapter: "_Adapter", body: "_Body", headers: Mapping[str, str]) -> Response:
        request = requests.Request("POST", self._url(), headers, data=body).prepare()
        with adapter.send(
            request,
            stream=True,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            proxies=adapter.proxies,
        ) as response:
            content = response.raw.read(_LONGEST_BODY, decode_content=True)
            return Response(response.status_code, response.headers, content)

    def _open(self, adapter: "_Adapter") -> None:
        if select_proxy(self._origin, adapter.proxies) or not self._origin.startswith("https:"):
            return
        request = requests.Request(url=self._origin).prepare()
        pool = adapter.get_connection_with_tls_context(request, verify=True)
        # urllib3 has no public way to open a connection ahead of a request.
        connection = pool._get_conn()  # noqa: SLF001
        connection.timeout = CONNECT_SECONDS
        connection.connect()
        pool._put_conn(connection)  # noqa: SLF001

    def _new_adapter(self) -> "_Adapter":
        """Return an adapter that has asked the environment once, not for every request."""
        bundles = filter(None, map(os.environ.get, self._ca_bundles))
        tls = tls_context(next(bundles, None)) if self._origin.startswith("https:") else None
        return _Adapter(tls, get_environ_proxies(self._origin))

    def _close(self) -> None:
        if self._adapter is not None:
            self._adapter.close()
            self._adapter = None


class _Body(io.BytesIO):
    """A request's body, which knows whether any of it was sent.

    Withdrawn it is not sent any more: a thread that was given up may still be connecting.
    """

    is_sent = False
    is_withdrawn = False

    def read(self, size: int | None = -1, /) -> bytes:
        self.is_sent = True
        if self.is_withdrawn:
            raise TimeoutError
        return super().read(size)


def _no_answer(error: Exception, body: _Body, *, was_kept: bool) -> NoAnswer:
    """Translate an error of requests by the names of its classes: its text knows the URL."""
    body.is_withdrawn = True
    cause = error.args[0] if error.args else None
    inner = cause.reason if isinstance(cause, MaxRetryError) and cause.reason else error
    # A host that closes a kept connection without a word has not read what came last.
    is_closed = isinstance(cause, ProtocolError) and isinstance(cause.args[-1], ConnectionError)
    unsent = not body.is_sent or (was_kept and is_closed)
    refused = _TUNNEL_REFUSED.search(str(inner)) if isinstance(inner, ProxyError) else None
    if refused and (reason := f"proxy_{refused[1]}") in PROXY_REFUSALS:
        return NoAnswer(
            reason,
            f"The proxy that HTTPS_PROXY names refuses the way to the receiver ({reason}). "
            "Correct its user, its password or its rules, then deploy again.",
            unsent=True,
            act="operator",
        )
    name = _WORD_STARTS.sub("_", type(inner).__name__).lower()
    return NoAnswer(name, f"The receiver did not answer ({name}): later it may.", unsent=unsent)


class _Connection(HTTPSConnection):
    """A connection that outlives news from the server.

    A TLS 1.3 server sends session tickets right after the handshake. urllib3 finds something to
    read on a connection that should be silent, and would drop it.
    """

    debuglevel = 0  # whatever http.client's own is set to: it prints the path of every request

    @property
    def is_connected(self) -> bool:
        if super().is_connected:
            return True
        if self.sock is None:
            return False
        self.sock.settimeout(0)
        try:
            self.sock.recv(1)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        finally:
            self.sock.settimeout(self.timeout)
        return False


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    """Uses one TLS context that is loaded once; requests would load the CA bundle per host."""

    def __init__(self, tls: ssl.SSLContext | None, proxies: Mapping[str, str]) -> None:
        self._tls = tls
        self.proxies = dict(proxies)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().init_poolmanager(*args, ssl_context=self._tls, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": _Pool}

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401
        return super().proxy_manager_for(proxy, ssl_context=self._tls, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401
        """Name no CA bundle: the context has it, and checks every certificate."""


@cache
def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Load the CA bundle: a file, a directory, or certifi's own where none is named."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    path = ca_bundle or certifi.where()
    if os.path.isdir(path):  # noqa: PTH112 — one call, in INIT
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)
    return context
