"""What was decided of one event: a log line that carries its metrics.

The line is in the "embedded metric format" (Amazon CloudWatch User Guide): CloudWatch makes the
metrics out of the log, so that an alarm needs neither a call nor a right.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NotRequired, TypedDict, cast

from chalicelib import __version__
from chalicelib.errors import Act
from chalicelib.messages.report import Report
from chalicelib.signin.model import Mfa, Outcome, SignIn
from chalicelib.signin.severity import AssessedSignIn

Notification = AssessedSignIn | Report
Subject = SignIn | Report
Verdict = Literal["posted", "ignored", "parked", "failed"]

NAMESPACE: Final = "SigninMonitor"
# Reasons: a failed sign-in waits for its digest, and counts as nothing that went wrong.
DIGEST: Final = "digest"
NOT_AN_EVENT: Final = "not_an_event"
_LONGEST: Final = 256


class DecisionLine(TypedDict):
    """The line's schema, which operators' tools may rely on.

    `familiar` and `person` are None where no baseline was asked, `delay_ms` where AWS names no
    time. `record` is a digest of the sign-in, None of a report; `mac` shows that a function of
    this stage wrote the line, and is None while the webhook is not known. `act` and `message` say
    who must act and why, where something is wrong; `received` and `expected` describe what was no
    event, `possibly_posted` what may be in the channel all the same. The last keys carry the
    metric.
    """

    level: Literal["INFO", "WARNING", "ERROR"]
    decision: Verdict
    reason: str | None
    reasons: list[str]
    familiar: bool | None
    event_id: str | None
    event_name: str | None
    account_id: str | None
    outcome: str
    mfa: str
    severity: str
    person: str | None
    delay_ms: int | None
    request_id: str | None
    version: str
    record: str | None
    mac: str | None
    act: NotRequired[Act]
    message: NotRequired[str]
    possibly_posted: NotRequired[bool]
    received: NotRequired[dict[str, object]]
    expected: NotRequired[str]
    Stage: str
    Posted: NotRequired[Literal[1]]
    Ignored: NotRequired[Literal[1]]
    Parked: NotRequired[Literal[1]]
    Failed: NotRequired[Literal[1]]
    _aws: NotRequired[dict[str, object]]


def decision_line(
    verdict: Verdict,
    notification: Notification,
    reason: str | None,
    *,
    stage: str,
    now: datetime,
    person: str | None = None,
    request_id: str | None = None,
    key: bytes | None = None,
    **more: object,
) -> DecisionLine:
    """Write the line: the keys that operators and the self-check rely on, then the metric.

    It holds neither names nor addresses: `person` is a keyed hash. `delay_ms` is from the event to
    now. `key` authenticates the line.
    """
    subject = subject_of(notification)
    delay = delay_of(subject, now)
    line = {
        "level": _level(verdict, reason),
        "decision": verdict,
        "reason": reason,
        "event_id": _short(subject.event_id),
        "event_name": _short(subject.event_name),
        "account_id": _short(subject.account_id),
        **_assessment(notification),
        "person": person,
        "delay_ms": None if delay is None else delay // timedelta(milliseconds=1),
        "request_id": request_id,
        "version": __version__,
        "record": record_of(subject) if isinstance(subject, SignIn) else None,
        **more,
        "Stage": stage or "unset",
        **({} if reason == DIGEST else _metric(verdict.capitalize(), now)),
    }
    return cast("DecisionLine", authenticated(line, key))


def record_of(sign_in: SignIn) -> str:
    """Return a digest of what happened: a line about another event with the same id differs."""
    fields = (
        sign_in.event_id,
        sign_in.event_name,
        sign_in.event_time,
        sign_in.account_id,
        sign_in.application,
        sign_in.principal,
        sign_in.outcome,
        sign_in.mfa,
        sign_in.source_ip,
        sign_in.vpc_endpoint,
        sign_in.oauth_client,
        sign_in.switched_from,
        sign_in.switched_to,
    )
    return hashlib.sha256(repr(fields).encode()).hexdigest()


def authenticated(line: Mapping[str, Any], key: bytes | None) -> dict[str, Any]:
    """Return a log line with the MAC of its content; with None where there is no key."""
    return {**line, "mac": _mac(line, key) if key else None}


def is_authentic(line: Mapping[str, Any], key: bytes | None) -> bool:
    """Return whether whoever holds the key wrote a log line."""
    mac = line.get("mac")
    if not key or not isinstance(mac, str):
        return False
    return hmac.compare_digest(_mac(line, key).encode(), mac.encode(errors="replace"))


def _mac(line: Mapping[str, Any], key: bytes) -> str:
    content = {name: value for name, value in line.items() if name != "mac"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _level(verdict: Verdict, reason: str | None) -> str:
    """Return a level that a filter on it finds what is wrong by."""
    if verdict == "failed":
        return "ERROR"
    is_wrong = reason == NOT_AN_EVENT or (verdict == "parked" and reason != DIGEST)
    return "WARNING" if is_wrong else "INFO"


def _metric(name: str, now: datetime) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": "Count"}]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Stage"]], "Metrics": metrics}
    return {
        name: 1,
        "_aws": {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]},
    }


def _assessment(notification: Notification) -> dict[str, Any]:
    if isinstance(notification, Report):
        return {
            "outcome": Outcome.UNKNOWN.value,
            "mfa": Mfa.UNKNOWN.value,
            "severity": notification.severity.word,
            "reasons": [],
            "familiar": None,
        }
    return {
        "outcome": notification.sign_in.outcome.value,
        "mfa": notification.sign_in.mfa.value,
        "severity": notification.severity.word,
        "reasons": [reason.value for reason in notification.reasons],
        "familiar": notification.is_familiar,
    }


def subject_of(notification: Notification) -> Subject:
    """Return what a notification is about: the sign-in, however it is assessed, or the report."""
    return notification if isinstance(notification, Report) else notification.sign_in


def delay_of(subject: Subject, now: datetime) -> timedelta | None:
    """Return how long ago it happened, never negative; None where nobody knows."""
    if subject.event_time is None:
        return None
    return max(now - subject.event_time, timedelta(0))


def _short(text: str | None) -> str | None:
    return text and text[:_LONGEST]
