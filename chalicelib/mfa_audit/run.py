"""The MFA audit: who can sign in to the console without MFA, by IAM's credential report.

It covers the IAM users and root of one account. No report of IAM says whom IAM Identity Center lets
in, or with which factors.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.decision import DecisionLine
from chalicelib.mfa_audit.credential_report import PATIENCE, fetch, iam_client
from chalicelib.mfa_audit.findings import MfaFindings
from chalicelib.mfa_audit.message import audit_report
from chalicelib.notifier import Notifier
from chalicelib.timeout import Deadline


def audit(notifier: Notifier, schedule: Mapping[str, Any], seconds_left: float) -> DecisionLine:
    """Audit the account of a schedule's event and post what is found; return the decision.

    Waits for IAM at most half of the seconds that the invocation has left. Raises AWSReadError,
    and what `Notifier.notify_report` raises.
    """
    end = Deadline(seconds_left)
    report = fetch(iam_client(), patience=min(PATIENCE, seconds_left / 2))
    event = MfaFindings.of(report, schedule.get("account")).to_event(schedule)
    return notifier.notify_report(audit_report(event), event, end.seconds_left)
