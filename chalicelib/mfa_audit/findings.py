"""What an MFA audit found: how many can sign in, who of them has no MFA, how much that matters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from chalicelib.mfa_audit.credential_report import CredentialReport, Person
from chalicelib.signin.json_fields import object_in, text_in, time_in
from chalicelib.signin.severity import Severity

DETAIL_TYPE: Final = "signin-monitor MFA audit"
NAMED: Final = 25

_COUNT_LIMIT: Final = 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class MfaFindings:
    """The findings of one audit.

    `able` counts those who can sign in with a console password, root included, `without_mfa`
    those of them who have no MFA; `named` are the foremost of the latter, in the order of
    `able_to_sign_in`. `made_at` is when IAM made its report, `root_listed` whether that has a row
    for root: in a member account whose root credentials were removed it may have none.
    """

    account_id: str | None
    made_at: datetime | None
    able: int
    without_mfa: int
    named: tuple[Person, ...]
    root_listed: bool

    @classmethod
    def of(cls, report: CredentialReport, account_id: str | None) -> Self:
        """Assess the credential report of an account."""
        able = able_to_sign_in(report)
        without_mfa = [person for person in able if not person.has_mfa]
        return cls(
            account_id=account_id,
            made_at=report.made_at,
            able=len(able),
            without_mfa=len(without_mfa),
            named=tuple(without_mfa[:NAMED]),
            root_listed=any(person.is_root for person in report.people),
        )

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """Read a report that `to_event` wrote, or anything else. Raises nothing."""
        detail = object_in(event, "detail")
        named = detail.get("named")
        return cls(
            account_id=text_in(event, "account"),
            made_at=time_in(detail, "made_at"),
            able=_count(detail.get("able")),
            without_mfa=_count(detail.get("without_mfa")),
            named=tuple(
                _person(person)
                for person in (named[:NAMED] if isinstance(named, list) else ())
                if isinstance(person, Mapping)
            ),
            root_listed=detail.get("root_listed") is not False,
        )

    def to_event(self, cause: Mapping[str, Any]) -> dict[str, Any]:
        """Write the findings as a report, which the notifier posts or parks.

        `cause` is the schedule's event: its id and time become the report's.
        """
        return {
            "detail-type": DETAIL_TYPE,
            "account": self.account_id,
            "detail": {
                "eventName": "MfaAudit",
                "eventID": cause.get("id"),
                "eventTime": cause.get("time"),
                "made_at": _iso(self.made_at),
                "able": self.able,
                "without_mfa": self.without_mfa,
                "named": [
                    {
                        "name": person.name,
                        "is_root": person.is_root,
                        "password_since": _iso(person.password_since),
                        "last_used": _iso(person.last_used),
                        "never_used": person.never_used,
                    }
                    for person in self.named
                ],
                "root_listed": self.root_listed,
            },
        }

    @property
    def root_without_mfa(self) -> bool:
        """Whether root can sign in with a password alone."""
        return any(person.is_root for person in self.named)

    @property
    def severity(self) -> Severity:
        """How much the finding matters."""
        if self.root_without_mfa:
            return Severity.CRITICAL
        return Severity.WARNING if self.without_mfa else Severity.INFO


def able_to_sign_in(report: CredentialReport) -> list[Person]:
    """List who can sign in: root, then by the last sign-in: latest first, unknown, then never."""
    return sorted((person for person in report.people if person.can_sign_in), key=_order)


def _order(person: Person) -> tuple[bool, bool, float, str]:
    last_used = person.last_used.timestamp() if person.last_used else 0.0
    return not person.is_root, person.never_used, -last_used, person.name


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _person(said: Mapping[str, Any]) -> Person:
    return Person(
        name=text_in(said, "name") or "?",
        is_root=said.get("is_root") is True,
        can_sign_in=True,
        has_mfa=False,
        password_since=time_in(said, "password_since"),
        last_used=time_in(said, "last_used"),
        never_used=said.get("never_used") is True,
    )


def _count(said: object) -> int:
    return min(max(said, 0), _COUNT_LIMIT) if isinstance(said, int) else 0
