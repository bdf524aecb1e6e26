"""What Lambda and EventBridge do around the app's functions, for `chalice local`."""

import io
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from chalice.app import Chalice, CloudWatchEventConfig
from chalice.local import LambdaContext
from moto.events.models import EventPattern

from playground.aws import account

if TYPE_CHECKING:
    from moto.events.utils import EventMessageType

MEMORY_MB: Final = 128
RUN_MS: Final = 60_000
_one_at_a_time: Final = threading.Lock()  # the environment is the whole process's


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """How a call of a function ended: what it returned, or what it raised, and how long it took."""

    returned: Any = None
    fault: Exception | None = None
    milliseconds: int = 0


def matches(app: Chalice, function: str, event: Mapping[str, Any]) -> bool:
    """Return whether the function's EventBridge rule matches an event."""
    message = cast("EventMessageType", event)
    return any(
        EventPattern(None, source.event_pattern).matches_event(message)
        for source in app.event_sources
        if isinstance(source, CloudWatchEventConfig) and source.name == function
    )


def scheduled() -> dict[str, Any]:
    """Return what a schedule sends ("Using a scheduled event", EventBridge User Guide)."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account.ACCOUNT_ID,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": account.REGION,
        "resources": [],
        "detail": {},
    }


def invoke(
    app: Chalice, function: str, event: Mapping[str, Any], settings: Mapping[str, str]
) -> Invocation:
    """Call a function as Lambda would, in the stage's environment with these settings changed."""
    context = LambdaContext(function, MEMORY_MB, RUN_MS)
    context.invoked_function_arn = account.function_arn(function)
    with _one_at_a_time, _environment(settings), _kept_log(function):
        started = time.perf_counter()
        try:
            returned, fault = app.handler_map[function](event, context), None
        except Exception as error:  # noqa: BLE001 — Lambda makes no difference either
            returned, fault = None, error
        milliseconds = round((time.perf_counter() - started) * 1000)
    return Invocation(returned=returned, fault=fault, milliseconds=milliseconds)


@contextmanager
def _kept_log(function: str) -> Iterator[None]:
    """Show what the function prints, and keep it where the stage has an account for it."""
    log = io.StringIO()
    with redirect_stdout(log):
        yield
    sys.stdout.write(log.getvalue())
    sys.stdout.flush()
    if account.is_embedded():
        account.keep_log(function, log.getvalue())


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        for name in settings:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]
