"""Takes out of an event the credentials that some events carry."""

import re
import sys
from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import Any, Final

from chalicelib.signin.model import Outcome

_DEEPEST: Final = 40
# Names of what lets somebody in, without case and punctuation: whole, or their end.
_CREDENTIALS: Final = frozenset(
    {"authcode", "authorizationcode", "code", "devicecode", "samlresponse", "secretaccesskey"}
)
_CREDENTIAL_ENDINGS: Final = (
    "assertion",
    "credentials",
    "password",
    "secret",
    "token",
    "verifier",
)
_QUERY_ITEM: Final = re.compile(r"(?<=[?&#;])([\w.-]+)=([^&#;]*)")


def redact(value: Any, *, most: int = sys.maxsize) -> Any:  # noqa: ANN401 — any JSON
    """Return a copy of an event without the credentials that some events carry.

    Nesting deeper than any real record is cut, so that the copy can always be written as JSON.
    The copy holds the first so many values at most.
    """
    return _redact(value, 0, repeat(None, most))


def _redact(value: Any, depth: int, left: Iterator[None]) -> Any:  # noqa: ANN401 — any JSON
    if depth > _DEEPEST:
        return "[too deep]"
    if isinstance(value, str):  # most are
        return _QUERY_ITEM.sub(_redact_item, value) if "=" in value else value
    if isinstance(value, Mapping):
        return {
            key: "[redacted]"
            if _is_credential(str(key), inner)
            else _redact(inner, depth + 1, left)
            for (key, inner), _ in zip(value.items(), left, strict=False)
        }
    if isinstance(value, list):
        return [_redact(inner, depth + 1, left) for inner, _ in zip(value, left, strict=False)]
    return value


def _redact_item(item: re.Match[str]) -> str:
    return f"{item[1]}=[redacted]" if _is_credential(item[1], item[2]) else item[0]


def _is_credential(key: str, value: object) -> bool:
    """Decide by the name; what AWS writes as an outcome under an event's name is none."""
    name = key.replace("_", "").replace("-", "").lower()
    is_named_so = name in _CREDENTIALS or name.endswith(_CREDENTIAL_ENDINGS)
    return is_named_so and Outcome.from_word(value) is None
