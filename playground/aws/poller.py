"""What Lambda's poller does between the undelivered queue and `on_undelivered`.

Nothing polls a queue for `chalice local`, so the page's button does, by the poller's rules: a
whole batch is deleted once the function returns, and comes back if it raises.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import ClientError

from chalicelib.signin.json_fields import parse_object
from chalicelib.signin.reader import read_sign_in

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MOST_IN_BATCH: Final = 500
_MOST_IN_CALL: Final = 10  # SQS's own limit
_HIDDEN_SECONDS: Final = 120  # longer than the function may run
_one_reader: Final = threading.Lock()  # a look must not show a message that a batch has taken


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """How many messages the function was given, how many stay in the queue, and what it raised."""

    received: int
    left: int = 0
    fault: Exception | None = None


class Poller:
    """Reads the queue of that name. Each call raises what botocore raises."""

    def __init__(self, queue: str) -> None:
        self._sqs = _client()
        self._url = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]

    def waiting(self) -> int:
        """Return how many messages wait."""
        answer = self._sqs.get_queue_attributes(
            QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])

    def first(self) -> list[dict[str, str | None]]:
        """Return the first few that wait, in the words of the page; they stay visible."""
        with _one_reader:
            messages = self._receive(hidden_seconds=0)
        return [_entry(message.get("Body", "")) for message in messages]

    def deliver(self, function: Callable[[dict[str, Any]], object]) -> Delivery:
        """Call the function with a batch of what waits."""
        batch: list[MessageTypeDef] = []
        with _one_reader:
            while len(batch) < MOST_IN_BATCH and (some := self._receive(_HIDDEN_SECONDS)):
                batch += some
        if not batch:
            return Delivery(received=0)
        try:
            function({"Records": [_record(message) for message in batch]})
        except Exception as fault:  # noqa: BLE001 — Lambda makes no difference either
            left = sum(self._is_shown_again(message) for message in batch)
            return Delivery(received=len(batch), left=left, fault=fault)
        for message in batch:
            self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return Delivery(received=len(batch))

    def _receive(self, hidden_seconds: int) -> "list[MessageTypeDef]":
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_MOST_IN_CALL,
            VisibilityTimeout=hidden_seconds,
            MessageSystemAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _is_shown_again(self, message: "MessageTypeDef") -> bool:
        """Make a message visible at once; return whether it was still there."""
        try:
            self._sqs.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        except ClientError:
            return False
        return True


@cache
def _client() -> "SQSClient":
    """Return a client of a session of its own: boto3's default session is not for two threads."""
    return boto3.session.Session().client("sqs")


def _record(message: "MessageTypeDef") -> dict[str, Any]:
    """Return a message as Lambda hands it over ("Using Lambda with Amazon SQS")."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:undelivered",
        "awsRegion": "us-east-1",
    }


def _entry(body: str) -> dict[str, str | None]:
    """Return what a person wants to know of a parked message, whatever it holds."""
    parked = parse_object(body) or {}
    sign_in = read_sign_in(parked.get("event"))
    return {
        "event_name": sign_in.event_name,
        "who": "root" if sign_in.is_root else sign_in.principal.name,
        "reason": str(parked.get("reason", "unreadable")),
        "act": str(parked["act"]) if "act" in parked else None,
    }
