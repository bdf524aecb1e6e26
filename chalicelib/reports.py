"""Which report an event of the undelivered queue is, if it is a report.

A report is an event in EventBridge's shape with a detail-type of its own; its `detail` holds the
findings, an `eventName`, an `eventID` and an `eventTime`. Nothing in it is trusted.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.messages.report import Report


def report_in(event: Mapping[str, Any]) -> Report | None:
    """Return the report that an event is; None for a sign-in. Raises nothing."""
    # Imported when a report is posted: what waits in the queue is hardly ever a report.
    match event.get("detail-type"):
        case "signin-monitor MFA audit":
            from chalicelib.mfa_audit.message import audit_report  # noqa: PLC0415

            return audit_report(event)
        case "signin-monitor self-check":
            from chalicelib.self_check.message import findings_report  # noqa: PLC0415

            return findings_report(event)
    return None
