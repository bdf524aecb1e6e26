"""The undelivered queue: keeps in SQS what could not be posted, for up to 14 days.

What comes out of the queue is not trusted: whoever may send to it can write anything.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from chalicelib.aws.json_protocol import JSONClient
from chalicelib.errors import Act, AWSCallError, AWSUnreachable, QueueError
from chalicelib.resource_names import ops_command
from chalicelib.signin.json_fields import parse_object
from chalicelib.signin.reader import trim
from chalicelib.signin.redaction import redact

Event = Mapping[str, Any]

_BATCH: Final = 10  # SQS takes and deletes at most so many at once
_MARK: Final = "possibly_posted"
_DELAY_SECONDS: Final = 420  # what was not posted comes again as late: its visibility timeout
_LARGEST_EVENT: Final = 1_100_000  # EventBridge brings at most 1 MB; more could fill the memory
# The queue's word for it, by the query and the JSON protocol, and the endpoint's.
_TOO_BIG: Final = frozenset({"InvalidParameterValue", "InvalidParameterValueException", "413"})


class Parked(NamedTuple):
    """One message of the queue: its text, and the handle that deletes it.

    `possibly_posted` says that an attempt to post it may have succeeded.
    """

    body: str
    receipt_handle: str
    possibly_posted: bool

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "tuple[Parked, Event]":
        """Read a record of a batch; return the event in it apart, which may be large.

        An unreadable record gives an event that says so.
        """
        body = str(record.get("body"))
        document = parse_object(body) or {}
        is_marked = document.get(_MARK) is True
        parked = cls(body, str(record.get("receiptHandle", "")), is_marked)
        event = _event_in(document)
        return parked, {"detail": {"unreadable": body}} if event is None else event


class Undelivered:
    """The queue of one stage."""

    def __init__(self, sqs: JSONClient, queue: str, stage: str) -> None:
        self._sqs = sqs
        self._queue = queue
        self._stage = stage
        self._url: str | None = None

    def park(self, event: object, *, reason: str, act: Act, possibly_posted: bool = False) -> None:
        """Keep an event, with why it was not posted and who must act; credentials redacted.

        An event that is too big for the queue is compressed, then cut. Raises QueueError.
        """
        mark = {_MARK: True} if possibly_posted else {}
        for kept in _shrinking_bodies(redact(event)):
            body = json.dumps({"reason": reason, "act": act, **mark, "event": kept}, default=str)
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
        entries = [{"ReceiptHandle": handle} for handle in receipt_handles]
        _, refusals = self._call_in_batches("DeleteMessageBatch", entries)
        if refusals:
            raise self._refused(refusals[0])

    def mark_possibly_posted(self, messages: Sequence[Parked]) -> None:
        """Mark messages of the queue, once: each is sent again with the mark, then deleted.

        It comes again after the others that could not be posted. Raises QueueError for those that
        stay as they are.
        """
        unmarked = [
            (message, {**document, _MARK: True})
            for message in messages
            if not message.possibly_posted and (document := parse_object(message.body))
        ]
        entries = [
            {"MessageBody": json.dumps(document), "DelaySeconds": _DELAY_SECONDS}
            for _, document in unmarked
        ]
        sent, refusals = self._call_in_batches("SendMessageBatch", entries)
        self.delete([unmarked[number][0].receipt_handle for number in sent])
        if refusals:
            raise self._refused(refusals[0])

    def _call_in_batches(
        self, action: str, entries: Sequence[Mapping[str, object]]
    ) -> tuple[list[int], list[str]]:
        """Return which entries succeeded, and the codes of the refusals."""
        done: list[int] = []
        refusals: list[str] = []
        for start in range(0, len(entries), _BATCH):
            batch = enumerate(entries[start : start + _BATCH], start)
            numbered = [{"Id": str(number), **entry} for number, entry in batch]
            try:
                answer = self._sqs.call(action, QueueUrl=self._queue_url(), Entries=numbered)
            except AWSUnreachable as error:  # the others fare no better
                return done, [*refusals, error.code]
            except AWSCallError as error:
                refusals.append(error.code)
            else:
                done += [int(entry["Id"]) for entry in answer.get("Successful", [])]
                refusals += [failed["Code"] for failed in answer.get("Failed", [])]
        return done, refusals

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
    """Yield the event whole, then compressed, then cut to what a SignIn is read from."""
    yield event
    whole = json.dumps(event, default=str).encode()
    if len(whole) <= _LARGEST_EVENT:
        yield {"compressed": base64.b64encode(zlib.compress(whole)).decode()}
    yield {**trim(event), "cut": "This event was too big for the queue."}


def _event_in(document: Mapping[str, Any]) -> Event | None:
    event = document.get("event")
    if not isinstance(event, dict) or not isinstance(event.get("compressed"), str):
        return event if isinstance(event, dict) else None
    try:
        return parse_object(_decompress(event["compressed"]))
    except (ValueError, zlib.error):
        return None


def _decompress(text: str) -> bytes:
    """Unpack at most what an event can be: a queue's content may be a bomb."""
    return zlib.decompressobj().decompress(base64.b64decode(text), _LARGEST_EVENT)
