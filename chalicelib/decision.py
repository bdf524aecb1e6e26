"""What was decided of one event: a log line that carries its metrics.

The line is in the "embedded metric format" (Amazon CloudWatch User Guide): CloudWatch makes the
metrics out of the log, so that an alarm needs neither a call nor a right.
"""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

from chalicelib.messages.report import Report
from chalicelib.signin.model import Mfa, Outcome, SignIn
from chalicelib.signin.severity import AssessedSignIn

Notification = AssessedSignIn | Report
Subject = SignIn | Report
Verdict = Literal["posted", "ignored", "parked", "failed"]

NAMESPACE: Final = "SigninMonitor"
_LONGEST: Final = 256


def decision_line(
    verdict: Verdict,
    notification: Notification,
    reason: str | None,
    *,
    stage: str,
    now: datetime,
    person: str | None = None,
    **more: object,
) -> dict[str, Any]:
    """Write the line: the keys that operators and the self-check rely on, then the metric.

    It holds neither names nor addresses: `person` is a keyed hash. `delay_ms` is from the event to
    now.
    """
    subject = subject_of(notification)
    delay = delay_of(subject, now)
    metric = verdict.capitalize()
    return {
        "decision": verdict,
        "reason": reason,
        "event_id": _short(subject.event_id),
        "event_name": _short(subject.event_name),
        "account_id": _short(subject.account_id),
        **_assessment(notification),
        "person": person,
        "delay_ms": None if delay is None else delay // timedelta(milliseconds=1),
        **more,
        "Stage": stage or "unset",
        metric: 1,
        "_aws": {
            "Timestamp": int(now.timestamp() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["Stage"]],
                    "Metrics": [{"Name": metric, "Unit": "Count"}],
                }
            ],
        },
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
