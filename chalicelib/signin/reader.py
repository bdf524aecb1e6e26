"""SignIn: what happened, read from a CloudTrail record that EventBridge brought.

The only module that knows CloudTrail's JSON. It believes nothing: a field that is missing, null,
empty or of the wrong type is None, and whatever arrives gives a SignIn.

Sources: "AWS Management Console sign-in events" and "CloudTrail userIdentity element" (CloudTrail
User Guide), "Sign-in events for IAM Identity Center" (IAM Identity Center User Guide).
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import repeat
from typing import Any, Final, Self

Json = Mapping[str, Any]

ANOMALY_ALERT: Final = "Sign-in Anomaly Alert"

# What EventBridge is asked for, in the home region and in each that forwards.
SIGN_IN_PATTERN: Final[dict[str, list[str]]] = {
    "source": ["aws.signin"],
    "detail-type": [
        "AWS Console Sign In via CloudTrail",
        "AWS Service Event via CloudTrail",
        "AWS API Call via CloudTrail",
        ANOMALY_ALERT,
    ],
}

# The events that bring somebody in, and all that signin.amazonaws.com is known to record.
SIGN_INS: Final = frozenset({"ConsoleLogin", "UserAuthentication", "AuthorizeOAuth2Access"})
KNOWN_EVENTS: Final = SIGN_INS | {
    "CheckMfa",
    "CreateOAuth2Token",
    "CredentialChallenge",
    "CredentialVerification",
    "EmailUpdated",
    "ExitRole",
    "ExternalIdPDirectoryLogin",
    "GetSigninToken",
    "PasswordRecoveryCompleted",
    "PasswordRecoveryRequested",
    "PasswordUpdated",
    "RenewRole",
    "SwitchRole",
}
_IDENTITY_CENTER_EVENTS: Final = frozenset(
    {
        "CredentialChallenge",
        "CredentialVerification",
        "ExternalIdPDirectoryLogin",
        "UserAuthentication",
    }
)
_SECOND_FACTORS: Final = ("TOTP", "WEBAUTHN", "EMAIL_OTP", "SMARTCARD", "RESYNC_TOTP")
_HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
# Where IAM Identity Center's own portal is; WorkSpaces records its sign-ins in the same way.
_PORTALS: Final = (".awsapps.com", ".awsapps.cn", ".app.aws")
_PERMISSION_SET_ROLE: Final = re.compile(r"AWSReservedSSO_(.+)_[0-9a-f]{16}")

_LONGEST_TEXT: Final = 4_096
_LONGEST_EXCERPT: Final = 1_500
_DEEPEST: Final = 40
# Names of what lets somebody in, without case and punctuation: whole, or their end.
_CREDENTIALS: Final = frozenset(
    {"authcode", "authorizationcode", "code", "devicecode", "samlresponse", "secretaccesskey"}
)
_CREDENTIAL_ENDINGS: Final = (
    "assertion",
    "credentials",
    "password",
    "secret",
    "token",
    "verifier",
)
_QUERY_ITEM: Final = re.compile(r"(?<=[?&#;])([\w.-]+)=([^&#;]*)")
# Every field that SignIn reads but the outcome under an event's name; None marks a leaf.
_READ: Final[dict[str, Any]] = {
    **dict.fromkeys(
        ("account", "detail-type", "found-by", "found-cause", "region", "replay-name", "time")
    ),
    "detail": {
        **dict.fromkeys(
            (
                "awsRegion",
                "errorCode",
                "errorMessage",
                "eventID",
                "eventName",
                "eventTime",
                "recipientAccountId",
                "sourceIPAddress",
                "userAgent",
            )
        ),
        "additionalEventData": dict.fromkeys(
            (
                "CredentialType",
                "LoginTo",
                "MFAIdentifier",
                "MFAUsed",
                "MfaType",
                "SamlProviderArn",
                "SwitchFrom",
                "SwitchTo",
                "UserName",
                "success",
            )
        ),
        "userIdentity": {
            **dict.fromkeys(
                ("accountId", "arn", "identityProvider", "principalId", "type", "userName")
            ),
            "onBehalfOf": {"userId": None},
            "sessionContext": {
                "attributes": {"mfaAuthenticated": None},
                "sessionIssuer": {"arn": None, "userName": None},
                "webIdFederationData": {"federatedProvider": None},
            },
        },
    },
}


class Outcome(StrEnum):
    """How the sign-in went, where AWS says so."""

    SUCCESS = "Success"
    FAILURE = "Failure"
    UNKNOWN = "unknown"


class Mfa(StrEnum):
    """Whether a second factor was used: not two answers but three."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class PrincipalType(StrEnum):
    """What kind of identity signed in."""

    ROOT = "root"
    IAM_USER = "iam_user"
    ASSUMED_ROLE = "assumed_role"
    PERMISSION_SET = "permission_set"
    FEDERATED_USER = "federated_user"
    SAML_USER = "saml_user"
    WEB_IDENTITY_USER = "web_identity_user"
    IDENTITY_CENTER_USER = "identity_center_user"
    OTHER = "other"


# Those whose factors AWS itself checks.
OWN_FACTORS: Final = (
    PrincipalType.ROOT,
    PrincipalType.IAM_USER,
    PrincipalType.IDENTITY_CENTER_USER,
)


_FROM_IDENTITY_PROVIDERS: Final = (
    PrincipalType.PERMISSION_SET,
    PrincipalType.SAML_USER,
    PrincipalType.WEB_IDENTITY_USER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who.

    `name` is the person as AWS names them: a user name, a session name, a user id. `role` is
    the role or permission set of a session. `arn` is the IAM user's or the role's own, never a
    session's: whoever assumes a role can choose the session's name.
    """

    type: PrincipalType
    name: str | None = None
    name_hidden: bool = False
    role: str | None = None
    account_id: str | None = None
    arn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One sign-in event.

    `event_id` is CloudTrail's, the same for each copy of the event. `account_id` is the account
    that was signed in to; `application` the host and path, where IAM Identity Center let somebody
    into something else than its portal. `mfa_device` is AWS's word. `excerpt` is the record's
    own JSON, credentials redacted and cut, of an event that is not understood.
    """

    event_id: str | None
    event_name: str | None
    event_time: datetime | None
    account_id: str | None
    application: str | None
    region: str | None
    source_ip: str | None
    user_agent: str | None
    principal: Principal
    outcome: Outcome
    failure_reason: str | None
    mfa: Mfa
    mfa_device: str | None
    mfa_at_identity_provider: bool
    switched_from: Principal | None
    switched_to: Principal | None
    is_anomaly_alert: bool
    replayed: bool
    found_by_self_check: bool
    found_cause: str | None
    excerpt: str | None = field(repr=False)

    @classmethod
    def from_event(cls, event: object) -> Self:
        """Read an EventBridge event, whatever it holds. Raises nothing."""
        envelope = event if isinstance(event, Mapping) else {}
        detail = _object(envelope, "detail")
        identity = _object(detail, "userIdentity")
        extra = _object(detail, "additionalEventData")
        name = _text(detail, "eventName")
        principal = _principal(identity, extra, name)
        is_anomaly_alert = _text(envelope, "detail-type") == ANOMALY_ALERT
        understood = name in KNOWN_EVENTS and principal.type is not PrincipalType.OTHER
        return cls(
            event_id=_text(detail, "eventID"),
            event_name=name,
            event_time=_time(detail, "eventTime") or _time(envelope, "time"),
            account_id=_text(detail, "recipientAccountId")
            or _text(envelope, "account")
            or _text(identity, "accountId"),
            application=_application(extra) if name == "UserAuthentication" else None,
            region=_text(detail, "awsRegion") or _text(envelope, "region"),
            source_ip=_text(detail, "sourceIPAddress"),
            user_agent=_text(detail, "userAgent"),
            principal=principal,
            outcome=_outcome(name, detail, extra),
            failure_reason=_text(detail, "errorMessage") or _text(detail, "errorCode"),
            mfa=_mfa(name, identity, extra, principal),
            mfa_device=_mfa_device(extra),
            mfa_at_identity_provider=_has_identity_provider(name, identity, extra, principal),
            switched_from=_principal_of_arn(_text(extra, "SwitchFrom")),
            switched_to=_principal_of_arn(_text(extra, "SwitchTo")),
            is_anomaly_alert=is_anomaly_alert,
            replayed="replay-name" in envelope,
            found_by_self_check=_text(envelope, "found-by") == "self-check",
            found_cause=_text(envelope, "found-cause"),
            excerpt=None if understood else _excerpt(envelope.get("detail")),
        )

    @property
    def understood(self) -> bool:
        """Whether the event and whoever caused it are of a known kind."""
        return self.excerpt is None

    @property
    def is_root(self) -> bool:
        """Whether the account's root user caused it."""
        return self.principal.type is PrincipalType.ROOT

    @property
    def switch(self) -> tuple[Principal, Principal] | None:
        """Who switched, and into or out of which role; None for all else and where AWS is silent.

        AWS records a switch twice: in the role's account as the role, which names where it came
        from, and in the home account as the user, who names where it goes.
        """
        user, role = self.principal, self.switched_from
        if self.event_name == "SwitchRole":
            user, role = self.switched_from or user, self.switched_to or self.principal
        elif self.event_name != "ExitRole":
            return None
        return (user, role) if role and role.role and user is not role else None

    @property
    def failed_at_mfa(self) -> bool:
        """Whether it failed at the second factor: the first one was probably right."""
        return (
            self.outcome is Outcome.FAILURE
            and self.mfa is Mfa.YES
            and self.principal.type in OWN_FACTORS
        )


def redact(value: Any, *, most: int = sys.maxsize) -> Any:  # noqa: ANN401 — any JSON
    """Give a copy of an event without the credentials that some events carry.

    Nesting deeper than any real record is cut, so that the copy can always be written as JSON.
    The copy holds the first so many values at most.
    """
    return _redact(value, 0, repeat(None, most))


def essence(event: object) -> dict[str, Any]:
    """Give the part of an event that a SignIn is read from, its texts cut."""
    if not isinstance(event, Mapping):
        return {}
    outcome = {_text(_object(event, "detail"), "eventName") or "": None}
    said = {"responseElements": outcome, "serviceEventDetails": outcome}
    wanted = {**_READ, "detail": {**_READ["detail"], **said}}
    return {key: _pick(event[key], inner) for key, inner in wanted.items() if key in event}


def _pick(value: object, wanted: Mapping[str, Any] | None) -> object:
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if not isinstance(value, Mapping):
        return None if isinstance(value, list) else value
    if wanted is None:
        return None
    return {key: _pick(value[key], inner) for key, inner in wanted.items() if key in value}


def _redact(value: Any, depth: int, left: Iterator[None]) -> Any:  # noqa: ANN401 — any JSON
    if depth > _DEEPEST:
        return "[too deep]"
    if isinstance(value, Mapping):
        return {
            key: "[redacted]"
            if _is_credential(str(key), inner)
            else _redact(inner, depth + 1, left)
            for (key, inner), _ in zip(value.items(), left, strict=False)
        }
    if isinstance(value, list):
        return [_redact(inner, depth + 1, left) for inner, _ in zip(value, left, strict=False)]
    if isinstance(value, str) and "=" in value:
        return _QUERY_ITEM.sub(_redact_item, value)
    return value


def _redact_item(item: re.Match[str]) -> str:
    return f"{item[1]}=[redacted]" if _is_credential(item[1], item[2]) else item[0]


def _is_credential(key: str, value: object) -> bool:
    """Tell by its name; where AWS writes an outcome under an event's name, it is none."""
    name = key.replace("_", "").replace("-", "").lower()
    is_named_so = name in _CREDENTIALS or name.endswith(_CREDENTIAL_ENDINGS)
    return is_named_so and _said(value) is None


def _object(mapping: Json, key: str) -> Json:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(mapping: Json, key: str) -> str | None:
    value = mapping.get(key)
    return value[:_LONGEST_TEXT].strip() or None if isinstance(value, str) else None


def _time(mapping: Json, key: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(_text(mapping, key) or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _excerpt(detail: object) -> str:
    # A copy of all that the undelivered queue may bring would not fit the smallest memory.
    begun = redact(detail, most=_LONGEST_EXCERPT)
    return json.dumps(begun, ensure_ascii=False, default=repr)[:_LONGEST_EXCERPT]


def _outcome(name: str | None, detail: Json, extra: Json) -> Outcome:
    """Look in the three places where AWS says it; an OAuth event says "true" for success."""
    said = (
        _object(detail, "responseElements").get(name or ""),
        _object(detail, "serviceEventDetails").get(name or ""),
        extra.get("success"),
    )
    return next(filter(None, map(_said, said)), Outcome.UNKNOWN)


def _said(value: object) -> Outcome | None:
    match value.lower() if isinstance(value, str) else value:
        case "success" | "true" | True:
            return Outcome.SUCCESS
        case "failure" | "false" | False:
            return Outcome.FAILURE
    return None


_NOBODY: Final = Principal(type=PrincipalType.OTHER)


def _principal(identity: Json, extra: Json, event_name: str | None) -> Principal:
    principal = _principal_as_named(identity, extra, event_name)
    if principal.name == _HIDDEN:
        return replace(principal, name=None, name_hidden=True)
    return principal


def _principal_as_named(identity: Json, extra: Json, event_name: str | None) -> Principal:
    account_id = _text(identity, "accountId")
    arn = _text(identity, "arn")
    name = _text(identity, "userName")
    of_arn = _principal_of_arn(arn) or _NOBODY
    match _text(identity, "type"):
        case "Root" if identity.get("arn") != "":
            return Principal(type=PrincipalType.ROOT, account_id=account_id)
        case "IAMUser":
            return Principal(
                type=PrincipalType.IAM_USER,
                name=name or of_arn.name,
                account_id=account_id,
                arn=arn,
            )
        case "AssumedRole":
            issuer = _object(_object(identity, "sessionContext"), "sessionIssuer")
            of_issuer = _principal_of_arn(_text(issuer, "arn")) or _NOBODY
            session = next(
                (one for one in (of_arn, of_issuer) if one.role),
                _role_session(role=_text(issuer, "userName")),
            )
            named = (_text(identity, "principalId") or "").partition(":")[2]
            return replace(
                session,
                name=session.name or named or None,
                account_id=account_id,
                arn=_text(issuer, "arn") or session.arn,
            )
        case "FederatedUser":
            return Principal(
                type=PrincipalType.FEDERATED_USER,
                name=name or of_arn.name,
                account_id=account_id,
            )
        case "SAMLUser":
            return Principal(type=PrincipalType.SAML_USER, name=name, account_id=account_id)
        case "WebIdentityUser":
            return Principal(type=PrincipalType.WEB_IDENTITY_USER, name=name, account_id=account_id)
        case kind if kind == "IdentityCenterUser" or event_name in _IDENTITY_CENTER_EVENTS:
            user_id = _text(_object(identity, "onBehalfOf"), "userId")
            names = [one for one in (_text(extra, "UserName"), name, user_id) if one]
            visible = [one for one in names if one != _HIDDEN]
            return Principal(
                type=PrincipalType.IDENTITY_CENTER_USER,
                name=next(iter(visible or names), None),
                account_id=account_id,
            )
        case _:
            return Principal(type=PrincipalType.OTHER, name=name or arn, account_id=account_id)


def _principal_of_arn(arn: str | None) -> Principal | None:
    """Read who an ARN names: a user, a role, a role's session or a federated user."""
    parts = re.fullmatch(r"arn:([^:]*):[^:]*:[^:]*:([^:]*):([^/]+)/(.+)", arn or "")
    if not parts:
        return None
    partition, account_id, kind, path = parts.groups()
    match kind:
        case "user":
            name = path.rpartition("/")[2]
            return Principal(type=PrincipalType.IAM_USER, name=name, account_id=account_id, arn=arn)
        case "role":
            role = path.rpartition("/")[2]
            return _role_session(role=role, account_id=account_id, arn=arn)
        case "assumed-role":
            role, _, name = path.partition("/")
            role_arn = f"arn:{partition}:iam::{account_id}:role/{role}"
            return _role_session(role=role, name=name or None, account_id=account_id, arn=role_arn)
        case "federated-user":
            return Principal(type=PrincipalType.FEDERATED_USER, name=path, account_id=account_id)
    return None


def _role_session(
    *,
    role: str | None,
    name: str | None = None,
    account_id: str | None = None,
    arn: str | None = None,
) -> Principal:
    permission_set = _PERMISSION_SET_ROLE.fullmatch(role or "")
    return Principal(
        type=PrincipalType.PERMISSION_SET if permission_set else PrincipalType.ASSUMED_ROLE,
        name=name,
        role=permission_set[1] if permission_set else role,
        account_id=account_id,
        arn=arn,
    )


def _has_identity_provider(
    event_name: str | None, identity: Json, extra: Json, principal: Principal
) -> bool:
    web = _object(_object(identity, "sessionContext"), "webIdFederationData")
    return bool(
        principal.type in _FROM_IDENTITY_PROVIDERS
        or event_name == "ExternalIdPDirectoryLogin"
        or "EXTERNAL_IDP" in _factors(extra)
        or _text(extra, "SamlProviderArn")
        or _text(identity, "identityProvider")
        or _text(web, "federatedProvider")
    )


def _application(extra: Json) -> str | None:
    """Name where a sign-in led to, without the query, unless that is the portal."""
    found = re.match(r"https://([\w.-]+)([\w./-]*)", _text(extra, "LoginTo") or "", re.ASCII)
    if not found or found[1].endswith(_PORTALS):
        return None
    return found[1] + found[2].rstrip("/")


def _factors(extra: Json) -> list[str]:
    """List the factors that IAM Identity Center asked for: a comma list in the record."""
    return [factor.strip() for factor in (_text(extra, "CredentialType") or "").split(",")]


def _mfa(event_name: str | None, identity: Json, extra: Json, principal: Principal) -> Mfa:
    """Tell what AWS knows of a second factor.

    `MFAUsed` is the truth for root and IAM users only: for every federated sign-in it is "No",
    whatever the identity provider asked for.
    """
    attributes = _object(_object(identity, "sessionContext"), "attributes")
    if event_name == "CheckMfa" or attributes.get("mfaAuthenticated") in ("true", True):
        return Mfa.YES
    if principal.type in (PrincipalType.ROOT, PrincipalType.IAM_USER):
        match (_text(extra, "MFAUsed") or "").lower():
            case "yes":
                return Mfa.YES
            case "no":
                return Mfa.NO
    if principal.type is PrincipalType.IDENTITY_CENTER_USER:
        factors = _factors(extra)
        if any(factor in _SECOND_FACTORS for factor in factors):
            return Mfa.YES
        if factors == ["PASSWORD"]:
            return Mfa.NO
    return Mfa.UNKNOWN


def _mfa_device(extra: Json) -> str | None:
    """Name the kind of device: in AWS's words, or by the ARN of the device used."""
    if said := _text(extra, "MfaType"):
        return said
    if second := [factor for factor in _factors(extra) if factor in _SECOND_FACTORS]:
        return second[0]
    identifier = _text(extra, "MFAIdentifier") or ""
    if ":u2f/" in identifier:
        return "U2F MFA"
    return "Virtual MFA" if ":mfa/" in identifier else None
