"""CloudTrail's event history, which moto lacks: `LookupEvents`, added to moto's own CloudTrail.

As at AWS, each region keeps the sign-ins of its own for 90 days, returns them newest first in pages
of at most 50, and throttles whoever asks more than twice a second by `clock`. Import this module
before the embedded AWS starts. `remember` keeps a sign-in, from any process.
Source: "LookupEvents" (AWS CloudTrail API Reference).
"""

import json
import time
import urllib.request
import uuid
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import JsonRESTError

PAGE: Final = 50
RATE: Final = 2  # requests a second, for each region
clock = time.monotonic  # a test may set a quicker clock
_REMEMBER: Final = "SigninMonitorRemember"
_REFUSE: Final = "SigninMonitorRefuse"


def remember(url: str, *events: Mapping[str, Any], region: str | None = None) -> None:
    """Keep the CloudTrail records of EventBridge events of one region in its history."""
    records = [event["detail"] for event in events]
    _call(url, region or records[0]["awsRegion"], _REMEMBER, records)


def refuse(url: str, region: str, error: str | None) -> None:
    """Let a region answer each look-up with that error from now on; with None, answer again."""
    _call(url, region, _REFUSE, {"error": error})


def _call(url: str, region: str, action: str, body: object) -> None:
    scope = f"testing/20260101/{region}/cloudtrail/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"CloudTrail_20131101.{action}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    }
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 — ours
    urllib.request.urlopen(request).close()  # noqa: S310 — likewise


class _History:
    """What one region keeps."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.error: str | None = None
        self.asked: deque[float] = deque(maxlen=RATE)
        self.tokens: dict[str, tuple[int, Mapping[str, Any]]] = {}

    def throttles(self) -> bool:
        now = clock()
        if len(self.asked) == RATE and now - self.asked[0] < 1:
            return True
        self.asked.append(now)
        return False

    def page(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        parameters = {key: value for key, value in asked.items() if key != "NextToken"}
        size = asked.get("MaxResults", PAGE)
        if not 1 <= size <= PAGE:
            raise JsonRESTError("InvalidMaxResultsException", f"MaxResults is 1 to {PAGE}")
        first, before = self.tokens.get(asked.get("NextToken", ""), (0, {}))
        if "NextToken" in asked and before != parameters:
            raise JsonRESTError("InvalidNextTokenException", "The token is not of this look-up")
        found = self._found(asked)
        answer: dict[str, Any] = {"Events": found[first : first + size]}
        if first + size < len(found):
            answer["NextToken"] = str(uuid.uuid4())
            self.tokens[answer["NextToken"]] = (first + size, parameters)
        return answer

    def _found(self, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        start, end = asked.get("StartTime", 0), asked.get("EndTime", float("inf"))
        wanted = {
            attribute["AttributeKey"]: attribute["AttributeValue"]
            for attribute in asked.get("LookupAttributes", ())
        }
        return sorted(
            (
                event
                for event in map(_as_looked_up, self.records)
                if start <= event["EventTime"] <= end
                and all(event.get(key) == value for key, value in wanted.items())
            ),
            key=lambda event: float(event["EventTime"]),
            reverse=True,
        )


def _as_looked_up(record: Mapping[str, Any]) -> dict[str, Any]:
    time_of_it = datetime.fromisoformat(record["eventTime"]).replace(tzinfo=UTC)
    identity = record["userIdentity"]
    is_root = identity.get("type") == "Root"
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "EventSource": record["eventSource"],
        "EventTime": time_of_it.timestamp(),
        "ReadOnly": str(record.get("readOnly", False)).lower(),
        "Username": "root" if is_root else identity.get("userName", ""),
        "Resources": [],
        "CloudTrailEvent": json.dumps(record),
    }


def _history(response: CloudTrailResponse) -> _History:
    """Find a region's history, which lives and is reset with moto's own state of the region."""
    history: _History = vars(response.cloudtrail_backend).setdefault("history", _History())
    return history


def _remember(response: CloudTrailResponse) -> str:
    _history(response).records += json.loads(response.body)
    return "{}"


def _refuse(response: CloudTrailResponse) -> str:
    _history(response).error = json.loads(response.body)["error"]
    return "{}"


def _look_up(response: CloudTrailResponse) -> str:
    history = _history(response)
    if history.error:
        raise JsonRESTError(history.error, "refused by the stand-in")
    if history.throttles():
        raise JsonRESTError("ThrottlingException", "Rate exceeded")
    return json.dumps(history.page(json.loads(response.body)))


_ACTIONS: Final = {
    "lookup_events": _look_up,
    "signin_monitor_remember": _remember,
    "signin_monitor_refuse": _refuse,
}
for _name, _action in _ACTIONS.items():
    setattr(CloudTrailResponse, _name, _action)  # where moto looks for an API's actions
