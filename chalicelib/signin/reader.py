"""Reads a SignIn from a CloudTrail record that EventBridge brought.

The only module that knows CloudTrail's JSON. It trusts nothing: a field that is missing, null,
empty or of the wrong type is None, and whatever arrives gives a SignIn.

Sources: "AWS Management Console sign-in events" and "CloudTrail userIdentity element" (CloudTrail
User Guide), "Sign-in events for IAM Identity Center" (IAM Identity Center User Guide).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from chalicelib.signin.events import ANOMALY_ALERT, IDENTITY_CENTER_EVENTS, KNOWN_EVENTS
from chalicelib.signin.json_fields import LONGEST_TEXT, Json
from chalicelib.signin.json_fields import object_in as _object
from chalicelib.signin.json_fields import text_in as _text
from chalicelib.signin.json_fields import time_in as _time
from chalicelib.signin.model import (
    HIDDEN_NAME,
    Mfa,
    OAuthClient,
    Outcome,
    Principal,
    PrincipalType,
    SignIn,
    VpcEndpoint,
)
from chalicelib.signin.redaction import redact

_SECOND_FACTORS: Final = ("TOTP", "WEBAUTHN", "EMAIL_OTP", "SMARTCARD", "RESYNC_TOTP")
# Where IAM Identity Center's own portal is; WorkSpaces records its sign-ins in the same way.
_PORTALS: Final = (".awsapps.com", ".awsapps.cn", ".app.aws")
# The path is reserved, the name is not: anybody who may create roles can imitate it.
_PERMISSION_SET: Final = re.compile(
    r"arn:[^:]+:iam::[^:]*:role/aws-reserved/sso\.amazonaws\.com/(?:[\w-]+/)?"
    r"AWSReservedSSO_([^/]+)_[0-9a-f]{16}"
)
_LOOPBACK: Final = ("127.0.0.1", "[::1]", "localhost")

_FROM_IDENTITY_PROVIDERS: Final = (
    PrincipalType.PERMISSION_SET,
    PrincipalType.SAML_USER,
    PrincipalType.WEB_IDENTITY_USER,
)
_LONGEST_EXCERPT: Final = 1_500


def read_sign_in(event: object) -> SignIn:
    """Return the sign-in of an EventBridge event, whatever it holds. Raises nothing."""
    envelope = event if isinstance(event, Mapping) else {}
    detail = _object(envelope, "detail")
    identity = _object(detail, "userIdentity")
    extra = _object(detail, "additionalEventData")
    name = _text(detail, "eventName")
    principal = _principal(identity, extra, name)
    is_anomaly_alert = _text(envelope, "detail-type") == ANOMALY_ALERT
    understood = name in KNOWN_EVENTS and principal.type is not PrincipalType.OTHER
    return SignIn(
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
        vpc_endpoint=_vpc_endpoint(detail),
        oauth_client=_oauth_client(_object(detail, "requestParameters")),
        is_token_refresh=_text(extra, "grant_type") == "refresh_token",
        switched_from=_principal_of_arn(_text(extra, "SwitchFrom")),
        switched_to=_principal_of_arn(_text(extra, "SwitchTo")),
        is_anomaly_alert=is_anomaly_alert,
        is_api_call=_is_api_call(detail),
        replayed="replay-name" in envelope,
        found_by_self_check=_text(envelope, "found-by") == "self-check",
        found_cause=_text(envelope, "found-cause"),
        excerpt=None if understood else _excerpt(envelope.get("detail")),
    )


def trim(event: object) -> dict[str, Any]:
    """Return the part of an event that a SignIn is read from, its texts cut."""
    if not isinstance(event, Mapping):
        return {}
    read: dict[str, Any] = {}
    read_sign_in(_Noting(event, read))
    return read


class _Noting(Mapping[str, Any]):
    """A view of a JSON object that copies what is asked of it; it cannot be iterated."""

    def __init__(self, content: Json, read: dict[str, Any]) -> None:
        self._content = content
        self._read = read

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 — any JSON
        value = self._content[key]
        if isinstance(value, Mapping):
            value = _Noting(value, self._read.setdefault(key, {}))
        elif isinstance(value, str):
            self._read[key] = value[:LONGEST_TEXT]
        else:
            self._read[key] = None if isinstance(value, list) else value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:  # pragma: no cover — a Mapping needs a length, nobody asks
        return len(self._content)


def _excerpt(detail: object) -> str:
    # A copy of all that the undelivered queue may bring would not fit the smallest memory.
    begun = redact(detail, most=_LONGEST_EXCERPT)
    return json.dumps(begun, ensure_ascii=False, default=repr)[:_LONGEST_EXCERPT]


def _is_api_call(detail: Json) -> bool:
    return detail.get("eventType") == "AwsApiCall"


def _outcome(name: str | None, detail: Json, extra: Json) -> Outcome:
    """Look in the three places where AWS says it; an API call that names no error succeeded."""
    words = (
        _object(detail, "responseElements").get(name or ""),
        _object(detail, "serviceEventDetails").get(name or ""),
        extra.get("success"),
    )
    if stated := next(filter(None, map(Outcome.from_word, words)), None):
        return stated
    if not _is_api_call(detail):
        return Outcome.UNKNOWN
    return Outcome.FAILURE if detail.get("errorCode") else Outcome.SUCCESS


_NOBODY: Final = Principal(type=PrincipalType.OTHER)


def _principal(identity: Json, extra: Json, event_name: str | None) -> Principal:
    kind = _text(identity, "type") or ""
    if identity.get("arn") == "" and kind == "Root":
        kind = ""  # a failed SAML answer of IAM Identity Center, not root
    if kind not in _PRINCIPAL_READERS and event_name in IDENTITY_CENTER_EVENTS:
        kind = "IdentityCenterUser"  # AWS wrote "Unknown" until mid-2025
    principal = _PRINCIPAL_READERS.get(kind, _other)(identity, extra)
    if provider := _text(extra, "SamlProviderArn"):
        principal = replace(principal, saml_provider=provider)
    if principal.name == HIDDEN_NAME and _hides_names_of(principal, event_name):
        return replace(principal, name=None, name_hidden=True)
    return principal


def _hides_names_of(principal: Principal, event_name: str | None) -> bool:
    """Return whether AWS may have hidden the name: of a failed IAM user, or before a sign-in."""
    if principal.type is PrincipalType.IDENTITY_CENTER_USER:
        return event_name != "UserAuthentication"
    return principal.type is PrincipalType.IAM_USER and principal.arn is None


def _root(identity: Json, _: Json) -> Principal:
    return Principal(type=PrincipalType.ROOT, account_id=_text(identity, "accountId"))


def _iam_user(identity: Json, _: Json) -> Principal:
    arn = _text(identity, "arn")
    return Principal(
        type=PrincipalType.IAM_USER,
        name=_text(identity, "userName") or _of_arn(identity).name,
        account_id=_text(identity, "accountId"),
        arn=arn,
    )


def _assumed_role(identity: Json, _: Json) -> Principal:
    context = _object(identity, "sessionContext")
    issuer = _object(context, "sessionIssuer")
    session, role = _of_arn(identity), _of_arn(issuer)
    session_name = (_text(identity, "principalId") or "").partition(":")[2]
    is_permission_set = role.type is PrincipalType.PERMISSION_SET
    return Principal(
        type=PrincipalType.PERMISSION_SET if is_permission_set else PrincipalType.ASSUMED_ROLE,
        name=session.name or session_name or None,
        role=role.role
        if is_permission_set
        else session.role or role.role or _text(issuer, "userName"),
        account_id=_text(identity, "accountId"),
        arn=_text(issuer, "arn") or session.arn,
        source_identity=_text(context, "sourceIdentity"),
    )


def _federated_user(identity: Json, _: Json) -> Principal:
    issuer = _object(_object(identity, "sessionContext"), "sessionIssuer")
    owner = _KEY_OWNERS.get(_text(issuer, "type") or "", _other)(issuer, {})
    return Principal(
        type=PrincipalType.FEDERATED_USER,
        name=_of_arn(identity).name,
        account_id=_text(identity, "accountId"),
        arn=_text(issuer, "arn"),
        keys_of=owner if owner.name or owner.type is PrincipalType.ROOT else None,
    )


def _saml_user(identity: Json, extra: Json) -> Principal:
    return replace(
        _web_identity_user(identity, extra),
        type=PrincipalType.SAML_USER,
        saml_provider=_text(identity, "identityProvider"),
    )


def _web_identity_user(identity: Json, _: Json) -> Principal:
    return Principal(type=PrincipalType.WEB_IDENTITY_USER, name=_text(identity, "userName"))


def _identity_center_user(identity: Json, extra: Json) -> Principal:
    person = _object(identity, "onBehalfOf")
    user_id = _text(person, "userId")
    candidates = (_text(extra, "UserName"), _text(identity, "userName"), user_id)
    names = [name for name in candidates if name]
    visible = [name for name in names if name != HIDDEN_NAME]
    return Principal(
        type=PrincipalType.IDENTITY_CENTER_USER,
        name=next(iter(visible or names), None),
        user_id=user_id,
        identity_store=(_text(person, "identityStoreArn") or "").rpartition("/")[2] or None,
    )


def _other(identity: Json, _: Json) -> Principal:
    return Principal(
        type=PrincipalType.OTHER,
        name=_text(identity, "userName") or _text(identity, "arn"),
    )


# By `userIdentity.type`.
_PRINCIPAL_READERS: Final[Mapping[str, Callable[[Json, Json], Principal]]] = {
    "Root": _root,
    "IAMUser": _iam_user,
    "AssumedRole": _assumed_role,
    "FederatedUser": _federated_user,
    "SAMLUser": _saml_user,
    "WebIdentityUser": _web_identity_user,
    "IdentityCenterUser": _identity_center_user,
}


# By `sessionIssuer.type`, of a session made with access keys.
_KEY_OWNERS: Final = {"Root": _root, "IAMUser": _iam_user}


def _of_arn(identity: Json) -> Principal:
    return _principal_of_arn(_text(identity, "arn")) or _NOBODY


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
            permission_set = _PERMISSION_SET.fullmatch(arn or "")
            return Principal(
                type=PrincipalType.PERMISSION_SET if permission_set else PrincipalType.ASSUMED_ROLE,
                role=permission_set[1] if permission_set else path.rpartition("/")[2],
                account_id=account_id,
                arn=arn,
            )
        case "assumed-role":
            role, _, name = path.partition("/")
            return Principal(
                type=PrincipalType.ASSUMED_ROLE,
                name=name or None,
                role=role,
                account_id=account_id,
                arn=f"arn:{partition}:iam::{account_id}:role/{role}",
            )
        case "federated-user":
            return Principal(type=PrincipalType.FEDERATED_USER, name=path, account_id=account_id)
    return None


def _vpc_endpoint(detail: Json) -> VpcEndpoint | None:
    endpoint = _text(detail, "vpcEndpointId")
    account_id = _text(detail, "vpcEndpointAccountId")
    return VpcEndpoint(id=endpoint, account_id=account_id) if endpoint else None


def _oauth_client(parameters: Json) -> OAuthClient | None:
    client = _text(parameters, "client_id") or _text(parameters, "clientId")
    if not client:
        return None
    # As browsers read it, to which a backslash is a slash ("URL Standard", WHATWG).
    address = _text(parameters, "redirect_uri") or ""
    found = re.match(r"https?:[/\\]*([^/\\?#]+)", address, re.IGNORECASE)
    host = found[1].rpartition("@")[2] if found else ""
    here = re.sub(r":\d*$", "", host) in _LOOPBACK
    return OAuthClient(id=client, redirects_to=None if here else host or None)


def _has_identity_provider(
    event_name: str | None, identity: Json, extra: Json, principal: Principal
) -> bool:
    web = _object(_object(identity, "sessionContext"), "webIdFederationData")
    return bool(
        principal.type in _FROM_IDENTITY_PROVIDERS
        or event_name == "ExternalIdPDirectoryLogin"
        or "EXTERNAL_IDP" in _factors(extra)
        or _text(extra, "SamlProviderArn")
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
    """Return what AWS knows of a second factor.

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
