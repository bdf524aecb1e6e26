"""A connection to one host, on the wire."""

import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from select import select
from time import monotonic

import pytest

from chalicelib import http as module
from chalicelib.delivery.answer import Answer
from chalicelib.delivery.webhook import Webhook
from chalicelib.errors import NoAnswer
from chalicelib.http import Connection
from playground.slack.answers import ANSWERS
from playground.slack.answers import Answer as Said
from playground.slack.certificates import Certificates
from playground.slack.receiver import Receiver
from tests.support.clock import Clock
from tests.support.proxy import Proxy
from tests.support.raw_server import RawServer
from tests.support.webhook import closed_port

BODY = b'{"text": "hello"}'
OK = Answer(200, "ok", None)
HEADERS = {"Content-Type": "application/json"}
SOON = 10.0


@pytest.fixture(autouse=True)
def _trusting(monkeypatch: pytest.MonkeyPatch, certificates: Certificates) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))


@pytest.fixture
def receiver(certificates: Certificates) -> Iterator[Receiver]:
    with Receiver(tls=certificates.good, drip_seconds=0.05) as receiver:
        yield receiver


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connection(receiver: Receiver, clock: Clock) -> Connection:
    webhook = Webhook(receiver.url)
    return Connection(webhook.origin, webhook.reveal, clock=clock)


def to(url: str) -> Connection:
    webhook = Webhook(url)
    return Connection(webhook.origin, webhook.reveal)


def post(connection: Connection, seconds: float = SOON, body: bytes = BODY) -> Answer:
    return Answer.from_response(connection.post(body, HEADERS, seconds))


def no_answer(call: Callable[[], object]) -> NoAnswer:
    with pytest.raises(NoAnswer) as raised:
        call()
    return raised.value


def test_a_post_brings_the_json_to_the_webhooks_path_and_the_answer_back(
    connection: Connection, receiver: Receiver
) -> None:
    assert post(connection) == OK
    (posted,) = receiver.posts
    assert (posted.payload, posted.path) == ({"text": "hello"}, receiver.path)
    assert posted.headers["Content-Type"] == "application/json"


def test_an_answer_has_its_status_its_body_and_what_retry_after_says(
    connection: Connection, receiver: Receiver
) -> None:
    receiver.behave("rate_limited", retry_after=30)
    answer = post(connection)
    assert (answer.status, answer.retry_after) == (429, "30")
    assert '"rate_limited"' in answer.body


def test_opened_ahead_it_asks_nothing_and_is_used_by_the_first_post(
    connection: Connection, receiver: Receiver
) -> None:
    kept_before = connection.is_kept
    connection.open()
    assert (kept_before, connection.is_kept) == (False, True)
    assert (receiver.connections, receiver.posts, receiver.visits) == (1, [], [])
    post(connection)
    assert [posted.connection for posted in receiver.posts] == [1]
    assert receiver.visits == []


def test_the_largest_payload_goes_over_a_connection_that_was_opened_ahead(
    connection: Connection, receiver: Receiver
) -> None:
    connection.open()
    text = "x" * 5_000_000
    assert post(connection, body=b'{"text": "%s"}' % text.encode()).status == 400
    (posted,) = receiver.posts
    assert (posted.payload, posted.connection) == ({"text": text}, 1)


def test_opening_twice_opens_one_connection(connection: Connection, receiver: Receiver) -> None:
    connection.open()
    connection.open()
    post(connection)
    assert [posted.connection for posted in receiver.posts] == [1]


def test_a_plain_connection_is_not_opened_ahead() -> None:
    with Receiver() as receiver:
        connection = to(receiver.url)
        connection.open()
        assert receiver.connections == 0
        assert post(connection) == OK


@pytest.mark.parametrize(("age", "connections"), [(49.9, 1), (50, 2), (3_600, 2), (-0.1, 2)])
def test_a_connection_that_was_silent_for_fifty_seconds_is_not_used_again(
    age: float, connections: int, connection: Connection, receiver: Receiver, clock: Clock
) -> None:
    post(connection)
    clock.now += age
    assert connection.is_kept == (connections == 1)
    post(connection)
    assert receiver.connections == connections


def test_each_post_makes_the_connection_young_again(
    connection: Connection, receiver: Receiver, clock: Clock
) -> None:
    connection.open()
    for _ in range(3):
        clock.now += 40
        post(connection)
    assert receiver.connections == 1


def reset(wire: ssl.SSLSocket) -> None:
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def say_something_unasked(wire: ssl.SSLSocket) -> None:
    wire.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")


def say_what_is_no_tls(wire: ssl.SSLSocket) -> None:
    socket.socket.sendall(wire, b"this is not even TLS")


@pytest.mark.parametrize(
    "spoil", [ssl.SSLSocket.close, reset, say_something_unasked, say_what_is_no_tls]
)
def test_a_kept_connection_that_was_ended_or_spoilt_meanwhile_is_replaced_without_a_failure(
    spoil: Callable[[ssl.SSLSocket], None],
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first_taken, second_taken = threading.Event(), threading.Event()
    opened: list[socket.socket] = []

    class Connected(module._Connection):
        def connect(self) -> None:
            super().connect()
            assert isinstance(self.sock, socket.socket)
            opened.append(self.sock)

    monkeypatch.setattr(module._Pool, "ConnectionCls", Connected)

    def answer_twice(server: socket.socket) -> None:
        for end, taken in ((spoil, first_taken), (ssl.SSLSocket.close, second_taken)):
            accepted, _address = server.accept()
            with certificates.good.wrap_socket(accepted, server_side=True) as wire:
                while not wire.recv(65_536).endswith(BODY):
                    pass
                wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                taken.wait(SOON)
                end(wire)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_twice, args=(server,))
        thread.start()
        connection = to(f"https://127.0.0.1:{server.getsockname()[1]}/fake")
        assert post(connection) == OK
        first_taken.set()
        assert select(opened, [], [], SOON)[0]
        assert post(connection) == OK
        second_taken.set()
        thread.join()


def test_of_a_long_answer_only_the_start_is_read(
    connection: Connection, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWERS, "html_200", Said(status=200, body=f"\n{'x' * 1_000_000}"))
    receiver.behave("html_200", times=1)
    assert post(connection) == Answer(200, "x" * 65_535, None)
    assert post(connection) == OK


@pytest.mark.parametrize("fault", ["reset", "close", "reset_in_answer"])
def test_a_kept_connection_that_breaks_is_no_answer_and_the_next_post_opens_another(
    fault: str, connection: Connection, receiver: Receiver
) -> None:
    post(connection)
    receiver.behave(fault, times=1)
    failure = no_answer(lambda: post(connection))
    assert failure.unsent == (fault != "reset_in_answer")
    assert not connection.is_kept
    assert post(connection) == OK
    assert [posted.connection for posted in receiver.posts] == [1, 1, 2]


@pytest.mark.parametrize("fault", ["hang", "hang_in_answer", "drip"])
def test_an_answer_that_does_not_end_in_time_is_no_answer(
    fault: str, connection: Connection, receiver: Receiver
) -> None:
    receiver.behave(fault)
    failure = no_answer(lambda: post(connection, 0.3))
    assert (failure.reason, failure.act, failure.unsent) == ("timeout_error", "nobody", False)
    assert "did not answer (timeout_error)" in str(failure)
    assert not connection.is_kept


def test_nothing_is_sent_any_more_once_a_post_was_given_up(certificates: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as slow:
        failure = no_answer(
            lambda: post(to(f"https://127.0.0.1:{slow.getsockname()[1]}/fake"), 0.2)
        )
        with certificates.good.wrap_socket(slow.accept()[0], server_side=True) as accepted:
            sent = b""
            with suppress(ConnectionResetError):  # whoever gives up may leave tickets unread
                while received := accepted.recv(65536):
                    sent += received
    assert BODY not in sent
    assert failure.unsent


@pytest.mark.parametrize("bound", ["CONNECT_SECONDS", "INIT_OPEN_SECONDS"])
def test_a_host_that_takes_the_connection_and_is_silent_is_given_up_when_opened_ahead(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, bound, 0.2)
    started = monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        failure = no_answer(to(f"https://127.0.0.1:{silent.getsockname()[1]}/fake").open)
    assert failure.reason == "timeout_error"
    assert monotonic() - started < 3


def test_an_answer_that_stays_away_is_given_up_before_the_whole_exchange_is(
    connection: Connection, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.2)
    receiver.behave("hang")
    assert no_answer(lambda: post(connection)).reason == "read_timeout"


def test_an_answer_that_is_no_text_is_still_an_answer() -> None:
    with RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe") as server:
        answer = post(to(f"http://{server.host}/fake"))
    assert answer == Answer(200, "\ufffd\ufffd", None)


def test_a_slow_answer_is_waited_for(certificates: Certificates) -> None:
    with Receiver(tls=certificates.good, path="/fake", drip_seconds=0.001) as receiver:
        receiver.behave("drip")
        assert post(to(receiver.url)) == OK


def test_a_port_where_nobody_listens_is_no_answer_and_certainly_unsent() -> None:
    connection = to(f"https://{closed_port()}/fake")
    for call in (connection.open, lambda: post(connection)):
        failure = no_answer(call)
        assert (failure.reason, failure.unsent) == ("new_connection_error", True)


def test_a_host_that_cannot_be_found_is_no_answer_and_certainly_unsent() -> None:
    failure = no_answer(lambda: post(to("https://nowhere.invalid/fake")))
    assert (failure.reason, failure.unsent) == ("name_resolution_error", True)


def test_no_error_knows_the_webhooks_path() -> None:
    url = f"https://{closed_port()}/services/T0/B0/fake"
    failure = no_answer(lambda: post(to(url)))
    assert "fake" not in f"{failure!r} {failure} {vars(failure)}"
    assert failure.__context__ is None
    assert failure.__cause__ is None


def test_the_debug_output_of_http_client_does_not_show_the_path(
    connection: Connection,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("http.client.HTTPConnection.debuglevel", 1)
    assert post(connection) == OK
    assert receiver.path not in capsys.readouterr().out


def test_a_redirect_is_not_followed(connection: Connection, receiver: Receiver) -> None:
    receiver.behave("redirect")
    assert post(connection).status == 302
    assert receiver.visits == []
    assert len(receiver.posts) == 1


@pytest.mark.parametrize("name", ["wrong_host", "expired", "unknown_ca"])
def test_a_wrong_certificate_is_no_answer_and_nothing_is_sent(
    name: str, certificates: Certificates
) -> None:
    with Receiver(tls=getattr(certificates, name)) as receiver:
        connection = to(receiver.url)
        ahead = no_answer(connection.open)
        posting = no_answer(lambda: post(connection))
        assert receiver.posts == []
    assert ahead.reason == "ssl_cert_verification_error"
    assert posting.reason == "ssl_error"


def test_without_a_bundle_of_its_own_it_trusts_the_public_authorities_alone(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert no_answer(lambda: post(to(receiver.url))).reason == "ssl_error"
    assert len(module.tls_context(None).get_ca_certs()) > 50


def test_the_bundle_may_be_named_as_curls(
    receiver: Receiver, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificates.ca_file))
    assert post(to(receiver.url)) == OK


def test_the_bundle_may_be_a_directory(
    receiver: Receiver,
    certificates: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["openssl", "x509", "-hash", "-noout", "-in", str(certificates.ca_file)]
    name = subprocess.check_output(command, text=True).strip()
    (tmp_path / f"{name}.0").write_bytes(certificates.ca_file.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert post(to(receiver.url)) == OK


def test_the_environment_is_looked_at_once(
    connection: Connection, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(connection)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{closed_port()}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert post(connection) == OK
    assert receiver.connections == 1


def test_a_proxy_is_used_and_leads_to_slacks_own_name(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(receiver.host) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        connection = to(f"https://hooks.slack.com{receiver.path}")
        connection.open()
        assert proxy.asked_for == []  # a tunnel that nobody needs yet costs a proxy
        for _ in range(2):
            assert post(connection) == OK
        assert proxy.asked_for == ["hooks.slack.com:443"]
        connection._close()  # so that the tunnel ends before the proxy does


def test_behind_a_proxy_certificates_are_checked_too(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver(tls=certificates.unknown_ca) as receiver, Proxy(receiver.host) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        connection = to(f"https://hooks.slack.com{receiver.path}")
        assert no_answer(lambda: post(connection)).reason == "ssl_error"
        assert receiver.posts == []


def test_a_host_that_needs_no_proxy_is_reached_without(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{closed_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    connection = to(receiver.url)
    connection.open()
    assert receiver.connections == 1
    assert post(connection) == OK


@pytest.mark.parametrize(
    ("answer", "reason", "act", "remedy"),
    [
        (b"407 Proxy Authentication Required", "proxy_407", "operator", "Correct its user"),
        (b"403 Forbidden", "proxy_403", "operator", "Correct its user"),
        (b"502 Bad Gateway", "proxy_error", "nobody", "later it may"),
    ],
)
def test_a_proxy_that_wants_another_password_is_the_operators_to_act_on(
    answer: bytes, reason: str, act: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:wrong@{proxy.host}")
        failure = no_answer(lambda: post(to("https://hooks.slack.com/services/T0/B0/fake")))
    assert (failure.reason, failure.act, failure.unsent) == (reason, act, True)
    assert remedy in str(failure)
    assert "wrong" not in str(failure)


def test_a_proxy_that_is_down_is_no_answer_and_certainly_unsent(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{closed_port()}")
    failure = no_answer(lambda: post(to(receiver.url)))
    assert (failure.reason, failure.unsent) == ("proxy_error", True)
    assert receiver.connections == 0
