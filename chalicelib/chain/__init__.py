"""The chain that a sign-in travels, link by link: one piece of code with two faces.

`python -m ops doctor` looks with an operator's rights, `self_check` with the function's own. A
check is a function of the deployment and of a maker of clients; it changes nothing. It yields a
link for each thing that it looked at, none for what another link has told already, and may let
boto3's errors through: `inspect` makes them "cannot tell".
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.chain.clients import clients_of
from chalicelib.chain.function import concurrency, configuration, errors, function, logs
from chalicelib.chain.link import Clients, Deployment, Link, State
from chalicelib.chain.queue import queue, redelivery
from chalicelib.chain.rights import (
    DOCTORS_ACTIONS,
    READ_ACTIONS,
    cannot_tell,
    is_denied,
    is_missing,
)
from chalicelib.chain.rule import permission, rule, target
from chalicelib.chain.secret import ciphertext, key
from chalicelib.chain.telling import fold, sentence
from chalicelib.chain.trail import enabled_regions, forward, trail

__all__ = [
    "CHECKS",
    "DOCTORS_ACTIONS",
    "READ_ACTIONS",
    "Check",
    "Clients",
    "Deployment",
    "Link",
    "State",
    "cannot_tell",
    "ciphertext",
    "clients_of",
    "configuration",
    "enabled_regions",
    "fold",
    "forward",
    "inspect",
    "is_denied",
    "is_missing",
    "sentence",
]

Check = Callable[[Deployment, Clients], Iterator[Link]]

# In the order in which an event travels.
CHECKS: Final[tuple[Check, ...]] = (
    trail,
    forward,
    rule,
    target,
    permission,
    function,
    concurrency,
    errors,
    key,
    ciphertext,
    queue,
    redelivery,
    logs,
)


def inspect(
    deployment: Deployment,
    clients: Clients,
    checks: Iterable[Check] = CHECKS,
    *,
    until: float | None = None,
) -> Iterator[Link]:
    """Look at each link in turn, those with time before `until` (of `time.monotonic`).

    Raises nothing that AWS causes.
    """
    for check in checks:
        if until and time.monotonic() > until:
            yield Link(name=check.__name__, state=State.CANNOT_TELL, code="no_time")
            continue
        try:
            yield from check(deployment, clients)
        except (ClientError, BotoCoreError) as error:
            yield cannot_tell(check.__name__, error)
