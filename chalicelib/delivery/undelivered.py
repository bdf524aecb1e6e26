"""The undelivered queue: keeps in SQS what could not be posted, for up to 14 days.

What comes out of the queue is not trusted: whoever may send to it can write anything.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chalicelib.aws.json_protocol import JSONClient
from chalicelib.errors import Act, AWSCallError, AWSUnreachable, QueueError
from chalicelib.resource_names import ops_command
from chalicelib.signin.reader import trim
from chalicelib.signin.redaction import redact

_BATCH: Final = 10  # SQS deletes at most so many at once
_LARGEST_EVENT: Final = 1_100_000  # EventBridge brings at most 1 MB; more could fill the memory
# The queue's word for it, by the older protocol and by this one, and the endpoint's.
_TOO_BIG: Final = frozenset({"InvalidParameterValue", "InvalidParameterValueException", "413"})


@dataclass(frozen=True, slots=True)
class Parked:
    """One message of the queue: the event that it keeps, and the handle that deletes it."""

    event: Mapping[str, Any]
    receipt_handle: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Parked":
        """Read a record of a batch; an unreadable one gives an event that says so."""
        body = record.get("body")
        return cls(_event_in(body), str(record.get("receiptHandle", "")))


class Undelivered:
    """The queue of one stage."""

    def __init__(self, sqs: JSONClient, queue: str, stage: str) -> None:
        self._sqs = sqs
        self._queue = queue
        self._stage = stage
        self._url: str | None = None

    def park(self, event: object, *, reason: str, act: Act) -> None:
        """Keep an event, with why it was not posted and who must act; credentials redacted.

        One that is too big for the queue is compressed, then cut. Raises QueueError.
        """
        for kept in _shrinking_bodies(redact(event)):
            body = json.dumps({"reason": reason, "act": act, "event": kept}, default=str)
            try:
                answer = self._sqs.call("SendMessage", QueueUrl=self._queue_url(), MessageBody=body)
            except AWSCallError as error:
                if error.code in _TOO_BIG:
                    continue
                raise self._refused(error.code) from None
            if not answer.get("MessageId"):  # a portal on the way says 200 to anything
                raise self._refused("no word that it was kept")
            return
        raise self._refused("message too long")

    def delete(self, receipt_handles: Sequence[str]) -> None:
        """Delete messages that were posted. Raises QueueError for those that will come again."""
        refusals: list[str] = []
        for start in range(0, len(receipt_handles), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle}
                for number, handle in enumerate(receipt_handles[start : start + _BATCH])
            ]
            try:
                answer = self._sqs.call(
                    "DeleteMessageBatch", QueueUrl=self._queue_url(), Entries=entries
                )
            except AWSUnreachable as error:  # the others fare no better
                raise self._refused(error.code) from None
            except AWSCallError as error:
                refusals.append(error.code)
            else:
                refusals += [failed["Code"] for failed in answer.get("Failed", [])]
        if refusals:
            raise self._refused(refusals[0])

    def _queue_url(self) -> str:
        if not self._url:
            self._url = self._sqs.call("GetQueueUrl", QueueName=self._queue).get("QueueUrl")
        if not self._url:
            raise self._refused("no word where it is")
        return self._url

    def _refused(self, why: str) -> QueueError:
        return QueueError(
            f"The undelivered queue {self._queue} did not take or give up an event ({why}). "
            f"{ops_command(self._stage, 'doctor')} shows what is wrong with it."
        )


def _shrinking_bodies(event: Any) -> Iterator[Any]:  # noqa: ANN401 — any JSON
    """Return the event whole, then compressed, then cut to what a SignIn is read from."""
    yield event
    whole = json.dumps(event, default=str).encode()
    if len(whole) <= _LARGEST_EVENT:
        yield {"compressed": base64.b64encode(zlib.compress(whole)).decode("ascii")}
    yield {**trim(event), "cut": "This event was too big for the queue."}


def _event_in(body: object) -> Mapping[str, Any]:
    try:
        event = json.loads(str(body))["event"]
        if isinstance(event, dict) and isinstance(event.get("compressed"), str):
            event = json.loads(_decompress(event["compressed"]))
    except (ValueError, KeyError, TypeError, RecursionError, zlib.error):
        event = None
    return event if isinstance(event, dict) else {"detail": {"unreadable": str(body)}}


def _decompress(text: str) -> bytes:
    """Unpack at most what an event can be: a queue's content may be a bomb."""
    return zlib.decompressobj().decompress(base64.b64decode(text), _LARGEST_EVENT)
