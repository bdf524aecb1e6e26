"""Writes the log: one JSON object a line, on standard output, as CloudWatch reads it."""

import json
import logging
import traceback


def write(**fields: object) -> None:
    """Write one line. Text that is not JSON's own is written as its `str`."""
    print(json.dumps(fields, default=str), flush=True)  # noqa: T201 — this is the log


def write_failure(message: str, error: BaseException) -> None:
    """Write an error that stopped nothing: its class and where it happened, never its text.

    The text of an error that is not ours may quote the event or the webhook.
    """
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    write(level="ERROR", message=message, error=type(error).__name__, where=where)


def mute_logger(name: str, *, up_to: int) -> None:
    """Keep a library's logger from writing, up to a level, at whatever level somebody sets it."""
    logging.getLogger(name).addFilter(lambda record: record.levelno > up_to)
