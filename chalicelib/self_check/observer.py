"""What a run looks at: the last run, the stage, the history, and what the functions decided."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.event_history import Refusal
from chalicelib.health.checks import CHECKS, run_checks
from chalicelib.health.deployment import Deployment
from chalicelib.health.regions import enabled_regions
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unread_history
from chalicelib.self_check.checkpoint import Checkpoint
from chalicelib.self_check.decision_log import Decision, DecisionLog
from chalicelib.self_check.history import (
    LOOK_BACK,
    SHORT_LOOK_BACK,
    Reading,
    read_history,
    windows,
)
from chalicelib.self_check.log_groups import LogGroups
from chalicelib.self_check.steps import Steps
from chalicelib.timeout import collect

_KEPT: Final = timedelta(days=8)  # a checkpoint, in a log that is kept for a week
# A log group may be a little younger than its function.
_REMADE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the last run left behind, in the log that also keeps the decisions.

    `key` authenticates the log's lines. Where `is_lost`, nobody knows what earlier runs have done.
    """

    key: bytes | None
    decision_log: DecisionLog
    checkpoint: Checkpoint
    is_lost: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What a run has looked at: the checks' results, the history, and the functions' logs."""

    regions: Sequence[str]
    checks: Sequence[CheckResult]
    reading: Reading
    decisions: Sequence[Decision]
    complete_since: datetime
    logs_since: datetime | None

    @property
    def results(self) -> list[CheckResult]:
        """What the checks found, and which regions were read to their end."""
        return [*self.checks, *self.reading.results(self.regions)]


class Observer:
    """Looks at one deployment. Each step that fails is a fault, and the others go on."""

    def __init__(
        self, deployment: Deployment, clients: Clients, steps: Steps, now: datetime
    ) -> None:
        self._deployment = deployment
        self._clients = clients
        self._steps = steps
        self._now = now
        self._log_groups = LogGroups(deployment, clients, now)

    def find_last_run(self, key: bytes | None, until: float) -> LastRun:
        """Find what the last run left behind; without it, see whether this run is the first.

        `key` authenticates the stage's log lines; times are of `time.monotonic`.
        """
        decision_log = DecisionLog(self._deployment, self._clients, self._log_groups, key)
        checkpoint = self._steps.attempt(
            "last run",
            lambda: decision_log.last_run(self._now - _KEPT, until),
            Checkpoint(),
            until,
        )
        is_first = bool(key) and not (checkpoint.at or decision_log.problem or self._steps.failures)
        if is_first:
            checkpoint = replace(checkpoint, began=self._now)
        return LastRun(key, decision_log, checkpoint, is_lost=not (checkpoint.at or is_first))

    def look(self, last_run: LastRun, until: float) -> Observed:
        """Run the checks, read the history and the logs, all at once: what hangs costs one time."""
        last, decision_log = last_run.checkpoint, last_run.decision_log
        known = sorted({self._deployment.region, *last.regions})
        regions = self._steps.attempt("regions", lambda: self._regions(known), known, until)
        look_back = SHORT_LOOK_BACK if last_run.is_lost else LOOK_BACK
        wanted = list(windows(regions, last, self._now, look_back))
        since = min([self._now, *filter(None, [last.at]), *(window.start for window in wanted)])
        unread = [unread_history(Refusal(region, None)) for region in regions]
        with ThreadPoolExecutor(max_workers=3) as pool:
            checking = pool.submit(self._checks, until)
            reading = pool.submit(
                self._steps.attempt,
                "history",
                lambda: read_history(self._clients, wanted, last, until),
                Reading((), dict(last.regions), unread),
                until,
            )
            decided = pool.submit(
                self._steps.attempt,
                "log of decisions",
                lambda: decision_log.decisions(since, until),
                ([], self._now),
                until,
            )
            logs_since = self._steps.attempt("log groups", self._log_groups.made_at, None, until)
            decisions, complete_since = decided.result()
        if logs_since and last.deployed_at and logs_since > last.deployed_at + _REMADE:
            complete_since = max(complete_since, logs_since)  # the group was deleted and made again
        return Observed(
            regions, checking.result(), reading.result(), decisions, complete_since, logs_since
        )

    def _regions(self, known: list[str]) -> list[str]:
        try:
            return enabled_regions(self._clients, self._deployment.region)
        except (ClientError, BotoCoreError):
            return known  # reported with the forwards

    def _checks(self, until: float) -> list[CheckResult]:
        """Run the checks; those that there was no time for are unknown."""
        seconds = max(until - time.monotonic(), 0)
        results, error = collect(seconds, run_checks(self._deployment, self._clients, until=until))
        seen = {result.check for result in results}
        for check in CHECKS if error else ():
            if check.name not in seen:
                results.append(CheckResult(check=check.name, status=Status.UNKNOWN, code="no_time"))
        return results
