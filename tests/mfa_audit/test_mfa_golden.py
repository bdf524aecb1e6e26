"""The messages of MFA audits, whole, in every language: tests/golden/mfa-audit-*.json.

`make golden` rewrites them.
"""

import json
from datetime import UTC, datetime

import pytest

from chalicelib.mfa_audit.credential_report import CredentialReport
from chalicelib.mfa_audit.findings import MfaFindings
from chalicelib.mfa_audit.message import audit_message
from playground.aws.deployment import PROJECT
from playground.slack.rules import refusal
from tests.support.report_rows import ALICE, HEADER, ROOT, changed
from tests.support.stage import LANGUAGES, stage

GOLDEN = PROJECT / "tests" / "golden"
MADE_AT = datetime(2026, 6, 1, 9, 0, 12, tzinfo=UTC)
SAFE_ROOT = changed(ROOT, mfa_active="true")
SAFE = changed(ALICE, user="haruka.sato", mfa_active="true")
NEVER = changed(ALICE, user="minjun.kim", password_last_used="no_information")
UNKNOWN = changed(NEVER, user="old-hand", user_creation_time="2012-03-04T05:06:07+00:00")
OFTEN = changed(ALICE, user="bob.martin", password_last_used="2026-06-01T08:30:00+00:00")
KEYS_ONLY = changed(ALICE, user="build-server", password_enabled="false")

CASES = {
    "root": [ROOT, ALICE, OFTEN, NEVER, UNKNOWN, SAFE, KEYS_ONLY],
    "many": [SAFE_ROOT, *(changed(ALICE, user=f"user-{number:04}") for number in range(5_000))],
    "well": [SAFE_ROOT, SAFE, KEYS_ONLY],
    "nobody": [KEYS_ONLY],
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_an_audit_reads_as_its_golden_file(
    case: str, language: str, request: pytest.FixtureRequest
) -> None:
    settings = stage(MESSAGE_LANGUAGE=language, CRITICAL_MENTION="here")
    rows = "\n".join((HEADER, *CASES[case])).encode()
    findings = MfaFindings.of(CredentialReport.parse(rows, made_at=MADE_AT), "111122223333")
    payload = audit_message(findings, settings).payload
    written = json.dumps(payload, indent=2, ensure_ascii=False) + "\n"
    file = GOLDEN / f"mfa-audit-{case}.{language}.json"
    if request.config.getoption("--rewrite-golden", default=False):
        file.write_text(written, encoding="utf-8")
    assert written == file.read_text(encoding="utf-8")
    assert refusal(payload) is None
