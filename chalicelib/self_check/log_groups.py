"""Reads the functions' log groups: lines of JSON, the newest span first.

Whoever may write to CloudWatch's logs can write lines of any content, and any number, into any
group. What there is no time for is the oldest.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_missing, is_throttled
from chalicelib.health.deployment import Deployment

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import (
        FilteredLogEventTypeDef,
        FilterLogEventsRequestTypeDef,
        FilterLogEventsResponseTypeDef,
    )

# The newest span to read; each earlier span is twice as long.
_NEWEST: Final = timedelta(hours=1)
_FUTURE: Final = timedelta(days=1)
_PAUSE: Final = 1.0  # seconds, after a throttling
_SKEW: Final = timedelta(minutes=1)  # of Lambda's clocks
_EPOCH: Final = datetime.fromtimestamp(0, UTC)

# As Lambda names them ("How CloudWatch structures logs", AWS Lambda Operator Guide).
_STREAM: Final = re.compile(r"\d{4}/\d{2}/\d{2}/.*\[[^\]]+\][0-9a-f]{32}")


class LogLine(NamedTuple):
    """A line of a function's log.

    `written` is when its writer says, `taken_in` when CloudWatch got it, which nobody can choose.
    `is_of_lambda` if it is in a stream that is named as Lambda names them.
    """

    content: Mapping[str, Any]
    written: datetime
    taken_in: datetime
    is_of_lambda: bool

    @property
    def is_of_somebody_else(self) -> bool:
        """Whether Lambda cannot have written it: in that stream, or at that time."""
        return not self.is_of_lambda or self.written > self.taken_in + _SKEW


class LogGroups:
    """The log groups of one stage."""

    def __init__(self, deployment: Deployment, clients: Clients, now: datetime) -> None:
        self._deployment = deployment
        self._client: CloudWatchLogsClient = clients("logs", deployment.region)
        self._now = now

    def made_at(self) -> datetime | None:
        """Return when on_sign_in's log group was made: Chalice makes it with the function."""
        name = self._deployment.log_group("on_sign_in")
        try:
            groups = self._client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        except (ClientError, BotoCoreError):
            return None
        found = (group["creationTime"] for group in groups if group["logGroupName"] == name)
        return next(map(_time, found), None)

    def spans(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans from then until now, the newest first, which takes in the future too."""
        start, end, width = self._now - _NEWEST, self._now + _FUTURE, _NEWEST
        while start > since:
            yield start, end
            width *= 2
            start, end = start - width, start
        yield since, end

    def lines(
        self, handler: str, pattern: str, span: tuple[datetime, datetime], until: float
    ) -> Iterator[LogLine]:
        """Yield the JSON lines of a span of a function's log, oldest first.

        `until` is a time of `time.monotonic`. Raises TimeoutError, and what boto3 raises.
        """
        start, end = span
        request: FilterLogEventsRequestTypeDef = {
            "logGroupName": self._deployment.log_group(handler),
            "filterPattern": pattern,
            "startTime": _milliseconds(start),
            "endTime": _milliseconds(end) - 1,
        }
        try:
            while True:
                page = self._page(request, until)
                yield from filter(None, map(_line, page["events"]))
                if not (token := page.get("nextToken")):
                    return
                if time.monotonic() > until:
                    raise TimeoutError
                request["nextToken"] = token
        except ClientError as error:
            if not is_missing(error):
                raise  # else the function is not deployed, or has never run

    def _page(
        self, request: "FilterLogEventsRequestTypeDef", until: float
    ) -> "FilterLogEventsResponseTypeDef":
        """Ask again for as long as AWS throttles: it answers a few requests a second."""
        while True:
            try:
                return self._client.filter_log_events(**request)
            except ClientError as error:
                if not is_throttled(error) or time.monotonic() + _PAUSE > until:
                    raise
            time.sleep(_PAUSE)


def _line(event: "FilteredLogEventTypeDef") -> LogLine | None:
    """Return a line that holds a JSON object; None of any other."""
    try:
        content = json.loads(event["message"])
    except (RecursionError, ValueError):
        return None
    if not isinstance(content, dict):
        return None
    return LogLine(
        content,
        written=_time(event["timestamp"]),
        taken_in=_time(event["ingestionTime"]),
        is_of_lambda=bool(_STREAM.fullmatch(event.get("logStreamName", ""))),
    )


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _time(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)
