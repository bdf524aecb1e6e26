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

from chalicelib.aws.clients import Clients
from chalicelib.health.baseline import baseline
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import concurrency, errors, function, logs
from chalicelib.health.key import ciphertext, key
from chalicelib.health.queue import queue, redelivery
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unknown
from chalicelib.health.rule import permission, rule, target
from chalicelib.health.trail import forward, trail

Check = Callable[[Deployment, Clients], Iterator[CheckResult]]

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
    baseline,
    logs,
)


def run_checks(
    deployment: Deployment,
    clients: Clients,
    checks: Iterable[Check] = CHECKS,
    *,
    until: float | None = None,
) -> Iterator[CheckResult]:
    """Look at each link in turn, those with time before `until` (of `time.monotonic`).

    Raises nothing that AWS causes.
    """
    for check in checks:
        if until and time.monotonic() > until:
            yield CheckResult(name=check.__name__, state=Status.UNKNOWN, code="no_time")
            continue
        try:
            yield from check(deployment, clients)
        except (ClientError, BotoCoreError) as error:
            yield unknown(check.__name__, error)
