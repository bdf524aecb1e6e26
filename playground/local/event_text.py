"""The event as a person edits it: JSON text, read with faults that say where."""

import json
from typing import Any, Final, NoReturn

# What EventBridge promises of every event ("Events in Amazon EventBridge").
ENVELOPE: Final = (
    "version",
    "id",
    "detail-type",
    "source",
    "account",
    "time",
    "region",
    "resources",
    "detail",
)


class EventTextError(ValueError):
    """Raised if a text is no event; `line` and `column`, counted from 1, say where."""

    def __init__(self, sentence: str, line: int = 1, column: int = 1) -> None:
        self.line = line
        self.column = column
        super().__init__(sentence)


def read_event(text: str) -> dict[str, Any]:
    """Read an EventBridge event.

    Raises EventTextError.
    """
    try:
        event = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as fault:
        raise EventTextError(
            f"Line {fault.lineno}, column {fault.colno}: {fault.msg.lower()}.",
            fault.lineno,
            fault.colno,
        ) from None
    except RecursionError:
        raise EventTextError("The JSON is nested too deeply.") from None
    if not isinstance(event, dict):
        raise EventTextError("An event is a JSON object: { … }.")
    if missing := [key for key in ENVELOPE if key not in event]:
        raise EventTextError(
            f"EventBridge's envelope lacks {', '.join(missing)}: every event has all nine keys."
        )
    return event


def _no_constant(word: str) -> NoReturn:
    raise EventTextError(f"{word} is not JSON.")
