"""What was decided of one event: a log line that carries its metrics.

The line is in the "embedded metric format" (Amazon CloudWatch User Guide): CloudWatch makes the
metrics out of the log, so that an alarm needs neither a call nor a right.
"""

from datetime import datetime, timedelta
from typing import Any, Final, Literal

from chalicelib.signin.model import SignIn
from chalicelib.signin.severity import AssessedSignIn

Verdict = Literal["posted", "ignored", "parked", "failed"]

NAMESPACE: Final = "SigninMonitor"
_LONGEST: Final = 256


def decision_line(
    verdict: Verdict,
    assessed: AssessedSignIn,
    reason: str | None,
    *,
    stage: str,
    now: datetime,
    **more: object,
) -> dict[str, Any]:
    """Write the line: the keys that operators and the self-check rely on, then the metric.

    It holds neither names nor addresses. `delay_ms` is from the sign-in to now.
    """
    sign_in = assessed.sign_in
    delay = delay_of(sign_in, now)
    metric = verdict.capitalize()
    return {
        "decision": verdict,
        "reason": reason,
        "event_id": _short(sign_in.event_id),
        "event_name": _short(sign_in.event_name),
        "account_id": _short(sign_in.account_id),
        "outcome": sign_in.outcome.value,
        "mfa": sign_in.mfa.value,
        "severity": assessed.severity.word,
        "reasons": [reason.value for reason in assessed.reasons],
        "familiar": assessed.is_familiar,
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


def delay_of(sign_in: SignIn, now: datetime) -> timedelta | None:
    """Return how long ago a sign-in happened, never negative; None where nobody knows."""
    if sign_in.event_time is None:
        return None
    return max(now - sign_in.event_time, timedelta(0))


def _short(text: str | None) -> str | None:
    return text and text[:_LONGEST]
