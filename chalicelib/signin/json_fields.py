"""Reads untrusted JSON: an object that is none, or a field of the wrong type, is None or empty."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

Json = Mapping[str, Any]

LONGEST_TEXT: Final = 4_096


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object that a text is; None for any other text."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def object_in(mapping: Json, key: str) -> Json:
    """Return the object under a key; an empty object if there is none."""
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}


def text_in(mapping: Json, key: str) -> str | None:
    """Return the text under a key, cut and without space around it; None if it is empty."""
    value = mapping.get(key)
    return value[:LONGEST_TEXT].strip() or None if isinstance(value, str) else None


def time_in(mapping: Json, key: str) -> datetime | None:
    """Return the time under a key, in UTC; None for any other text."""
    return parse_time(text_in(mapping, key) or "")


def parse_time(text: str) -> datetime | None:
    """Return a time in UTC, which is also the zone of a time that names none; else None."""
    try:
        time = datetime.fromisoformat(text.strip())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
