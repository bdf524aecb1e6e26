"""The undelivered queue: keeps in SQS what could not be posted, for up to 14 days.

What comes out of the queue is not trusted: whoever may send to it can write anything.
"""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chalicelib.aws.client import aws_client
from chalicelib.errors import Act, QueueError
from chalicelib.signin.reader import trim
from chalicelib.signin.redaction import redact

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_sqs import SQSClient

_BATCH: Final = 10  # SQS deletes at most so many at once
_LARGEST_EVENT: Final = 1_100_000  # EventBridge brings at most 1 MB; more could fill the memory
_TOO_BIG: Final = frozenset({"InvalidParameterValue", "413"})  # the queue's word, the endpoint's


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

    def __init__(self, sqs: "SQSClient", queue: str) -> None:
        self._sqs = sqs
        self._queue = queue
        self._url: str | None = None

    def park(self, event: object, *, reason: str, act: Act) -> None:
        """Keep an event, with why it was not posted and who must act; credentials redacted.

        One that is too big for the queue is compressed, then cut. Raises QueueError.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 — with the client

        for kept in _shrinking_bodies(redact(event)):
            body = json.dumps({"reason": reason, "act": act, "event": kept}, default=str)
            try:
                answer = self._sqs.send_message(QueueUrl=self._queue_url(), MessageBody=body)
            except ClientError as error:
                if _code(error) in _TOO_BIG:
                    continue
                raise _refused(self._queue, _code(error)) from None
            except Exception as error:  # noqa: BLE001 — a portal on the way may answer anything
                raise _refused(self._queue, type(error).__name__) from None
            if not answer.get("MessageId"):  # a portal on the way says 200 to anything
                raise _refused(self._queue, "no word that it was kept")
            return
        raise _refused(self._queue, "message too long")

    def delete(self, receipt_handles: Sequence[str]) -> None:
        """Delete messages that were posted. Raises QueueError for those that will come again."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 — with the client

        refusals: list[str] = []
        for start in range(0, len(receipt_handles), _BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle}
                for number, handle in enumerate(receipt_handles[start : start + _BATCH])
            ]
            try:
                answer = self._sqs.delete_message_batch(
                    QueueUrl=self._queue_url(),
                    Entries=entries,  # type: ignore[arg-type]
                )
            except ClientError as error:
                refusals.append(_code(error))
            except Exception as error:  # noqa: BLE001 — out of reach: the others fare no better
                raise _refused(self._queue, type(error).__name__) from None
            else:
                refusals += [failed["Code"] for failed in answer.get("Failed", [])]
        if refusals:
            raise _refused(self._queue, refusals[0])

    def _queue_url(self) -> str:
        if self._url is None:
            self._url = self._sqs.get_queue_url(QueueName=self._queue)["QueueUrl"]
        return self._url


def sqs_client(region: str) -> "SQSClient":
    """Make an SQS client that gives up before the function is killed."""
    client: SQSClient = aws_client("sqs", region)
    return client


def _code(error: "ClientError") -> str:
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def _refused(queue: str, why: str) -> QueueError:
    return QueueError(
        f"The undelivered queue {queue} did not take or give up an event ({why}). "
        "python -m ops doctor --stage <stage> shows what is wrong with it."
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
