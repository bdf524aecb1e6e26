"""What the error codes of AWS's services mean."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from botocore.exceptions import ClientError

_Answer = TypeVar("_Answer")

# "403" is what remains where the refusal comes without AWS's own word, as from an endpoint policy.
_DENIED: Final = re.compile(r"AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|^403$")
_THROTTLED: Final = re.compile(r"Throttl|RequestLimitExceeded|TooManyRequests")
_MISSING: Final = re.compile(r"NotFound|NonExistent|DoesNotExist|NoSuch")


def code_of(error: ClientError) -> str:
    """Return AWS's own word for what went wrong; "" if the answer has none."""
    return error.response.get("Error", {}).get("Code", "")


def is_denied(error: ClientError) -> bool:
    """Return whether AWS refused for want of a right."""
    return bool(_DENIED.search(code_of(error)))


def is_missing(error: ClientError) -> bool:
    """Return whether AWS answered that there is no such thing."""
    return bool(_MISSING.search(code_of(error)))


def unless_missing(call: Callable[[], _Answer]) -> _Answer | None:
    """Return what AWS answers to a call; None if it says that there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def is_throttled(error: ClientError) -> bool:
    """Return whether AWS refused because too many asked."""
    return bool(_THROTTLED.search(code_of(error)))
