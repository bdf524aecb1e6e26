"""The sign-ins of playground/events, to read and to change."""

import copy
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from playground.catalogue import NAMES, read

EVENTS = sorted(NAMES)
event = read


def changed(event: dict[str, Any], *path: str, to: object) -> dict[str, Any]:
    """Return a copy with the field at `path` changed, for example "detail", "eventName"."""
    copied = copy.deepcopy(event)
    place = copied
    for key in path[:-1]:
        place = place.setdefault(key, {})
    place[path[-1]] = to
    return copied


def happened(event: dict[str, Any], at: datetime, **more: object) -> dict[str, Any]:
    """Return a copy that happened then, with more fields of its record changed."""
    fields = {"eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"), **more}
    return copy.deepcopy({**event, "detail": event["detail"] | fields})


def without(event: dict[str, Any], *path: str) -> dict[str, Any]:
    """Return a copy without the field at `path`."""
    copied = copy.deepcopy(event)
    place = copied
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return copied


def paths(value: object, *above: str) -> Iterator[tuple[str, ...]]:
    """List the path of every field."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*above, key)
            yield from paths(inner, *above, key)
