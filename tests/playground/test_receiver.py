import json
import ssl
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests

from playground.slack.answers import ANSWERS
from playground.slack.certificates import make_certificates
from playground.slack.rate import Rate
from playground.slack.receiver import Receiver
from playground.slack.rules import refusal
from tests.support.proxy import Proxy

HELLO = {"text": "hello"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(drip_seconds=0.01) as receiver:
        yield receiver


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_a_message_is_taken_with_ok(receiver: Receiver, session: requests.Session) -> None:
    answer = session.post(receiver.url, json=HELLO)
    assert (answer.status_code, answer.text) == (200, "ok")
    (message,) = receiver.wait_for(1)
    assert (message.payload, message.path, message.connection) == (HELLO, receiver.path, 1)
    assert message.headers["Content-Type"] == "application/json"


def test_a_kept_connection_is_one_connection(receiver: Receiver, session: requests.Session) -> None:
    session.head(f"http://{receiver.host}/")
    for _ in range(3):
        session.post(receiver.url, json=HELLO)
    assert {post.connection for post in receiver.messages} == {1}
    assert [visit.method for visit in receiver.visits] == ["HEAD"]
    assert receiver.connections == 1


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - {"ok", "redirect"}))
def test_every_answer_of_slacks_can_be_had(
    name: str, receiver: Receiver, session: requests.Session
) -> None:
    receiver.behave(name, times=1)
    answer = session.post(receiver.url, json=HELLO)
    assert (answer.status_code, answer.text) == (ANSWERS[name].status, ANSWERS[name].body)
    assert [post.answer for post in receiver.refused] == [name]
    assert session.post(receiver.url, json=HELLO).text == "ok"


def test_a_redirect_leads_to_a_page_that_looks_like_success(
    receiver: Receiver, session: requests.Session
) -> None:
    receiver.behave("redirect")
    answer = session.post(receiver.url, json=HELLO)
    assert (answer.status_code, answer.text) == (200, "ok")
    assert receiver.messages == []


def test_a_limited_post_is_answered_with_how_long_to_wait(
    receiver: Receiver, session: requests.Session
) -> None:
    receiver.behave("rate_limited", retry_after=30)
    answer = session.post(receiver.url, json=HELLO)
    assert (answer.headers["Retry-After"], answer.json()["retry_after"]) == ("30", 30)


def test_a_connection_can_end_after_its_answer_without_a_word(receiver: Receiver) -> None:
    receiver.behave("close_idle")
    connection = HTTPConnection(receiver.host)
    connection.request("POST", receiver.path, json.dumps(HELLO))
    answer = connection.getresponse()
    assert (answer.read(), answer.will_close) == (b"ok", False)
    assert connection.sock.recv(1) == b""
    connection.close()
    assert len(receiver.messages) == 1


def test_over_the_rate_a_post_waits_until_it_may(session: requests.Session) -> None:
    now = 0.0
    with Receiver(rate=Rate(burst=2, per_second=1), clock=lambda: now) as receiver:

        def post() -> int:
            return session.post(receiver.url, json=HELLO).status_code

        assert [post() for _ in range(4)] == [200, 200, 429, 429]
        now = 1.0
        assert [post(), post()] == [200, 429]
        assert receiver.hits_while_limited == 1


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        ([], "invalid_payload"),
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "x" * 40_001}, "invalid_payload"),
        ({"blocks": [section("")]}, "invalid_blocks"),
        ({"blocks": [section("x" * 3_001)]}, "invalid_blocks"),
        ({"blocks": [section("x")] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "unheard_of"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": section("x")["text"]}]}, "invalid_blocks"),
        (
            {"blocks": [{"type": "section", "fields": [section("x")["text"]] * 11}]},
            "invalid_blocks",
        ),
        ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
        ({"text": "x", "attachments": [{"blocks": [section("")]}]}, "invalid_attachments"),
        ({"text": "x", "attachments": [{"color": "#36a64f"}]}, "invalid_attachments"),
        ({"text": "x", "attachments": [{"color": "sea", "text": "x"}]}, "invalid_attachments"),
        ({"text": "x", "attachments": [{"text": "x"}] * 101}, "too_many_attachments"),
        ({"text": "x", "attachments": [{"color": "#36a64f", "blocks": [section("x")]}]}, None),
    ],
)
def test_a_payload_is_refused_where_slack_would(payload: object, word: str | None) -> None:
    assert refusal(payload) == word


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/services/T0/B0/other", b"{}", 404, "no_service"),
        ("/services/T0/B0/fake", b"text", 400, "invalid_payload"),
        ("/services/T0/B0/fake", b"{}", 400, "no_text"),
    ],
)
def test_a_refusal_has_slacks_word(
    path: str, body: bytes, status: int, word: str, receiver: Receiver, session: requests.Session
) -> None:
    answer = session.post(f"http://{receiver.host}{path}", data=body)
    assert (answer.status_code, answer.text) == (status, word)
    assert [post.answer for post in receiver.refused] == [word]


def test_another_program_reads_and_steers_it(receiver: Receiver, session: requests.Session) -> None:
    control = f"http://{receiver.host}/_control"
    assert session.put(f"{control}/behaviour", json={"name": "no_team", "times": 1}).ok
    for _ in range(2):
        session.post(receiver.url, json=HELLO)
    (post,) = session.get(f"{control}/posts?after=1").json()
    assert (post["number"], post["answer"], post["payload"]) == (2, "ok", HELLO)
    assert session.get(f"{control}/behaviour").json()["name"] == "ok"
    assert session.put(f"{control}/behaviour", json={"name": "no_such"}).status_code == 400
    session.delete(f"{control}/posts")
    assert receiver.posts == []


def test_waiting_in_vain_says_what_came(receiver: Receiver) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 messages"):
        receiver.wait_for(1, seconds=0)


def test_only_the_good_certificate_is_accepted(tmp_path: Path, session: requests.Session) -> None:
    certificates = make_certificates(tmp_path)

    def post_to(server: ssl.SSLContext) -> str:
        with Receiver(tls=server) as receiver:
            return session.post(receiver.url, json=HELLO, verify=str(certificates.ca_file)).text

    assert post_to(certificates.good) == "ok"
    for refused in (certificates.wrong_host, certificates.expired, certificates.unknown_ca):
        with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            post_to(refused)


def test_through_the_proxy_the_receiver_answers_for_slacks_host(
    tmp_path: Path, session: requests.Session
) -> None:
    certificates = make_certificates(tmp_path)
    with Receiver(tls=certificates.good) as receiver, Proxy(receiver.host) as proxy:
        answer = session.post(
            f"https://hooks.slack.com{receiver.path}",
            json=HELLO,
            proxies={"https": proxy.url},
            verify=str(certificates.ca_file),
        )
        session.close()  # so that the tunnel ends before the proxy does
        assert answer.text == "ok"
        assert proxy.asked_for == ["hooks.slack.com:443"]
