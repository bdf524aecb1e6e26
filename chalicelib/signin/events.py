"""The sign-in events: what EventBridge is asked for, and the names that are known.

Sources: "AWS Management Console sign-in events" (CloudTrail User Guide), "Sign-in events for IAM
Identity Center" (IAM Identity Center User Guide), "AWS service events delivered via AWS CloudTrail"
(EventBridge User Guide), the AWS Sign-In API Reference.
"""

from typing import Any, Final

from chalicelib.settings import DEFAULT_IGNORED_EVENTS

ANOMALY_ALERT: Final = "Sign-in Anomaly Alert"

_API_CALL: Final = "AWS API Call via CloudTrail"

# What EventBridge is asked for, in the home region and in each that forwards. Every event seen
# says "Sign In"; AWS's list of detail-types says "Signin".
SIGN_IN_PATTERN: Final[dict[str, list[str]]] = {
    "source": ["aws.signin"],
    "detail-type": [
        "AWS Console Sign In via CloudTrail",
        "AWS Console Signin via CloudTrail",
        "AWS Console Action via CloudTrail",
        "AWS Service Event via CloudTrail",
        _API_CALL,
        ANOMALY_ALERT,
    ],
}
# A rule matches read-only events, as those of `aws login` are, only in this state, which Chalice
# cannot set: the home region has a second rule, for them alone.
ALL_EVENTS: Final = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
READ_ONLY_PATTERN: Final[dict[str, Any]] = {
    "source": ["aws.signin"],
    "detail-type": [_API_CALL],
    "detail": {"readOnly": [True]},
}

# The events that bring somebody in.
SIGN_INS: Final = frozenset({"ConsoleLogin", "UserAuthentication", "AuthorizeOAuth2Access"})
# The calls that change who may sign in, end sessions, or give access away.
ACCESS_CHANGES: Final = frozenset(
    {
        "BatchRevokeSessions",
        "CreateBearerToken",
        "DeleteConsoleAuthorizationConfiguration",
        "DeleteResourcePermissionStatement",
        "PutConsoleAuthorizationConfiguration",
        "PutResourcePermissionStatement",
    }
)
# All that signin.amazonaws.com is known to record.
KNOWN_EVENTS: Final = (
    SIGN_INS
    | ACCESS_CHANGES
    | DEFAULT_IGNORED_EVENTS
    | {
        "CreateOAuth2PublicClient",
        "CreateTrustedIdentityPropagationApplicationForConsole",
        "EmailUpdated",
        "ExitRole",
        "ExternalIdPDirectoryLogin",
        "PasswordRecoveryCompleted",
        "PasswordRecoveryRequested",
        "PasswordUpdated",
        "SwitchRole",
    }
)
IDENTITY_CENTER_EVENTS: Final = frozenset(
    {
        "CredentialChallenge",
        "CredentialVerification",
        "ExternalIdPDirectoryLogin",
        "UserAuthentication",
    }
)
