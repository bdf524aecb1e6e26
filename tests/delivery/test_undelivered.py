"""The undelivered queue, against moto's SQS."""

import base64
import json
import zlib
from dataclasses import replace
from itertools import chain
from random import Random
from typing import Any

import pytest

from chalicelib.delivery.undelivered import Parked, Undelivered
from chalicelib.errors import AWSCallError, AWSUnreachable, QueueError
from chalicelib.signin.model import SignIn
from chalicelib.signin.reader import read_sign_in
from playground.aws.embedded import EmbeddedAws
from playground.catalogue import read
from tests.support.json_client import ScriptedClient, client_of

LARGEST = 1_048_576
EVENTS = ("root-without-mfa", "saml-role", "event-never-seen-before")
FOUND = {"QueueUrl": "https://sqs.example/undelivered"}


@pytest.fixture
def queue(aws: EmbeddedAws) -> Undelivered:
    aws.make_queue("undelivered", {"VisibilityTimeout": "0"})
    return of(aws)


@pytest.fixture
def small_queue(aws: EmbeddedAws) -> Undelivered:
    """Return a queue that takes 16 KB at most, as a queue that somebody made long ago may."""
    aws.make_queue("undelivered", {"VisibilityTimeout": "0", "MaximumMessageSize": "16384"})
    return of(aws)


def scripted(*script: dict[str, Any] | AWSCallError) -> tuple[Undelivered, ScriptedClient]:
    sqs = ScriptedClient(*script)
    return Undelivered(sqs, "undelivered", "prod"), sqs


def of(aws: EmbeddedAws, name: str = "undelivered") -> Undelivered:
    return Undelivered(client_of(aws, "sqs"), name, "prod")


def records(aws: EmbeddedAws) -> list[dict[str, Any]]:
    """Receive what is in the queue, ten at most, as Lambda hands it to a function."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="undelivered")["QueueUrl"]
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [
        {"body": message["Body"], "receiptHandle": message["ReceiptHandle"]} for message in received
    ]


def park(queue: Undelivered, event: object) -> None:
    queue.park(event, reason="no_service", act="operator")


def count(aws: EmbeddedAws) -> int:
    """Count what is in the queue, received or not."""
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="undelivered")["QueueUrl"]
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return sum(int(counted[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible"))


def parked(aws: EmbeddedAws) -> dict[str, Any]:
    """Return the event of the queue's one message."""
    (record,) = records(aws)
    return event_in(record)


def event_in(record: dict[str, Any]) -> dict[str, Any]:
    return dict(Parked.from_record(record)[1])


def without_excerpt(event: object) -> SignIn:
    return replace(read_sign_in(event), excerpt=None)


def padded(event: dict[str, Any], padding: str) -> dict[str, Any]:
    return {**event, "detail": {**event["detail"], "requestParameters": {"padding": padding}}}


def random_text(length: int) -> str:
    """Return a text that can be compressed to about half its length and no further."""
    return Random(7).randbytes(length // 2).hex()


@pytest.mark.parametrize("name", EVENTS)
def test_the_body_says_why_who_must_act_and_what_happened(
    name: str, queue: Undelivered, aws: EmbeddedAws
) -> None:
    park(queue, read(name))
    (record,) = records(aws)
    body = json.loads(record["body"])
    assert (body["reason"], body["act"]) == ("no_service", "operator")
    assert set(body) == {"reason", "act", "event"}
    assert read_sign_in(body["event"]) == read_sign_in(read(name))
    parked, event = Parked.from_record(record)
    assert parked == Parked(record["body"], record["receiptHandle"], possibly_posted=False)
    assert event == body["event"]


def test_credentials_are_not_kept(queue: Undelivered, aws: EmbeddedAws) -> None:
    event = read("get-signin-token")
    event["detail"]["responseElements"]["credentials"]["sessionToken"] = "fake-session-token"
    park(queue, event)
    (record,) = records(aws)
    assert "fake-session-token" not in record["body"]
    assert event_in(record)["detail"]["responseElements"] == {
        "credentials": "[redacted]",
        "GetSigninToken": "Success",
    }


def test_an_event_is_parked_in_any_script(queue: Undelivered, aws: EmbeddedAws) -> None:
    event = {"detail": {"userAgent": "로그인 \x00 \ud800 \u202e é"}}
    park(queue, event)
    assert parked(aws) == event


@pytest.mark.parametrize("event", [None, [], "text", 7, {}, {"detail": None}])
def test_whatever_is_parked_comes_back_as_an_object(
    event: object, queue: Undelivered, aws: EmbeddedAws
) -> None:
    park(queue, event)
    assert isinstance(parked(aws), dict)


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_too_big_for_the_queue_is_compressed_and_comes_back_whole(
    name: str, small_queue: Undelivered, aws: EmbeddedAws
) -> None:
    event = padded(read(name), "x" * 100_000)
    park(small_queue, event)
    (record,) = records(aws)
    assert set(json.loads(record["body"])["event"]) == {"compressed"}
    assert read_sign_in(event_in(record)) == read_sign_in(event)


def test_what_is_compressed_has_no_credentials_either(
    small_queue: Undelivered, aws: EmbeddedAws
) -> None:
    event = padded(read("get-signin-token"), "x" * 100_000)
    event["detail"]["responseElements"]["credentials"]["sessionToken"] = "fake-session-token"
    park(small_queue, event)
    assert "fake-session-token" not in json.dumps(parked(aws))


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_too_big_though_compressed_is_cut_to_what_a_sign_in_is_read_from(
    name: str, small_queue: Undelivered, aws: EmbeddedAws
) -> None:
    event = padded(read(name), random_text(100_000))
    park(small_queue, event)
    kept = parked(aws)
    assert kept["cut"] == "This event was too big for the queue."
    assert "padding" not in json.dumps(kept)
    assert without_excerpt(kept) == without_excerpt(event)
    assert read_sign_in(kept).understood == read_sign_in(event).understood


def test_an_event_of_a_megabyte_is_kept_whole_in_a_queue_that_takes_a_megabyte(
    queue: Undelivered, aws: EmbeddedAws
) -> None:
    event = padded(read("root-with-mfa"), "x" * (LARGEST - len(json.dumps(read("root-with-mfa")))))
    park(queue, event)
    assert parked(aws) == event


def test_an_event_that_would_be_too_big_when_unpacked_is_cut(
    queue: Undelivered, aws: EmbeddedAws
) -> None:
    event = padded(read("root-with-mfa"), "é" * 300_000)  # six characters each in JSON
    park(queue, event)
    kept = parked(aws)
    assert "cut" in kept
    assert without_excerpt(kept) == without_excerpt(event)


@pytest.mark.parametrize("code", ["413", "InvalidParameterValueException"])
def test_an_event_that_is_too_big_in_other_words_is_made_smaller_too(code: str) -> None:
    queue, sqs = scripted(FOUND, AWSCallError("sqs:SendMessage", code), {"MessageId": "1"})
    park(queue, read("root-with-mfa"))
    assert "compressed" in str(sqs.calls[-1])


@pytest.mark.parametrize("answer", [{}, {"MessageId": ""}])
def test_an_answer_that_does_not_say_that_the_event_was_kept_is_a_refusal(
    answer: dict[str, str],
) -> None:
    with pytest.raises(QueueError, match=r"\(no word that it was kept\)"):
        park(scripted(FOUND, answer)[0], {})


def test_an_answer_that_does_not_say_where_the_queue_is_is_a_refusal() -> None:
    queue, _ = scripted({}, FOUND, {"MessageId": "1"})
    with pytest.raises(QueueError, match=r"\(no word where it is\)"):
        park(queue, {})
    park(queue, {})


def test_a_queue_that_takes_not_even_the_cut_event_refuses_it(
    aws: EmbeddedAws,
) -> None:
    aws.make_queue("undelivered", {"MaximumMessageSize": "1024"})
    event = padded(read("saml-role"), random_text(10_000))
    event["detail"]["userAgent"] = random_text(4_000)
    with pytest.raises(QueueError, match=r"did not take .*\(message too long\)"):
        park(of(aws), event)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "null",
        "[]",
        "7",
        "{}",
        '{"event": null}',
        '{"event": [1]}',
        '{"event": {"compressed": "no base64!"}}',
        '{"event": {"compressed": "\u2603"}}',
        '{"event": {"compressed": "AAAA"}}',
        '{"event": {"compressed": ""}}',
        '{"event": ' + "[" * 100_000,
        None,
        7,
    ],
)
@pytest.mark.usefixtures("without_collector")
def test_a_poisoned_message_becomes_an_event_that_says_it_is_unreadable(body: object) -> None:
    event = event_in({"body": body, "receiptHandle": "h"})
    assert event == {"detail": {"unreadable": str(body)}}
    assert not read_sign_in(event).understood


def compressed(content: bytes) -> dict[str, Any]:
    packed = base64.b64encode(zlib.compress(content)).decode()
    return {"body": json.dumps({"event": {"compressed": packed}})}


@pytest.mark.parametrize("content", [b"[]", b"null", b"{", b"\xff", b'"text"'])
def test_a_compressed_message_that_is_no_event_is_unreadable_too(content: bytes) -> None:
    assert set(event_in(compressed(content))["detail"]) == {"unreadable"}


def test_a_decompression_bomb_is_not_unpacked() -> None:
    bomb = compressed(b'{"detail": {"a": "' + b"x" * 2_000_000 + b'"}}')
    assert len(bomb["body"]) < 10_000
    assert set(event_in(bomb)["detail"]) == {"unreadable"}


def test_an_event_that_has_a_field_named_compressed_is_itself() -> None:
    event = {"compressed": {"no": "text"}, "detail": {}}
    assert event_in({"body": json.dumps({"event": event})}) == event


def test_a_record_without_a_handle_can_be_read() -> None:
    parked, event = Parked.from_record({"body": '{"event": {}}'})
    assert (parked.receipt_handle, event) == ("", {})


def test_a_queue_that_is_missing_refuses_by_name_and_says_what_to_do(aws: EmbeddedAws) -> None:
    queue = of(aws, "never-made")
    with pytest.raises(QueueError) as raised:
        park(queue, {})
    assert "queue never-made did not take" in str(raised.value)
    assert "(AWS.SimpleQueueService.NonExistentQueue)" in str(raised.value)
    assert str(raised.value).endswith(
        " python -m ops doctor --stage prod shows what is wrong with it."
    )
    with pytest.raises(QueueError, match=r"never-made.*NonExistentQueue"):
        queue.delete(["h"])


def test_a_queue_that_was_made_meanwhile_takes_the_next_event(aws: EmbeddedAws) -> None:
    queue = of(aws)
    with pytest.raises(QueueError):
        park(queue, {})
    aws.make_queue("undelivered")
    park(queue, {})
    assert count(aws) == 1


def test_no_error_of_the_queue_quotes_the_event(aws: EmbeddedAws) -> None:
    with pytest.raises(QueueError) as raised:
        park(of(aws, "never-made"), read("iam-user-with-mfa"))
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_messages_are_deleted_ten_at_once_each_under_a_name_of_its_own() -> None:
    queue, sqs = scripted(FOUND, {}, {}, {})
    queue.delete([f"handle-{number}" for number in range(23)])
    batches: Any = [parameters["Entries"] for _, parameters in sqs.calls[1:]]
    assert [len({entry["Id"] for entry in batch}) for batch in batches] == [10, 10, 3]


def test_only_what_was_posted_is_deleted(queue: Undelivered, aws: EmbeddedAws) -> None:
    for number in range(3):
        park(queue, {"detail": {"eventID": str(number)}})
    said = [record for record in records(aws) if '"1"' not in record["body"]]
    queue.delete([record["receiptHandle"] for record in said])
    assert parked(aws) == {"detail": {"eventID": "1"}}


def test_what_sqs_does_not_delete_is_posted_and_keeps_nothing_else_back(
    queue: Undelivered, aws: EmbeddedAws
) -> None:
    for _ in range(3):
        park(queue, {})
    good = [record["receiptHandle"] for record in records(aws)]
    with pytest.raises(QueueError, match=r"undelivered .*\(ReceiptHandleIsInvalid\)"):
        queue.delete([f"bad-{number}" for number in range(10)] + good)
    assert count(aws) == 0


def test_a_batch_that_sqs_refuses_keeps_no_other_back_but_an_sqs_out_of_reach_does() -> None:
    throttled = AWSCallError("sqs:DeleteMessageBatch", "RequestThrottled")
    gone = AWSUnreachable("sqs:DeleteMessageBatch", "new_connection_error")
    for error, calls in ((throttled, 3), (gone, 2)):
        queue, sqs = scripted(FOUND, error, {"Successful": [], "Failed": []})
        with pytest.raises(QueueError, match=rf"\({error.code}\)"):
            queue.delete(["h"] * 11)
        assert len(sqs.calls) == calls


def test_what_was_possibly_posted_is_sent_again_with_a_mark_once_and_deleted() -> None:
    queue, sqs = scripted(FOUND, {"Successful": [{"Id": "0"}]}, {})
    queue.mark_possibly_posted(
        [
            Parked('{"event": {}}', "a", possibly_posted=False),
            Parked('{"event": {}, "possibly_posted": true}', "b", possibly_posted=True),
            Parked("no JSON", "c", possibly_posted=False),
        ]
    )
    marked = '{"event": {}, "possibly_posted": true}'
    assert [(action, parameters["Entries"]) for action, parameters in sqs.calls[1:]] == [
        ("SendMessageBatch", [{"Id": "0", "MessageBody": marked, "DelaySeconds": 420}]),
        ("DeleteMessageBatch", [{"Id": "0", "ReceiptHandle": "a"}]),
    ]


def test_of_more_than_one_batch_each_that_was_sent_again_is_deleted() -> None:
    first = {"Successful": [{"Id": str(number)} for number in range(10)]}
    queue, sqs = scripted(FOUND, first, {"Successful": [{"Id": "10"}, {"Id": "11"}]}, {}, {})
    handles = [f"handle-{number}" for number in range(12)]
    queue.mark_possibly_posted(
        [Parked('{"event": {}}', handle, possibly_posted=False) for handle in handles]
    )
    batches: Any = [parameters["Entries"] for _, parameters in sqs.calls[1:]]
    assert [entry["Id"] for entry in chain(*batches[:2])] == [str(number) for number in range(12)]
    assert [entry["ReceiptHandle"] for entry in chain(*batches[2:])] == handles


def test_what_cannot_be_marked_stays_as_it_is() -> None:
    answer = {"Successful": [{"Id": "1"}], "Failed": [{"Id": "0", "Code": "AccessDenied"}]}
    queue, sqs = scripted(FOUND, answer, {})
    messages = [Parked('{"event": {}}', handle, possibly_posted=False) for handle in "ab"]
    with pytest.raises(QueueError, match=r"\(AccessDenied\)"):
        queue.mark_possibly_posted(messages)
    assert sqs.calls[-1][1]["Entries"] == [{"Id": "0", "ReceiptHandle": "b"}]


def test_nothing_to_delete_asks_nothing_of_sqs() -> None:
    scripted()[0].delete([])


def test_the_queue_is_looked_up_once() -> None:
    queue, sqs = scripted(FOUND, {"MessageId": "1"}, {"MessageId": "2"})
    park(queue, {})
    park(queue, {})
    assert [action for action, _ in sqs.calls] == ["GetQueueUrl", "SendMessage", "SendMessage"]
