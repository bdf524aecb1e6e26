"""Reads sign-ins out of CloudTrail's event history, as the events that EventBridge would bring.

The history keeps 90 days in every region, trail or no trail, and answers two requests a second
in each. Source: "LookupEvents" (AWS CloudTrail API Reference).
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_throttled
from chalicelib.signin.json_fields import object_in, parse_object

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient
    from mypy_boto3_cloudtrail.type_defs import EventTypeDef, LookupEventsResponseTypeDef

Event = dict[str, Any]

SOURCE: Final = "signin.amazonaws.com"
PAGE: Final = 50
PAUSE: Final = 0.55  # seconds between two requests: a little under two a second
PATIENCE: Final = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds to wait after each throttling in a row
_GRACE: Final = 1.0  # seconds for what arrives at the last moment
_SAMPLE_PAGES: Final = 3

_CONSOLE_SIGN_IN: Final = "AWS Console Sign In via CloudTrail"
_DETAIL_TYPES: Final = {
    "AwsConsoleAction": "AWS Console Action via CloudTrail",
    "AwsServiceEvent": "AWS Service Event via CloudTrail",
    "AwsApiCall": "AWS API Call via CloudTrail",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of time to read in one region, both ends included.

    With an `attribute` of LookupEvents it is a sample: the newest sign-ins that have it.
    """

    region: str
    start: datetime
    end: datetime
    attribute: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a region's history was not read to its end: the error, or None for want of time."""

    region: str
    error: Exception | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Up to 50 sign-ins of a window, newest first.

    The window has been read down to `reached`: on the last page that is its start, unless there
    is a `refusal`.
    """

    window: Window
    events: Sequence[Event]
    reached: datetime
    is_last: bool = False
    refusal: Refusal | None = None


class _OutOfTime(Exception):
    """Raised if no more time is left to read."""


def read(
    clients: Clients,
    windows: Sequence[Window],
    *,
    until: float | None = None,
    most: int | None = None,
) -> Generator[Page]:
    """Read all regions at once, the windows of each in turn; yield the pages as they come.

    Reading stops at `until`, a time of `time.monotonic`, or soon after `most` events. Raises
    nothing that AWS causes.
    """
    arrived: SimpleQueue[Page] = SimpleQueue()
    stop = Flag()
    given: list[int] = []
    by_region: dict[str, list[Window]] = {}
    for window in dict.fromkeys(windows):
        by_region.setdefault(window.region, []).append(window)

    def follow(windows: Sequence[Window]) -> None:
        for window in windows:
            for page in _pages(clients, window, _Clock(stop, until)):
                given.append(len(page.events))
                if most and sum(given) >= most:
                    stop.set()
                arrived.put(page)
            stop.wait(PAUSE * (window is not windows[-1]))

    for of_region in by_region.values():  # a call that hangs keeps no process alive
        Thread(target=follow, args=(of_region,), daemon=True).start()
    unfinished = {window: window.end for of_region in by_region.values() for window in of_region}
    try:
        while unfinished and (page := _next(arrived, until)):
            unfinished[page.window] = page.reached
            if page.is_last:
                del unfinished[page.window]
            yield page
    finally:
        stop.set()
    for window, reached in unfinished.items():
        refusal = Refusal(window.region, None)
        yield Page(window=window, events=(), reached=reached, is_last=True, refusal=refusal)


def _next(arrived: "SimpleQueue[Page]", until: float | None) -> Page | None:
    """Wait for a page; None if no more will come in time."""
    try:
        return arrived.get(timeout=until and max(until - time.monotonic(), 0) + _GRACE)
    except Empty:
        return None


class _Clock:
    """Waits, until there is no more time."""

    def __init__(self, stop: Flag, until: float | None) -> None:
        self._stop = stop
        self._until = until

    def wait(self, seconds: float) -> None:
        """Wait so long. Raises _OutOfTime if that, or the reader, is over before."""
        if self._until and time.monotonic() + seconds > self._until:
            raise _OutOfTime
        if self._stop.wait(seconds):
            raise _OutOfTime


def _pages(clients: Clients, window: Window, clock: _Clock) -> Iterator[Page]:
    refusal = None
    reached = window.end
    most = _SAMPLE_PAGES if window.attribute else None
    try:
        client: CloudTrailClient = clients("cloudtrail", window.region)
        for answer in islice(_answers(client, window, clock), most):
            events = [as_event(event) for event in answer["Events"]]
            if not answer.get("NextToken"):
                yield Page(window=window, events=events, reached=window.start, is_last=True)
                return
            if events:
                reached = answer["Events"][-1]["EventTime"].astimezone(UTC)
            yield Page(window=window, events=events, reached=reached)
    except _OutOfTime:
        refusal = Refusal(window.region, None)
    except Exception as error:  # noqa: BLE001 — a region of which nothing is known is reported
        refusal = Refusal(window.region, error)
    yield Page(window=window, events=(), reached=reached, is_last=True, refusal=refusal)


def _answers(
    client: "CloudTrailClient", window: Window, clock: _Clock
) -> "Iterator[LookupEventsResponseTypeDef]":
    key, value = window.attribute or ("EventSource", SOURCE)
    request: dict[str, Any] = {
        "LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}],
        "StartTime": window.start,
        "EndTime": window.end,
        "MaxResults": PAGE,
    }
    clock.wait(0)
    while True:
        answer = _patiently(client, request, clock)
        if window.attribute:  # other services have events of that name as well
            events = [event for event in answer["Events"] if event.get("EventSource") == SOURCE]
            answer = {**answer, "Events": events}
        yield answer
        request["NextToken"] = answer["NextToken"]  # of the last page nobody asks for the next
        clock.wait(PAUSE)


def _patiently(
    client: "CloudTrailClient", request: Mapping[str, Any], clock: _Clock
) -> "LookupEventsResponseTypeDef":
    """Ask again for as long as the region throttles, within reason."""
    for seconds in PATIENCE:
        try:
            return client.lookup_events(**request)
        except ClientError as error:
            if not is_throttled(error):
                raise
        clock.wait(seconds)
    return client.lookup_events(**request)


def as_event(looked_up: "EventTypeDef") -> Event:
    """Put a record of the history into the envelope in which EventBridge would bring it."""
    record = _record(looked_up)
    return {
        "version": "0",
        "id": record.get("eventID", ""),
        "detail-type": _DETAIL_TYPES.get(str(record.get("eventType")), _CONSOLE_SIGN_IN),
        "source": "aws.signin",
        "account": record.get("recipientAccountId")
        or object_in(record, "userIdentity").get("accountId")
        or "",
        "time": record.get("eventTime", ""),
        "region": record.get("awsRegion", ""),
        "resources": [],
        "detail": record,
    }


def _record(looked_up: "EventTypeDef") -> dict[str, Any]:
    """Read the record, and make up for what it lacks from what stands beside it."""
    record = parse_object(looked_up.get("CloudTrailEvent", "")) or {}
    at = looked_up.get("EventTime")
    record.setdefault("eventID", looked_up.get("EventId", ""))
    record.setdefault("eventName", looked_up.get("EventName", ""))
    record.setdefault("eventTime", at.astimezone(UTC).isoformat() if at else "")
    return record
