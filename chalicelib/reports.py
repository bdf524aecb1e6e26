"""What is posted besides sign-ins: reports of our own, which travel, wait and arrive as they do.

A report is an event in EventBridge's shape with a detail-type of its own; its `detail` holds the
findings, an `eventName`, an `eventID` and an `eventTime`. Nothing in it is trusted: a report may
come back out of the undelivered queue.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from chalicelib.messages.message import Message
from chalicelib.settings import Settings
from chalicelib.signin.severity import Severity


@dataclass(frozen=True, slots=True)
class Report:
    """How much a report matters, and how its message is built by a stage's settings."""

    severity: Severity
    message: Callable[[Settings], Message]


def report_in(event: Mapping[str, Any]) -> Report | None:
    """Return the report that an event is; None for a sign-in."""
    # Imported when a report is posted: a sign-in must not pay for them.
    match event.get("detail-type"):
        case "signin-monitor MFA audit":
            from chalicelib.mfa_audit.findings import MfaFindings  # noqa: PLC0415
            from chalicelib.mfa_audit.message import audit_message  # noqa: PLC0415

            audit = MfaFindings.from_event(event)
            return Report(audit.severity, partial(audit_message, audit))
        case "signin-monitor self-check":
            from chalicelib.self_check.findings import Findings  # noqa: PLC0415
            from chalicelib.self_check.message import findings_message  # noqa: PLC0415

            check = Findings.from_event(event)
            return Report(check.severity, partial(findings_message, check))
    return None
