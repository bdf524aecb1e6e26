"""SignIn: what happened, as values that know nothing of CloudTrail's JSON."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from chalicelib.signin.events import SIGN_INS

# What AWS writes in place of a user name that is none: people type passwords there by mistake.
HIDDEN_NAME: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
# AWS's own applications, whose ARNs name no account: where the access goes.
_AWS_CLIENT: Final = re.compile(r"arn:aws[a-z-]*:signin:[a-z0-9-]*::devtools/(same|cross)-device")


class Outcome(StrEnum):
    """How the sign-in went, where AWS says so."""

    SUCCESS = "Success"
    FAILURE = "Failure"
    UNKNOWN = "unknown"

    @classmethod
    def from_word(cls, word: object) -> Self | None:
        """Return the outcome that AWS writes in a record, a word or a truth value; else None."""
        match word.lower() if isinstance(word, str) else word:
            case "success" | "true" | True:
                return cls.SUCCESS
            case "failure" | "false" | False:
                return cls.FAILURE
        return None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who.

    `name` is the person as AWS names them: a user name, a session name, a user id. `role` is
    the role or permission set of a session. `arn` is the IAM user's or the role's own, never a
    session's: whoever assumes a role can choose the session's name. Of a federated user it is that
    of whoever made the session, whom `keys_of` names. `saml_provider` is the identity provider that
    named the person. `source_identity` is what the session was given when it began and cannot
    change. `user_id` is given by IAM Identity Center, in the store `identity_store`.
    """

    type: PrincipalType
    name: str | None = None
    name_hidden: bool = False
    role: str | None = None
    account_id: str | None = None
    arn: str | None = None
    saml_provider: str | None = None
    source_identity: str | None = None
    user_id: str | None = None
    identity_store: str | None = None
    keys_of: Self | None = None

    @property
    def has_chosen_name(self) -> bool:
        """Whether it is a session whose name is the choice of whoever assumed the role."""
        return self.type is PrincipalType.ASSUMED_ROLE and not self.saml_provider

    @property
    def imitates_permission_set(self) -> bool:
        """Whether a role has the name of a permission set, which AWS does not show it to be."""
        role = _letters(self.role)
        return self.type is PrincipalType.ASSUMED_ROLE and role.startswith("awsreservedsso")

    @property
    def imitates_hidden_name(self) -> bool:
        """Whether the name looks as if AWS hid another name behind it."""
        return _letters(HIDDEN_NAME) in _letters(self.name)


def _letters(name: str | None) -> str:
    """Return what an imitation has in common with what it imitates."""
    return "".join(filter(str.isalpha, name or "")).casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class VpcEndpoint:
    """The VPC endpoint that a request came through, and the account that it belongs to."""

    id: str
    account_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthClient:
    """What is given access by `aws login` and its like.

    `id` is AWS's, an ARN. `redirects_to` is the host that gets the authorization code; None if
    that is the same machine.
    """

    id: str
    redirects_to: str | None

    @property
    def kind(self) -> str | None:
        """Where the access goes, `cross_device` or `third_party`; None for the same device."""
        own = _AWS_CLIENT.fullmatch(self.id)
        return "third_party" if not own else "cross_device" if own[1] == "cross" else None


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
    vpc_endpoint: VpcEndpoint | None
    oauth_client: OAuthClient | None
    is_token_refresh: bool
    switched_from: Principal | None
    switched_to: Principal | None
    is_anomaly_alert: bool
    is_api_call: bool
    replayed: bool
    found_by_self_check: bool
    found_cause: str | None
    excerpt: str | None = field(repr=False)

    @property
    def understood(self) -> bool:
        """Whether the event and whoever caused it are of a known kind."""
        return self.excerpt is None

    @property
    def is_entry(self) -> bool:
        """Whether somebody got in."""
        return self.outcome is Outcome.SUCCESS and self.event_name in SIGN_INS

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
    def is_between_accounts(self) -> bool:
        """Whether somebody switched into or out of another account's role: both record it."""
        return len({principal.account_id for principal in self.switch or ()}) > 1

    @property
    def failed_at_mfa(self) -> bool:
        """Whether it failed at the second factor: the first factor was probably right."""
        return (
            self.outcome is Outcome.FAILURE
            and self.mfa is Mfa.YES
            and self.principal.type in OWN_FACTORS
        )
