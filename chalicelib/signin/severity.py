"""How much a sign-in matters, and why.

Nothing that a stranger can cause is critical: a critical message may wake people up.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from chalicelib.signin.events import ACCESS_CHANGES, SIGN_INS
from chalicelib.signin.model import OWN_FACTORS, Mfa, Outcome, PrincipalType, SignIn
from chalicelib.signin.origin import NOTHING_KNOWN, Origin


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
    ACCESS_CHANGED = "access_changed"
    NOT_UNDERSTOOD = "not_understood"
    OUTCOME_UNKNOWN = "outcome_unknown"
    FIRST_SIGN_IN = "first_sign_in"
    NEW_NETWORK = "new_network"
    NEW_CLIENT = "new_client"
    OUTSIDE_KNOWN_NETWORKS = "outside_known_networks"
    WITH_MFA = "with_mfa"
    MFA_AT_IDENTITY_PROVIDER = "mfa_at_identity_provider"
    ROUTINE = "routine"
    FAMILIAR = "familiar"


@dataclass(frozen=True, slots=True)
class AssessedSignIn:
    """A sign-in, how much it matters, and the reasons that say so."""

    sign_in: SignIn
    severity: Severity
    reasons: tuple[Reason, ...]
    origin: Origin = NOTHING_KNOWN

    @property
    def is_familiar(self) -> bool | None:
        """Whether it is ordinary and the baseline knows it; None where no baseline answered."""
        return Reason.FAMILIAR in self.reasons if self.origin.habits else None


WHAT_IS_NEW: Final = (
    Reason.FIRST_SIGN_IN,
    Reason.NEW_NETWORK,
    Reason.NEW_CLIENT,
    Reason.OUTSIDE_KNOWN_NETWORKS,
)
_ROOT_CREDENTIAL_EVENTS: Final = frozenset(
    {"PasswordUpdated", "PasswordRecoveryCompleted", "EmailUpdated"}
)
# People travel and change their browser, but seldom at once.
_ORDINARY: Final = ([Reason.NEW_NETWORK], [Reason.NEW_CLIENT])


def assess(sign_in: SignIn, origin: Origin = NOTHING_KNOWN) -> AssessedSignIn:
    """Return how much a sign-in matters: the highest severity that has reasons, and those."""
    new = _what_is_new(origin)
    if critical := _critical_reasons(sign_in):
        return AssessedSignIn(sign_in, Severity.CRITICAL, (*critical, *new), origin=origin)
    warning = _warning_reasons(sign_in)
    if warning or (new and new not in _ORDINARY):
        return AssessedSignIn(sign_in, Severity.WARNING, (*warning, *new), origin=origin)
    usual = [Reason.FAMILIAR] if origin.habits and not new else new
    reasons = (_info_reason(sign_in), *usual)
    return AssessedSignIn(sign_in, Severity.INFO, reasons, origin=origin)


def _what_is_new(origin: Origin) -> list[Reason]:
    reasons = []
    if habits := origin.habits:
        if habits.is_first:
            reasons.append(Reason.FIRST_SIGN_IN)
        else:
            reasons += [Reason.NEW_NETWORK] if habits.is_new_network else []
            reasons += [Reason.NEW_CLIENT] if habits.is_new_client else []
    if origin.is_outside_known_networks:
        reasons.append(Reason.OUTSIDE_KNOWN_NETWORKS)
    return reasons


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
    if sign_in.event_name in ACCESS_CHANGES and sign_in.outcome is not Outcome.FAILURE:
        reasons.append(Reason.ACCESS_CHANGED)
    return reasons


def _info_reason(sign_in: SignIn) -> Reason:
    if sign_in.mfa is Mfa.YES and sign_in.event_name != "CredentialChallenge":  # only asked for
        return Reason.WITH_MFA
    if sign_in.mfa_at_identity_provider:
        return Reason.MFA_AT_IDENTITY_PROVIDER
    return Reason.ROUTINE
