"""The line to a webhook, against a receiver that speaks TLS."""

from collections.abc import Iterator

import pytest

from chalicelib.delivery.slack import Slack
from chalicelib.delivery.webhook import Webhook
from chalicelib.errors import NoAnswer, PayloadInvalid, RefusedForNow, WebhookDead
from chalicelib.timeout import Deadline
from playground.slack.certificates import Certificates
from playground.slack.receiver import Receiver
from tests.support.clock import Clock
from tests.support.proxy import Proxy
from tests.support.raw_server import RawServer
from tests.support.stage import stage
from tests.support.webhook import SECRET_PATH, SLACK

HELLO = {"text": "hello"}
SOON = 60.0  # seconds


@pytest.fixture(autouse=True)
def _trust(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slack(receiver: Receiver, clock: Clock) -> Slack:
    return Slack(Webhook(receiver.url), stage(), clock=clock, sleep=clock.sleep)


@pytest.fixture
def proxy(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy(receiver.host) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        yield proxy


def post(slack: Slack, seconds: float = SOON, *, patient: bool = False) -> None:
    slack.post(HELLO, Deadline(seconds), patient=patient)


def test_session_tickets_cost_no_new_connection(slack: Slack, receiver: Receiver) -> None:
    for _ in range(4):
        post(slack)
    assert receiver.connections == 1


def test_a_tunnel_through_a_proxy_is_kept_too(
    proxy: Proxy, receiver: Receiver, clock: Clock
) -> None:
    slack = Slack(Webhook(f"https://{SLACK}{SECRET_PATH}"), stage(), clock=clock)
    slack.connect()
    for _ in range(4):
        post(slack)
    assert proxy.asked_for == [f"{SLACK}:443"]
    assert receiver.connections == 1


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_tunnel_that_ends_after_the_payload_left_does_not_count_as_unsent(
    fault: str, proxy: Proxy, receiver: Receiver
) -> None:
    receiver.behave(fault)
    with pytest.raises(NoAnswer) as raised:
        post(Slack(Webhook(f"https://{SLACK}{SECRET_PATH}"), stage()))
    assert (raised.value.reason, raised.value.unsent) == ("proxy_error", False)
    assert len(receiver.posts) == len(proxy.asked_for) == 1


@pytest.mark.parametrize("host", ["hooks.slack.com", "hooks.slack.com:443", "hooks.slack-gov.com"])
def test_silence_is_no_ok_from_slack_under_any_of_its_names(
    host: str, receiver: Receiver, proxy: Proxy
) -> None:
    receiver.behave("empty")
    with pytest.raises(WebhookDead):
        post(Slack(Webhook(f"https://{host}{SECRET_PATH}"), stage()))
    assert proxy.asked_for == [f"{host.removesuffix(':443')}:443"]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 6012\r\n\r\n{"echo": "' + b"x" * 6_000 + b'"}',
        b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_an_ok_counts_however_it_is_framed(answer: bytes) -> None:
    with RawServer(answer) as server:
        post(Slack(Webhook(f"http://{server.host}{SECRET_PATH}"), stage()))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", NoAnswer),
        (b"220 smtp.example ESMTP\r\n", NoAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", NoAnswer),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", NoAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", NoAnswer),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnope", WebhookDead),
        (b"HTTP/1.1 302 Found\r\nLocation: https://[\r\nContent-Length: 0\r\n\r\n", WebhookDead),
        (b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n", WebhookDead),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\nnew_words", PayloadInvalid),
        (b"HTTP/1.1 599 What\r\nContent-Length: 0\r\n\r\n", RefusedForNow),
    ],
)
def test_anything_else_is_an_error(answer: bytes, expected: type[Exception]) -> None:
    with RawServer(answer) as server, pytest.raises(expected):
        post(Slack(Webhook(f"http://{server.host}{SECRET_PATH}"), stage()))
