"""Steps of a run, none of which ends it: a run always ends with a report."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from chalicelib import log
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult
from chalicelib.timeout import call_with_timeout

T = TypeVar("T")

GRACE: Final = 2.0  # seconds for a step whose time is over to end by itself


class Steps:
    """What a run does, and the `failures` of it, as faults that it reports."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.failures: list[CheckResult] = []

    def attempt(self, step: str, call: Callable[[], T], otherwise: T, until: float) -> T:
        """Return what a step gives; `otherwise`, and a fault, if it fails or takes too long."""
        seconds = max(until - time.monotonic(), 0) + GRACE
        try:
            return call_with_timeout(seconds, call)
        except Exception as error:  # noqa: BLE001 — a run always ends with a report
            self.fail(step, error)
            return otherwise

    def fail(self, step: str, error: Exception) -> None:
        """Log why a step failed, and keep the fault."""
        log.write_failure(f"The self-check could not do all: {step}.", error)
        group = self._deployment.log_group("self_check")
        remedy = f"aws logs tail {group} --region {self._deployment.region} --since 2h"
        why = type(error).__name__
        self.failures.append(CheckResult.fault("self_check", "step_failed", remedy, step, why=why))
