"""The sign-ins to try, under the names that a person would give them.

One EventBridge event a file in `events/`, each in exactly one group. They are the fixtures of
the tests too.
"""

import copy
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

EVENTS: Final = Path(__file__).parent / "events"

GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "Everyday": {
        "IAM user with MFA": "iam-user-with-mfa",
        "IAM user without MFA": "iam-user-without-mfa",
        "From a new network": "iam-user-new-network",
        "From a phone": "iam-user-from-phone",
        "Regional endpoint": "iam-user-regional-endpoint",
        "SAML": "saml-role",
        "Identity Center": "identity-center-permission-set",
        "Custom federation": "custom-federation",
        "MFA in the role's session": "role-with-mfa-in-session",
        "Switch role, seen by the role's account": "switch-role-in-role-account",
        "Switch role, seen from home": "switch-role-in-home-account",
        "Exit role": "exit-role",
        "aws login": "aws-login-authorized",
    },
    "Suspicious": {
        "Wrong password": "iam-user-wrong-password",
        "Wrong MFA code": "iam-user-wrong-mfa-code",
        "Unknown user name": "iam-user-unknown-name",
        "Console from access keys": "federated-user",
        "A machine's session": "machine-session",
        "aws login, another device": "aws-login-cross-device",
        "Its token, taken elsewhere": "aws-login-token-elsewhere",
        "aws login, third party": "aws-login-third-party",
        "Switch role refused": "switch-role-refused",
        "AWS's anomaly alert": "anomaly-alert",
        "Sign-in policy changed": "sign-in-policy-changed",
    },
    "Root": {
        "Root without MFA": "root-without-mfa",
        "Root with MFA": "root-with-mfa",
        "Root, account with an alias": "root-with-account-alias",
        "Root, wrong password": "root-wrong-password",
        "Root, wrong MFA code": "root-wrong-mfa-code",
        "Password recovery requested": "root-password-recovery-requested",
        "Password recovery completed": "root-password-recovery-completed",
        "Password changed": "root-password-changed",
        "Password change failed": "root-password-change-failed",
        "Email address changed": "root-email-changed",
        "Console from root's access keys": "root-access-keys",
    },
    "Identity Center's portal": {
        "Password and code": "identity-center-password-and-code",
        "Password only": "identity-center-password-only",
        "Passkey": "identity-center-passkey",
        "External identity provider": "identity-center-external-idp",
        "Without any detail": "identity-center-without-details",
        "Wrong password at the portal": "credential-failed-password",
        "Wrong code at the portal": "credential-failed-code",
        "Calls itself Root, is not": "external-idp-login-failed",
    },
    "Not posted by default": {
        "MFA checked, virtual device": "check-mfa-virtual",
        "MFA checked, security key": "check-mfa-security-key",
        "Password asked for": "credential-challenge",
        "Password verified": "credential-verified-password",
        "Sign-in token": "get-signin-token",
        "Role renewed": "renew-role",
        "aws login, token": "aws-login-token",
        "Application's token": "application-token-with-iam",
    },
    "Odd and hostile": {
        "An attacker's user agent": "hostile-user-agent",
        "A hostile user name": "hostile-user-name",
        "Never seen before": "event-never-seen-before",
        "A trimmed record": "trimmed-record",
        "Region “global”": "region-global",
        "China": "china-region",
        "GovCloud": "govcloud-region",
        "SAML user": "saml-user",
        "Web identity": "web-identity-user",
    },
}

NAMES: Final = frozenset(name for group in GROUPS.values() for name in group.values())


def read(name: str) -> dict[str, Any]:
    """Return a sign-in by its file's name.

    Raises KeyError if there is none of that name.
    """
    if name not in NAMES:
        raise KeyError(name)
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def renewed(event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the same sign-in as if it happened now: an event that is neither late nor a copy."""
    new = copy.deepcopy(dict(event))
    time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    new |= {"id": str(uuid.uuid4()), "time": time}
    if isinstance(detail := new.get("detail"), dict):
        fresh = {"eventID": str(uuid.uuid4()), "eventTime": time}
        detail.update({name: value for name, value in fresh.items() if name in detail})
    return new
