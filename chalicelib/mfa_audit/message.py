"""The message of an MFA audit: one line where all is well, else a list of who has no MFA."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from chalicelib.messages.message import Message, build_message
from chalicelib.messages.payload import context, format_local, header, mrkdwn, section, sections
from chalicelib.messages.report import Report
from chalicelib.messages.wording import Wording
from chalicelib.mfa_audit.credential_report import Person
from chalicelib.mfa_audit.findings import MfaFindings
from chalicelib.settings import Settings
from chalicelib.signin.model import Principal, PrincipalType


def audit_report(event: Mapping[str, Any]) -> Report:
    """Return the report that an audit's event is. Raises nothing."""
    findings = MfaFindings.from_event(event)
    return Report.from_event(event, findings.severity, partial(audit_message, findings))


def audit_message(findings: MfaFindings, settings: Settings) -> Message:
    """Build the message of an audit, and of what it covers."""
    wording = Wording(settings)
    blocks = []
    if findings.without_mfa:
        reason = wording.phrases(f"mfa_audit.reason.{_kind(findings)}")
        blocks = [
            header(wording.phrases("title.mfa_audit")),
            section(mrkdwn(wording.field("reasons", reason))),
            *sections(_lines(findings, wording)),
        ]
    blocks.append(context(list(_coverage(findings, wording))))
    return build_message(_finding(findings, wording), findings.severity, settings, blocks)


def _finding(findings: MfaFindings, wording: Wording) -> str:
    kind = _kind(findings)
    counted = findings.able if kind == "well" else findings.without_mfa
    key = f"mfa_audit.{kind}.one" if counted == 1 else f"mfa_audit.{kind}"
    return wording.phrases(
        key,
        account=wording.account(findings.account_id),
        able=findings.able,
        without=findings.without_mfa,
    )


def _kind(findings: MfaFindings) -> str:
    if findings.root_without_mfa:
        return "root"
    if findings.without_mfa:
        return "users"
    return "well" if findings.able else "nobody"


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
        who=wording.who(_principal(person)),
        used=_day(person.last_used) or (never if person.never_used else unknown),
        since=_day(person.password_since) or unknown,
    )


def _principal(person: Person) -> Principal:
    if person.is_root:
        return Principal(type=PrincipalType.ROOT)
    return Principal(type=PrincipalType.IAM_USER, name=person.name)


def _day(time: datetime | None) -> str | None:
    return f"{time:%Y-%m-%d}" if time else None


def _coverage(findings: MfaFindings, wording: Wording) -> Iterator[str]:
    yield wording.phrases("mfa_audit.coverage")
    if not findings.root_listed:
        yield wording.phrases("mfa_audit.no_root")
    if findings.made_at:
        yield wording.phrases("mfa_audit.made_at", time=format_local(findings.made_at))
