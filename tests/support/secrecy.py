"""Looks for the webhook's path wherever it may show."""

import base64
import gc
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from requests import Session

from chalicelib.errors import SigninMonitorError
from tests.support.webhook import SECRET_PATH

_SECRET = SECRET_PATH.rpartition("/")[2]


class Said:
    """What was printed and noted so far, for the path to be looked for in it."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.texts: list[str] = []

    def printed(self) -> str:
        """Return what was printed since the last call."""
        out, err = self._capfd.readouterr()
        self.note(out, err)
        return out

    def note(self, *texts: str) -> None:
        """Keep what was said in another way."""
        self.texts += texts


@contextmanager
def kept_secret(capfd: pytest.CaptureFixture[str]) -> Iterator[Said]:
    """Set every logger to DEBUG; at the end fail if anything printed, logged or noted the path."""
    said = Said(capfd)
    with everything_logged() as logged:
        yield said
    said.printed()
    for text in (*said.texts, *logged):
        assert not shows_secret(text), text


def shows_secret(text: str) -> bool:
    """Return whether a text holds the path's secret part, plain or in base64 at any alignment."""
    return any(needle in text for needle in _needles())


def _needles() -> Iterator[str]:
    yield _SECRET
    for offset in range(3):
        padded = bytes(offset) + _SECRET.encode()
        whole = padded[: len(padded) // 3 * 3]
        # The first four letters mix with what stands before, the last ones with what follows.
        yield base64.b64encode(whole).decode()[4 if offset else 0 :]


def raised_by(call: Callable[[], object]) -> BaseException:
    """Return the error of a call that fails, its traceback begun below this test."""
    with pytest.raises(SigninMonitorError) as raised:
        call()
    assert raised.tb.tb_next
    return raised.value.with_traceback(raised.tb.tb_next)


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Set every logger to DEBUG, and give what they write, tracebacks included."""
    lines: list[str] = []
    listener = _Listener(lines)
    loggers = [logging.getLogger(name) for name in ("", *logging.root.manager.loggerDict)]
    levels = {logger: logger.level for logger in loggers}
    deaf = [logger for logger in loggers if not logger.propagate or logger is logging.root]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    for logger in deaf:
        logger.addHandler(listener)
    try:
        yield lines
    finally:
        for logger in deaf:
            logger.removeHandler(listener)
        for logger, level in levels.items():
            logger.setLevel(level)


class _Listener(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))
        self._lines.append(repr(record.args))


def everything_said_by(error: BaseException) -> str:
    """Return an error as anything may write it: text, attributes, chain, traceback, variables."""
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is not None and cause not in seen:
            seen.append(cause)
            waiting += [cause.__cause__, cause.__context__]
    said = [f"{cause!s} {cause!r} {cause.args} {vars(cause)}" for cause in seen]
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([*said, *traceback.format_exception(error), *shown.format()])


def every_repr() -> str:
    """Return the `repr` of every object of the app's own classes, and of requests' sessions."""
    ours = [
        value
        for value in gc.get_objects()
        if str(type(value).__module__).startswith("chalicelib.") or type(value) is Session
    ]
    return "\n".join(repr(value) for value in ours)
