"""One value of a JSON text, replaced without touching a character of the rest."""

import json
from collections.abc import Sequence
from functools import reduce
from typing import Final, NamedTuple

_SPACE: Final = " \t\r\n"
_DECODER: Final = json.JSONDecoder()


class _Member(NamedTuple):
    """Where a member of an object stands: its key's and its value's offsets."""

    key: int
    value: int
    end: int


def with_value(text: str, path: Sequence[str], value: object) -> str:
    """Put `value` at a path of keys, making the objects that are missing on the way.

    `text` must be a JSON object.
    """
    start = _skip(text, 0)
    for depth, key in enumerate(path):
        if text[start] != "{":
            return _replaced(text, start, _nested(path[depth:], value))
        members = _members(text, start)
        if key not in members:
            rest = _nested(path[depth + 1 :], value)
            return _inserted(text, start, list(members.values()), key, rest)
        start = members[key].value
    return _replaced(text, start, value)


def _nested(path: Sequence[str], value: object) -> object:
    return reduce(lambda inner, key: {key: inner}, reversed(path), value)


def _replaced(text: str, start: int, value: object) -> str:
    end = _DECODER.raw_decode(text, start)[1]
    return text[:start] + _written(text, value, _margin(text, start)) + text[end:]


def _inserted(text: str, start: int, members: list[_Member], key: str, value: object) -> str:
    if members:
        last = members[-1]
        before = text[: last.key]
        gap, margin, at = before[len(before.rstrip(_SPACE)) :], _margin(text, last.key), last.end
        return f"{text[:at]},{gap}{json.dumps(key)}: {_written(text, value, margin)}{text[at:]}"
    outer = _margin(text, start)
    margin, end = outer + _unit(text), _DECODER.raw_decode(text, start)[1]
    written = f"{json.dumps(key)}: {_written(text, value, margin)}"
    member = f"{_newline(text)}{margin}{written}{_newline(text)}{outer}"
    return f"{text[:start]}{{{member}}}{text[end:]}"


def _members(text: str, start: int) -> dict[str, _Member]:
    """Find the members of the object that begins at an offset."""
    found: dict[str, _Member] = {}
    at = _skip(text, start + 1)
    while text[at] != "}":
        key, after = _DECODER.raw_decode(text, at)
        value = _skip(text, _skip(text, after) + 1)  # past the colon
        end = _DECODER.raw_decode(text, value)[1]
        found[key] = _Member(at, value, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _margin(text: str, at: int) -> str:
    """Return the white space that the line of an offset begins with."""
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(_SPACE))]


def _unit(text: str) -> str:
    """Return one step of indentation, as the text's first member has it."""
    first = _skip(text, _skip(text, 0) + 1)
    return _margin(text, first) or "  "


def _written(text: str, value: object, margin: str) -> str:
    return json.dumps(value, indent=_unit(text)).replace("\n", f"{_newline(text)}{margin}")


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
