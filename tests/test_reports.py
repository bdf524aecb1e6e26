"""Reports of our own among the sign-ins."""

import subprocess
import sys

import pytest

from chalicelib.reports import report_in
from chalicelib.signin.severity import Severity
from tests.support.records import event


@pytest.mark.parametrize("kind", [None, 5, [], "MFA audit", ""])
def test_an_event_of_another_kind_is_no_report(kind: object) -> None:
    assert report_in(event("root-with-mfa") | {"detail-type": kind}) is None


def test_an_mfa_audit_is_a_report_that_says_how_much_it_matters() -> None:
    report = report_in({"detail-type": "signin-monitor MFA audit", "detail": {"without_mfa": 1}})
    assert report
    assert report.severity is Severity.WARNING


def test_a_sign_in_does_not_pay_for_the_modules_of_reports() -> None:
    script = (
        "import sys, app; print([m for m in sys.modules if 'mfa_audit' in m or 'self_check' in m])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
