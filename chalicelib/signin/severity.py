"""How much a sign-in matters, and why.

Nothing that a stranger can cause is critical: a critical message may wake people up.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from chalicelib.signin.events import SIGN_INS
from chalicelib.signin.model import OWN_FACTORS, Mfa, Outcome, PrincipalType, SignIn


class Severity(IntEnum):
    """How much a sign-in matters, least first."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        """The word that settings, logs and phrases use."""
        return self.name.lower()


class Reason(StrEnum):
    """Why a sign-in matters as much as it does; each has its sentence in the phrases."""

    ROOT_SIGNED_IN = "root_signed_in"
    ROOT_FAILED_AT_MFA = "root_failed_at_mfa"
    ROOT_CREDENTIALS_CHANGED = "root_credentials_changed"
    ANOMALY = "anomaly"
    FAILED = "failed"
    FAILED_AT_MFA = "failed_at_mfa"
    WITHOUT_MFA = "without_mfa"
    MADE_FROM_ACCESS_KEYS = "made_from_access_keys"
    PASSWORD_RECOVERY_REQUESTED = "password_recovery_requested"  # noqa: S105 — no password
    NOT_UNDERSTOOD = "not_understood"
    OUTCOME_UNKNOWN = "outcome_unknown"
    WITH_MFA = "with_mfa"
    MFA_AT_IDENTITY_PROVIDER = "mfa_at_identity_provider"
    ROUTINE = "routine"


@dataclass(frozen=True, slots=True)
class AssessedSignIn:
    """A sign-in, how much it matters, and the reasons that say so."""

    sign_in: SignIn
    severity: Severity
    reasons: tuple[Reason, ...]


_ROOT_CREDENTIAL_EVENTS: Final = frozenset(
    {"PasswordUpdated", "PasswordRecoveryCompleted", "EmailUpdated"}
)


def assess(sign_in: SignIn) -> AssessedSignIn:
    """Return how much a sign-in matters: the highest severity that has reasons, and those."""
    for severity, find in (
        (Severity.CRITICAL, _critical_reasons),
        (Severity.WARNING, _warning_reasons),
    ):
        if reasons := find(sign_in):
            return AssessedSignIn(sign_in, severity, tuple(reasons))
    return AssessedSignIn(sign_in, Severity.INFO, (_info_reason(sign_in),))


def _critical_reasons(sign_in: SignIn) -> list[Reason]:
    reasons = []
    if sign_in.is_anomaly_alert:
        reasons.append(Reason.ANOMALY)
    if sign_in.is_root:
        if sign_in.event_name in _ROOT_CREDENTIAL_EVENTS:
            reasons.append(Reason.ROOT_CREDENTIALS_CHANGED)
        if sign_in.event_name in SIGN_INS and sign_in.outcome is Outcome.SUCCESS:
            reasons.append(Reason.ROOT_SIGNED_IN)
            if sign_in.mfa is Mfa.NO:
                reasons.append(Reason.WITHOUT_MFA)
        if sign_in.failed_at_mfa:
            reasons.append(Reason.ROOT_FAILED_AT_MFA)
    return reasons


def _warning_reasons(sign_in: SignIn) -> list[Reason]:
    reasons = []
    if not sign_in.understood:
        reasons.append(Reason.NOT_UNDERSTOOD)
    if sign_in.failed_at_mfa:
        reasons.append(Reason.FAILED_AT_MFA)
    elif sign_in.outcome is Outcome.FAILURE:
        reasons.append(Reason.FAILED)
    elif sign_in.outcome is Outcome.UNKNOWN:
        reasons.append(Reason.OUTCOME_UNKNOWN)
    elif (
        sign_in.event_name in SIGN_INS
        and sign_in.principal.type in OWN_FACTORS
        and sign_in.mfa is Mfa.NO
    ):
        reasons.append(Reason.WITHOUT_MFA)
    if sign_in.principal.type is PrincipalType.FEDERATED_USER:
        reasons.append(Reason.MADE_FROM_ACCESS_KEYS)
    if sign_in.event_name == "PasswordRecoveryRequested":
        reasons.append(Reason.PASSWORD_RECOVERY_REQUESTED)
    return reasons


def _info_reason(sign_in: SignIn) -> Reason:
    if sign_in.mfa is Mfa.YES and sign_in.event_name != "CredentialChallenge":  # only asked for
        return Reason.WITH_MFA
    if sign_in.mfa_at_identity_provider:
        return Reason.MFA_AT_IDENTITY_PROVIDER
    return Reason.ROUTINE
