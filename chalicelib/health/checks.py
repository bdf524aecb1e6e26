"""The checks of a stage, in the order in which a sign-in travels from CloudTrail to the channel.

`python -m ops doctor` runs them with an operator's rights, `self_check` with the function's own.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from chalicelib.aws.clients import Clients
from chalicelib.health.baseline import check_baseline
from chalicelib.health.bus import check_bus
from chalicelib.health.deployment import Deployment
from chalicelib.health.forward import check_forward
from chalicelib.health.function import (
    check_concurrency,
    check_errors,
    check_function,
    check_logs,
    check_retries,
)
from chalicelib.health.key import check_ciphertext, check_key
from chalicelib.health.queue import check_queue, check_redelivery
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unknown
from chalicelib.health.rule import (
    check_permission,
    check_read_only_rule,
    check_rule,
    check_target,
)
from chalicelib.health.trail import check_trail


@dataclass(frozen=True, slots=True)
class Check:
    """A check by name.

    `run` changes nothing. It yields a result for each resource that it looked at, none for what
    another check reports, and may let boto3's errors through.
    """

    name: str
    run: Callable[[Deployment, Clients], Iterator[CheckResult]]


CHECKS: Final = (
    Check("trail", check_trail),
    Check("forward", check_forward),
    Check("bus", check_bus),
    Check("rule", check_rule),
    Check("read_only_rule", check_read_only_rule),
    Check("target", check_target),
    Check("permission", check_permission),
    Check("function", check_function),
    Check("concurrency", check_concurrency),
    Check("retries", check_retries),
    Check("errors", check_errors),
    Check("key", check_key),
    Check("ciphertext", check_ciphertext),
    Check("queue", check_queue),
    Check("redelivery", check_redelivery),
    Check("baseline", check_baseline),
    Check("logs", check_logs),
)


def run_checks(
    deployment: Deployment,
    clients: Clients,
    checks: Iterable[Check] = CHECKS,
    *,
    until: float | None = None,
) -> Iterator[CheckResult]:
    """Run the checks in turn, those that begin before `until` (of `time.monotonic`).

    What AWS refuses makes a result unknown, and so does an answer that no check expects. Raises
    nothing.
    """
    for check in checks:
        if until and time.monotonic() > until:
            yield CheckResult(check=check.name, status=Status.UNKNOWN, code="no_time")
            continue
        try:
            yield from check.run(deployment, clients)
        except Exception as error:  # noqa: BLE001 — the other checks, and the report, go on
            yield unknown(check.name, error)
