"""The sign-in events: what EventBridge is asked for, and the names that are known.

Sources: "AWS Management Console sign-in events" (CloudTrail User Guide), "Sign-in events for IAM
Identity Center" (IAM Identity Center User Guide).
"""

from typing import Final

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
IDENTITY_CENTER_EVENTS: Final = frozenset(
    {
        "CredentialChallenge",
        "CredentialVerification",
        "ExternalIdPDirectoryLogin",
        "UserAuthentication",
    }
)
