"""Which names this machine's own pages may be asked for by.

A page of another site can have its own name resolve to 127.0.0.1: its scripts then talk to what
listens there as to themselves, but for the name that the browser sends along.
"""

import re
from typing import Final

_OWN: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?", re.IGNORECASE)


def is_own(host: str | None) -> bool:
    """Return whether a Host header names this machine's own loopback address."""
    return bool(_OWN.fullmatch(host or ""))
