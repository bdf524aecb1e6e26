"""How much a sign-in matters, and why.

Nothing that a stranger can cause is critical: a critical message may wake people up.
"""

import re
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
    ROOT_MAY_HAVE_SIGNED_IN = "root_may_have_signed_in"
    ROOT_FAILED_AT_MFA = "root_failed_at_mfa"
    ROOT_CREDENTIALS_CHANGED = "root_credentials_changed"
    MADE_FROM_ROOT_KEYS = "made_from_root_keys"
    ANOMALY = "anomaly"
    FAILED = "failed"
    FAILED_AT_MFA = "failed_at_mfa"
    AFTER_FAILURES = "after_failures"
    WITHOUT_MFA = "without_mfa"
    MADE_FROM_ACCESS_KEYS = "made_from_access_keys"
    MACHINE_SESSION = "machine_session"
    CROSS_DEVICE = "cross_device"
    THIRD_PARTY_CLIENT = "third_party_client"
    IMITATES_PERMISSION_SET = "imitates_permission_set"
    IMITATES_HIDDEN_NAME = "imitates_hidden_name"
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
# The names that services and SDKs give to the sessions of machines: an instance's id, a task's, a
# pod's, and each SDK's own, of which the oldest for Go is nanoseconds alone.
_MACHINE_SESSION: Final = re.compile(
    r"m?i-[0-9a-f]{8}(?:[0-9a-f]{9})?|[0-9a-f]{32}|\d{19}|eks-[\w-]+-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-\w{12}"
    r"|(?:botocore-session|aws-sdk|aws-go-sdk)-[\w-]*\d{6,}|AWSCodeBuild-[\w-]+"
)
_OAUTH_REASONS: Final = {
    "cross_device": Reason.CROSS_DEVICE,
    "third_party": Reason.THIRD_PARTY_CLIENT,
}
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
    if sign_in.failed_at_mfa and sign_in.is_root:
        reasons.append(Reason.ROOT_FAILED_AT_MFA)
    if sign_in.outcome is Outcome.FAILURE:
        return reasons
    is_entry = sign_in.event_name in SIGN_INS
    keys_of = sign_in.principal.keys_of
    if is_entry and keys_of and keys_of.type is PrincipalType.ROOT:
        reasons.append(Reason.MADE_FROM_ROOT_KEYS)
    if sign_in.is_root and sign_in.event_name in _ROOT_CREDENTIAL_EVENTS:
        reasons.append(Reason.ROOT_CREDENTIALS_CHANGED)
    if sign_in.is_root and is_entry:
        is_known = sign_in.outcome is Outcome.SUCCESS
        reasons.append(Reason.ROOT_SIGNED_IN if is_known else Reason.ROOT_MAY_HAVE_SIGNED_IN)
        reasons += [Reason.WITHOUT_MFA] if sign_in.mfa is Mfa.NO else []
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
    reasons += _reasons_of_session(sign_in)
    if sign_in.event_name == "PasswordRecoveryRequested":
        reasons.append(Reason.PASSWORD_RECOVERY_REQUESTED)
    if sign_in.event_name in ACCESS_CHANGES and sign_in.outcome is not Outcome.FAILURE:
        reasons.append(Reason.ACCESS_CHANGED)
    return reasons


def _reasons_of_session(sign_in: SignIn) -> list[Reason]:
    """Return what is unusual about the session, its name or whom it gave access to."""
    principal, client = sign_in.principal, sign_in.oauth_client
    reasons = []
    if sign_in.event_name in SIGN_INS:
        if principal.type is PrincipalType.FEDERATED_USER:
            reasons.append(Reason.MADE_FROM_ACCESS_KEYS)
        if principal.has_chosen_name and _MACHINE_SESSION.fullmatch(principal.name or ""):
            reasons.append(Reason.MACHINE_SESSION)
    if principal.imitates_permission_set:
        reasons.append(Reason.IMITATES_PERMISSION_SET)
    if principal.imitates_hidden_name:
        reasons.append(Reason.IMITATES_HIDDEN_NAME)
    if client and client.kind and not sign_in.is_token_refresh:
        reasons.append(_OAUTH_REASONS[client.kind])
    return reasons


def _info_reason(sign_in: SignIn) -> Reason:
    if sign_in.mfa is Mfa.YES and sign_in.event_name != "CredentialChallenge":  # only asked for
        return Reason.WITH_MFA
    if sign_in.mfa_at_identity_provider:
        return Reason.MFA_AT_IDENTITY_PROVIDER
    return Reason.ROUTINE
