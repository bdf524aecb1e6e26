"""How a message gets to its channel: which webhook, which text, and what is looked up again."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from urllib.parse import urlsplit

import pytest

from chalicelib.aws.json_protocol import Credentials, JSONClient
from chalicelib.delivery.channel import Delivery
from chalicelib.delivery.slack import Slack
from chalicelib.delivery.webhook import WebhookLookup
from chalicelib.errors import (
    DeliveryError,
    NoAnswer,
    PayloadInvalid,
    RefusedForNow,
    WebhookDead,
    WebhookUnavailable,
    WebhookUnusable,
)
from chalicelib.messages.message import Message
from chalicelib.signin.severity import Severity
from chalicelib.timeout import Deadline
from playground.aws.embedded import EmbeddedAws
from playground.slack.rate import Rate
from playground.slack.receiver import Receiver
from tests.support.json_client import ScriptedClient, client_of, decrypted, refused
from tests.support.raw_server import RawServer
from tests.support.stage import stage

KEY = "alias/signin-monitor-prod"
WHOLE = {"text": "hello", "attachments": [{"blocks": [{"type": "divider"}]}]}
PLAIN = {"text": "hello"}
USUAL = Message(WHOLE, Severity.WARNING)
CRITICAL = Message(WHOLE, Severity.CRITICAL)


@pytest.fixture
def aws(aws: EmbeddedAws) -> EmbeddedAws:
    aws.make_key(KEY)
    return aws


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@contextmanager
def decrypting(*plaintexts: str | None) -> Iterator[Delivery]:
    """Return a delivery whose KMS decrypts so often and no more: None is a failure of KMS."""
    settings = stage(WEBHOOK_HOSTS=",".join(urlsplit(text or "").netloc for text in plaintexts))
    kms = ScriptedClient(
        *(decrypted(text) if text else refused("ThrottlingException") for text in plaintexts)
    )
    yield Delivery(settings, WebhookLookup(kms, settings))
    assert not kms.script


def delivery_to(aws: EmbeddedAws, *receivers: Receiver, **more: str) -> Delivery:
    """Return a delivery to a main receiver, and to a critical receiver if there are two."""
    names = ("WEBHOOK_URL_ENCRYPTED", "CRITICAL_WEBHOOK_URL_ENCRYPTED")
    ciphertexts = (aws.encrypt(receiver.url, KEY) for receiver in receivers)
    urls = dict(zip(names, ciphertexts, strict=False))
    hosts = ",".join(receiver.host for receiver in receivers)
    settings = stage(WEBHOOK_HOSTS=hosts, **urls, **more)
    return Delivery(settings, WebhookLookup(client_of(aws, "kms"), settings))


@pytest.fixture
def delivery(aws: EmbeddedAws, receiver: Receiver) -> Delivery:
    return delivery_to(aws, receiver)


@pytest.fixture
def two_webhooks(aws: EmbeddedAws, receiver: Receiver, critical_receiver: Receiver) -> Delivery:
    return delivery_to(aws, receiver, critical_receiver)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long posts waited, which takes no time."""
    slept: list[float] = []
    monkeypatch.setattr("chalicelib.delivery.channel.Slack", partial(Slack, sleep=slept.append))
    return slept


def post(delivery: Delivery, message: Message, seconds: float = 40) -> str | None:
    return delivery.post(message, Deadline(seconds), patient=False)


def failure(delivery: Delivery, message: Message, seconds: float = 40) -> DeliveryError:
    with pytest.raises(DeliveryError) as raised:
        post(delivery, message, seconds)
    return raised.value


def payloads(receiver: Receiver) -> list[object]:
    return [post.payload for post in receiver.posts]


@pytest.mark.parametrize("message", [USUAL, CRITICAL])
def test_with_one_webhook_every_message_goes_there(
    message: Message, delivery: Delivery, receiver: Receiver
) -> None:
    assert post(delivery, message) is None
    assert payloads(receiver) == [WHOLE]


def test_with_two_webhooks_only_critical_messages_go_to_the_critical_webhook(
    two_webhooks: Delivery, receiver: Receiver, critical_receiver: Receiver
) -> None:
    post(two_webhooks, USUAL)
    assert (len(receiver.posts), len(critical_receiver.posts)) == (1, 0)
    post(two_webhooks, CRITICAL)
    assert (len(receiver.posts), len(critical_receiver.posts)) == (1, 1)


def test_a_message_that_slack_calls_invalid_goes_out_at_once_in_plain_text(
    delivery: Delivery, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.behave("invalid_attachments", times=1)
    assert post(delivery, USUAL) == "invalid_attachments"
    assert payloads(receiver) == [WHOLE, PLAIN]
    line = json.loads(capsys.readouterr().out)
    assert line["level"] == "ERROR"
    assert "our payload wrong (invalid_attachments): please report this" in line["message"]


def test_a_receiver_that_wants_another_format_gets_plain_text_and_a_warning_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    taken = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with (
        RawServer(refusal, taken) as server,
        decrypting(f"http://{server.host}/hooks/fake") as delivery,
    ):
        assert post(delivery, USUAL) == "http_400"
    line = json.loads(capsys.readouterr().out)
    assert line["level"] == "WARNING"
    assert line["message"].startswith(f"The receiver {server.host} does not take the message")


def test_plain_text_that_slack_calls_invalid_too_is_a_failure(
    delivery: Delivery, receiver: Receiver
) -> None:
    receiver.behave("invalid_payload")
    assert isinstance(failure(delivery, USUAL), PayloadInvalid)
    assert payloads(receiver) == [WHOLE, PLAIN]


def test_a_dead_critical_webhook_falls_back_to_the_main_webhook_and_says_so(
    two_webhooks: Delivery,
    receiver: Receiver,
    critical_receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
) -> None:
    critical_receiver.behave("no_service")
    assert post(two_webhooks, CRITICAL) is None
    assert (payloads(critical_receiver), payloads(receiver)) == ([WHOLE], [WHOLE])
    line = json.loads(capsys.readouterr().out)
    assert line["level"] == "ERROR"
    assert line["message"].startswith("The critical webhook is dead. The receiver refuses")


def test_a_critical_webhook_that_cannot_be_decrypted_falls_back_too(
    aws: EmbeddedAws, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery = delivery_to(aws, receiver, CRITICAL_WEBHOOK_URL_ENCRYPTED="AAAA")
    assert post(delivery, CRITICAL) is None
    assert payloads(receiver) == [WHOLE]
    assert "KMS cannot decrypt CRITICAL_WEBHOOK_URL_ENCRYPTED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("html_500", RefusedForNow), ("reset", NoAnswer), ("no_text", PayloadInvalid)],
)
def test_a_critical_webhook_that_is_not_dead_keeps_its_messages(
    answer: str,
    kind: type[DeliveryError],
    two_webhooks: Delivery,
    receiver: Receiver,
    critical_receiver: Receiver,
) -> None:
    critical_receiver.behave(answer)
    assert isinstance(failure(two_webhooks, CRITICAL), kind)
    assert receiver.posts == []


def test_when_both_webhooks_are_dead_the_reason_of_the_main_webhook_counts(
    two_webhooks: Delivery, receiver: Receiver, critical_receiver: Receiver
) -> None:
    critical_receiver.behave("no_service")
    receiver.behave("channel_is_archived")
    assert failure(two_webhooks, CRITICAL).reason == "channel_is_archived"


@pytest.mark.parametrize("message", [USUAL, CRITICAL])
@pytest.mark.parametrize("patient", [True, False])
def test_only_a_patient_message_waits_as_long_as_it_is_asked(
    patient: bool,  # noqa: FBT001 — the parameter is the case
    message: Message,
    two_webhooks: Delivery,
    receiver: Receiver,
    critical_receiver: Receiver,
    slept: list[float],
) -> None:
    receiver.behave("rate_limited", times=1, retry_after=30)
    critical_receiver.behave("rate_limited", times=1, retry_after=30)
    with nullcontext() if patient else pytest.raises(RefusedForNow):
        two_webhooks.post(message, Deadline(40), patient=patient)
    assert slept == ([30] if patient else [])


@pytest.mark.parametrize("patient", [True, False])
def test_the_plain_text_is_as_patient_as_the_message(
    patient: bool,  # noqa: FBT001 — the parameter is the case
    aws: EmbeddedAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        raise InterruptedError  # it has shown that it waits

    monkeypatch.setattr("chalicelib.delivery.channel.Slack", partial(Slack, sleep=sleep))
    with Receiver(rate=Rate(burst=0, per_second=1 / 30)) as receiver:
        delivery = delivery_to(aws, receiver)
        receiver.behave("invalid_payload", times=1)
        with pytest.raises(InterruptedError if patient else RefusedForNow):
            delivery.post(USUAL, Deadline(40), patient=patient)
    assert slept == ([30] if patient else [])


def test_the_main_webhook_is_as_patient_as_the_critical_webhook_that_it_stands_in_for(
    two_webhooks: Delivery,
    receiver: Receiver,
    critical_receiver: Receiver,
    slept: list[float],
) -> None:
    critical_receiver.behave("no_service")
    receiver.behave("rate_limited", times=1, retry_after=30)
    two_webhooks.post(CRITICAL, Deadline(40), patient=True)
    assert slept == [30]


def test_messages_of_a_warm_function_share_one_decryption_and_one_connection(
    receiver: Receiver,
) -> None:
    with decrypting(receiver.url) as delivery:
        for _ in range(3):
            post(delivery, USUAL)
        receiver.behave("html_500", times=1)
        failure(delivery, USUAL)
        post(delivery, USUAL)
    assert receiver.connections == 1


def test_a_dead_webhook_is_looked_up_again_for_the_next_message(receiver: Receiver) -> None:
    with decrypting(f"{receiver.url}/removed", receiver.url) as delivery:
        assert isinstance(failure(delivery, USUAL), WebhookDead)
        assert post(delivery, USUAL) is None


def test_a_webhook_that_died_before_the_plain_text_is_looked_up_again_too(
    receiver: Receiver,
) -> None:
    with decrypting(receiver.url, receiver.url) as delivery:
        post(delivery, USUAL)
        receiver.behave("invalid_payload", times=1)
        post(delivery, USUAL)
        receiver.behave("no_team", times=1)
        assert isinstance(failure(delivery, USUAL), WebhookDead)
        assert post(delivery, USUAL) is None


@pytest.mark.parametrize(
    ("first", "kind"), [(None, WebhookUnavailable), ("no URL at all", WebhookUnusable)]
)
def test_a_webhook_that_cannot_be_used_now_is_looked_up_again_for_the_next_message(
    first: str | None, kind: type[DeliveryError], receiver: Receiver
) -> None:
    with decrypting(first, receiver.url) as delivery:
        assert isinstance(failure(delivery, USUAL), kind)
        assert post(delivery, USUAL) is None


def test_a_kms_that_hangs_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        kms = JSONClient(
            "kms", "us-east-1", url=url, credentials=lambda: Credentials("fake", "fake", None)
        )
        gone = failure(Delivery(stage(), WebhookLookup(kms, stage())), USUAL, seconds=0.2)
    assert isinstance(gone, WebhookUnavailable)
    assert (gone.reason, gone.act) == ("kms_timeout", "nobody")
    assert "did not decrypt WEBHOOK_URL_ENCRYPTED in time" in str(gone)


def test_connecting_ahead_decrypts_and_asks_nothing_of_the_host(receiver: Receiver) -> None:
    with decrypting(receiver.url) as delivery:
        delivery.connect()
        assert (receiver.posts, receiver.visits) == ([], [])
        assert post(delivery, USUAL) is None


def test_connecting_ahead_raises_what_is_wrong() -> None:
    with decrypting(None) as delivery, pytest.raises(WebhookUnavailable):
        delivery.connect()


def test_the_delivery_of_a_stage_asks_kms_in_its_home_region(
    aws: EmbeddedAws, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    aws.make_key(KEY, region="eu-west-1")
    settings = stage(
        WEBHOOK_URL_ENCRYPTED=aws.encrypt(receiver.url, KEY, region="eu-west-1"),
        WEBHOOK_HOSTS=receiver.host,
        SIGN_IN_REGION="eu-west-1",
    )
    assert post(Delivery.of_stage(settings), USUAL) is None
    assert payloads(receiver) == [WHOLE]
