"""The MFA audit: who can sign in to the console without MFA, by IAM's credential report.

It covers the IAM users and root of one account. Whom IAM Identity Center lets in, and with which
factors, no report of IAM tells. What is found travels as a report of the notifier.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.mfa_audit.credential_report import PATIENCE, fetch, iam_client
from chalicelib.mfa_audit.findings import MfaFindings


def audit(schedule: Mapping[str, Any], seconds_left: float) -> dict[str, Any]:
    """Audit the account of a schedule's event; give the report to tell.

    Waits for IAM at most half of the seconds that the invocation has left. Raises AWSReadError.
    """
    report = fetch(iam_client(), patience=min(PATIENCE, seconds_left / 2))
    return MfaFindings.of(report, schedule.get("account")).to_event(schedule)
