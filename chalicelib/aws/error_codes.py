"""What the error codes of AWS's services mean."""

import re
from typing import Final

from botocore.exceptions import ClientError

# "403" is what remains where the refusal comes without AWS's own word, as from an endpoint policy.
_DENIED: Final = re.compile(r"AccessDenied|Unauthorized|NotAuthorized|AuthorizationError|^403$")


def is_denied(error: ClientError) -> bool:
    """Return whether AWS refused for want of a right."""
    return bool(_DENIED.search(error.response.get("Error", {}).get("Code", "")))


def is_missing(error: ClientError) -> bool:
    """Return whether AWS answered that there is no such thing."""
    code = error.response.get("Error", {}).get("Code", "")
    return bool(re.search(r"NotFound|NonExistent|DoesNotExist|NoSuch", code))
