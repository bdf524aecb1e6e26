"""Who a person is to the baseline: the key of the item that remembers them.

Nobody may choose the key: an attacker who could would sign in as somebody familiar. A session's
name counts only where an identity provider gives it: IAM Identity Center for a role under its
reserved path, or the SAML provider that is named with it. Whoever assumes any other role chooses
the session's name, so there the role is the person.
"""

from typing import Final

from chalicelib.signin.model import PrincipalType, SignIn

_LONGEST: Final = 1_000  # bytes; DynamoDB takes 2,048 for a partition key


def person_of(sign_in: SignIn) -> str | None:
    """Return the key of whoever signed in; None where AWS does not say who it is."""
    key = _key(sign_in)
    return key if key and len(key.encode(errors="replace")) <= _LONGEST else None


def is_role(key: str) -> bool:
    """Return whether the key is a role's, which stands for whoever uses it."""
    return key.startswith("arn:") and ":role/" in key


def name_of(key: str) -> str:
    """Return the name by which people know a person of that key."""
    return key.rpartition("/" if key.startswith(("arn:", "federated ")) else " ")[2]


def is_named(key: str, text: str) -> bool:
    """Return whether a text is a person's key, name, or name before its @."""
    name, wanted = name_of(key).casefold(), text.casefold()
    return wanted in (key.casefold(), name, name.partition("@")[0])


def _key(sign_in: SignIn) -> str | None:
    principal = sign_in.principal
    words: tuple[str | None, ...] = (principal.arn,)
    match principal.type:
        case PrincipalType.ROOT:
            words = ("root", principal.account_id or sign_in.account_id)
        case PrincipalType.IDENTITY_CENTER_USER if sign_in.application:
            # A directory of WorkSpaces may have an alice of its own.
            words = ("directory", sign_in.account_id, sign_in.application, principal.name)
        case PrincipalType.IDENTITY_CENTER_USER | PrincipalType.PERMISSION_SET:
            words = ("sso", principal.name)
        case PrincipalType.FEDERATED_USER:
            words = ("federated", principal.arn)
        case _ if principal.saml_provider:
            words = ("saml", principal.saml_provider, principal.name)
    known = [word for word in words if word]
    return " ".join(known) if len(known) == len(words) else None
