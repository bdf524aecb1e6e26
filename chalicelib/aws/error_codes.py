"""What the error codes of AWS's services mean."""

import re
from typing import Final

from botocore.exceptions import ClientError

# "403" is what remains where the refusal comes without AWS's own word, as from an endpoint policy.
_DENIED: Final = re.compile(r"AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|^403$")
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
