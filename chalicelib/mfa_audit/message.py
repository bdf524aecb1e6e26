"""The message of an MFA audit: one line where all is well, else a list of who has no MFA."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from chalicelib.messages.message import Message, build_message
from chalicelib.messages.payload import (
    clean,
    context,
    escape,
    fallback_text,
    format_local,
    header,
    mrkdwn,
    section,
)
from chalicelib.messages.report import Report
from chalicelib.messages.wording import Wording
from chalicelib.mfa_audit.credential_report import Person
from chalicelib.mfa_audit.findings import MfaFindings
from chalicelib.settings import Settings
from chalicelib.signin.model import Principal, PrincipalType

_LINES_PER_SECTION: Final = 5
_NAME_LIMIT: Final = 64  # IAM's own
_ACCOUNT_LIMIT: Final = 200


def audit_report(event: Mapping[str, Any]) -> Report:
    """Return the report that an audit's event is. Raises nothing."""
    findings = MfaFindings.from_event(event)
    return Report.from_event(event, findings.severity, partial(audit_message, findings))


def audit_message(findings: MfaFindings, settings: Settings) -> Message:
    """Build the message that tells of an audit, and what it covers."""
    wording = Wording(settings)
    finding = _finding(findings, wording)
    text = wording.phrases("mfa_audit.text", finding=finding)
    blocks = [section(mrkdwn(finding))]
    if findings.without_mfa:
        lines = _lines(findings, wording)
        blocks = [
            header(wording.phrases("header.mfa_audit")),
            section(mrkdwn("\n".join(_judgement(findings, finding, wording)))),
            *(
                section(mrkdwn("\n".join(lines[i : i + _LINES_PER_SECTION])))
                for i in range(0, len(lines), _LINES_PER_SECTION)
            ),
        ]
    blocks.append(context(_coverage(findings, wording)))
    return build_message(text, findings.severity, settings, blocks)


def _finding(findings: MfaFindings, wording: Wording) -> str:
    return wording.phrases(
        f"mfa_audit.{_kind(findings)}",
        account=fallback_text(wording.account(findings.account_id), _ACCOUNT_LIMIT),
        able=findings.able,
        without=findings.without_mfa,
    )


def _kind(findings: MfaFindings) -> str:
    if findings.root_without_mfa:
        return "root"
    if findings.without_mfa:
        return "users"
    return "well" if findings.able else "nobody"


def _judgement(findings: MfaFindings, finding: str, wording: Wording) -> list[str]:
    said = {
        "severity": wording.phrases(f"severity.{findings.severity.word}"),
        "reasons": wording.phrases(f"mfa_audit.reason.{_kind(findings)}"),
    }
    lines = [
        wording.phrases("line", label=wording.phrases(f"label.{label}"), value=value)
        for label, value in said.items()
    ]
    return [finding, *lines]


def _lines(findings: MfaFindings, wording: Wording) -> list[str]:
    lines = [_line(person, wording) for person in findings.named]
    more = findings.without_mfa - len(findings.named)
    if more > 0:
        lines.append(wording.phrases("mfa_audit.more", count=more))
    return lines


def _line(person: Person, wording: Wording) -> str:
    unknown = wording.phrases("value.unknown")
    never = wording.phrases("mfa_audit.never")
    return wording.phrases(
        "mfa_audit.line",
        who=escape(wording.who(_principal(person))),
        used=_day(person.last_used) or (never if person.never_used else unknown),
        since=_day(person.password_since) or unknown,
    )


def _principal(person: Person) -> Principal:
    if person.is_root:
        return Principal(type=PrincipalType.ROOT)
    return Principal(type=PrincipalType.IAM_USER, name=clean(person.name, _NAME_LIMIT))


def _day(time: datetime | None) -> str | None:
    return f"{time:%Y-%m-%d}" if time else None


def _coverage(findings: MfaFindings, wording: Wording) -> list[str]:
    made_at = findings.made_at
    return [
        text
        for text in (
            wording.phrases("mfa_audit.coverage"),
            not findings.root_listed and wording.phrases("mfa_audit.no_root"),
            made_at and wording.phrases("mfa_audit.made_at", time=format_local(made_at)),
        )
        if text
    ]
