"""What listens on this machine answers to its own name alone, whatever another name resolves to."""

import urllib.request
from urllib.error import HTTPError

import pytest
from chalice.app import Chalice
from chalice.test import Client

from playground.local.routes import routes
from playground.slack.receiver import Receiver

OTHERS = ["evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", "127.0.0.1@evil"]


@pytest.fixture
def client() -> Client:
    app = Chalice("local")
    app.register_blueprint(routes)
    return Client(app)


@pytest.mark.parametrize("host", OTHERS)
def test_the_page_refuses_every_host_but_its_own(host: str, client: Client) -> None:
    for path in ("/", "/stage", "/channel"):
        assert client.http.get(path, headers={"host": host}).status_code == 403
    headers = {"host": host, "content-type": "application/json"}
    refused = client.http.post("/answer", headers=headers, body=b'{"name": "hang"}')
    assert refused.status_code == 403


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_the_page_answers_to_its_own_names(host: str, client: Client) -> None:
    assert client.http.get("/", headers={"host": host}).status_code == 200


def test_a_query_that_makes_no_sense_is_refused_in_one_sentence(client: Client) -> None:
    answer = client.http.get("/channel?after=x", headers={"host": "localhost"})
    assert answer.status_code == 400
    assert "after must be the number of a post" in answer.json_body["Message"]


def test_the_receiver_is_controlled_by_its_own_name_alone() -> None:
    with Receiver() as receiver:
        control = f"http://{receiver.host}/_control/posts"
        urllib.request.urlopen(control).close()
        with pytest.raises(HTTPError, match="403"):
            urllib.request.urlopen(
                urllib.request.Request(control, headers={"Host": "evil.example"})
            )
