"""What a function is handed: EventBridge's event as a rule, but people try others.

A test in the Lambda console may hold a bare CloudTrail record, and a rule may lead through SNS or
SQS, which wrap what they bring in JSON of their own.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from chalicelib.signin.json_fields import Json, object_in

EXPECTED: Final = (
    "an event of EventBridge as a rule delivers it, a CloudTrail record, or either of them in a "
    "message of SNS or SQS"
)
_MOST_KEYS: Final = 20
_LONGEST_KEY: Final = 64
_TYPES: Final = {type(None): "null", bool: "boolean", str: "string", list: "array"}


def unwrapped(received: object) -> Iterator[object]:
    """Return what the messages of an SNS or SQS wrapper hold; anything else as it is."""
    contents = list(_contents(received))
    if not contents:
        yield received
    for content in contents:
        try:
            inner = json.loads(content)
        except (ValueError, RecursionError):
            inner = content
        yield from unwrapped(inner)


def event_in(received: object) -> Json | None:
    """Return the event that something is, a CloudTrail record as an event; else None."""
    if not isinstance(received, Mapping):
        return None
    if "detail" in received or "detail-type" in received:
        return received
    is_record = "eventName" in received and "userIdentity" in received
    return {"detail": received} if is_record else None


def description(received: object) -> dict[str, object]:
    """Describe what is no event by its type and its keys, without any value."""
    if isinstance(received, Mapping):
        keys = [str(key)[:_LONGEST_KEY] for key in list(received)[:_MOST_KEYS]]
        return {"type": "object", "keys": keys}
    return {"type": _TYPES.get(type(received), "number")}


def _contents(received: object) -> Iterator[str]:
    if not isinstance(received, Mapping):
        return
    records = received.get("Records")
    for record in records if isinstance(records, list) else [{"Sns": received}]:
        if isinstance(record, Mapping):
            for text in (object_in(record, "Sns").get("Message"), record.get("body")):
                if isinstance(text, str):
                    yield text
