"""What goes wrong for an operator, in one sentence with its remedy."""

import re
from typing import Final

import click
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from chalicelib.aws.error_codes import code_of, is_denied
from chalicelib.errors import SigninMonitorError

_EXPIRED: Final = re.compile(r"Expired")
_UNKNOWN: Final = re.compile(
    r"InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|AuthFailure|InvalidAccessKeyId"
)
NOT_AWS: Final = (
    "What answered is not AWS, but a proxy or a portal on the way. Look at the network, the proxy "
    "and AWS_ENDPOINT_URL."
)
_PASS_ROLE: Final = frozenset({"PutTargets", "CreateFunction", "UpdateFunctionConfiguration"})
_SIGN_IN: Final = "Sign in again: aws sso login, aws login, or new keys in the profile."


class OpsError(click.ClickException):
    """Raised if a command cannot do what it was asked; its text is all the operator sees."""

    exit_code = 2


def sentence(error: Exception) -> str:
    """Return what an error means and what to do. No request is quoted: it may hold a secret."""
    match error:
        case click.ClickException() | SigninMonitorError():
            return str(error)
        case boto.ClientError():
            return _refused(error)
        case boto.NoCredentialsError() | boto.PartialCredentialsError():
            return (
                "No AWS credentials were found. Make some with aws configure sso or aws login, "
                "or name a profile that has them: --profile NAME."
            )
        case boto.ProfileNotFound():
            return f"{error}. aws configure list-profiles names those that there are."
        case (
            boto.TokenRetrievalError()
            | boto.SSOError()
            | boto.LoginError()
            | boto.CredentialRetrievalError()
        ):
            return f"The AWS credentials cannot be had: expired, or a wrong profile. {_SIGN_IN}"
        case boto.HTTPClientError() | boto.ConnectionError():
            return f"AWS cannot be reached ({error}). Look at the network and at the region's name."
        case ResponseParserError():
            return NOT_AWS
        case boto.BotoCoreError():
            return f"{str(error).rstrip('.')}."
        case OSError() if error.filename:
            return f"{error.filename} cannot be read or written: {error.strerror}."
        case _:
            return (
                f"Something failed that should not ({type(error).__name__}). "
                "The same command with --debug shows where."
            )


def _refused(error: boto.ClientError) -> str:
    code, message = code_of(error), error.response.get("Error", {}).get("Message", "")
    if _EXPIRED.search(code):
        return f"The AWS credentials have expired. {_SIGN_IN}"
    if _UNKNOWN.search(code):
        return (
            f"AWS does not know these credentials ({code}). {_SIGN_IN} If only opt-in regions "
            "answer so, the token is of the global STS endpoint, which they do not accept: set "
            "AWS_STS_REGIONAL_ENDPOINTS=regional."
        )
    if is_denied(error):
        named = re.search(r"perform:? ([a-z0-9-]+:[A-Za-z0-9]+)", message)
        action = named[1] if named else error.operation_name
        # EventBridge and Lambda say nothing where the right to hand over a role is missing.
        passing = " (or iam:PassRole for its role)" if not message and action in _PASS_ROLE else ""
        return (
            f"AWS denies {action}{passing} to these credentials. ops/deployer-policy.json holds "
            "what the commands need."
        )
    if not code or code.isdigit():
        return f"{NOT_AWS} It said {code or 'nothing'} to {error.operation_name}."
    return f"AWS refused {error.operation_name}: {message or code}"
