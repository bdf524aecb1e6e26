"""One run of the self-check.

CloudTrail's event history keeps every sign-in, trail or no trail. What is in it and in no decision
of the functions is told now. Faults of the chain are told when they appear, each week while they
last, and when they are gone; once a week a heartbeat gives silence its meaning. What a run must
know of the one before, its own log says.
"""

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import log
from chalicelib.aws.clients import Clients, clients_of
from chalicelib.errors import AWSReadError, DeliveryError
from chalicelib.health.checks import run_checks
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.trail import enabled_regions
from chalicelib.notifier import Notifier
from chalicelib.self_check.checkpoint import Checkpoint
from chalicelib.self_check.decision_log import Decision, DecisionLog
from chalicelib.self_check.findings import EVENT_NAME, Findings, Week
from chalicelib.self_check.message import findings_report
from chalicelib.self_check.missed import Missed, missed, read_history, windows
from chalicelib.settings import Settings, stage_variables

WEEK: Final = timedelta(days=7)
_JITTER: Final = timedelta(hours=1)  # of a schedule: a week is never exactly one
_MEMORY: Final = timedelta(days=8)

# Shares of the invocation's time, and the seconds that one message and the last line may take.
_LOOKING_SHARE: Final = 0.5
_LOGS_SHARE: Final = 0.75
_MESSAGE_SECONDS: Final = 10.0

_REPORTS: Final = ("MfaAudit", EVENT_NAME)  # decisions that are no sign-ins


@dataclass(slots=True)
class _Told:
    """How telling went: what was decided, the causes, the regions with some left, what ended it."""

    decisions: list[Decision] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    unfinished: set[str] = field(default_factory=set)
    error: DeliveryError | None = None


def self_check(
    notifier: Notifier,
    schedule: Mapping[str, Any],
    function_arn: str,
    pattern: Mapping[str, list[str]],
    environ: Mapping[str, str],
    seconds_left: float,
) -> dict[str, Any]:
    """Check the stage of these settings, deployed where this function is; give the log's line.

    Raises what `SelfCheck.run` raises, and SettingsError.
    """
    import boto3  # noqa: PLC0415 — slow

    _, partition, _, _, account_id, *_ = function_arn.split(":")
    deployment = Deployment(
        settings=Settings.from_environment(dict(stage_variables(environ))),
        account_id=account_id,
        pattern=pattern,
        partition=partition,
    )
    check = SelfCheck(deployment, clients_of(boto3.Session()), notifier, datetime.now(UTC))
    return check.run(schedule, seconds_left)


class SelfCheck:
    """Checks one deployment, telling through its notifier."""

    def __init__(
        self, deployment: Deployment, clients: Clients, notifier: Notifier, now: datetime
    ) -> None:
        self._deployment = deployment
        self._clients = clients
        self._notifier = notifier
        self._now = now

    def run(self, schedule: Mapping[str, Any], seconds_left: float) -> dict[str, Any]:
        """Check, tell, and log what the next run must know; give that line.

        `schedule` is the event that asks for it. Raises AWSReadError if the own logs cannot be
        read, DeliveryError if a message could be neither posted nor parked: the next run tells it.
        """
        start = time.monotonic()
        decision_log = DecisionLog(
            self._deployment, self._clients, start + seconds_left * _LOGS_SHARE
        )
        memory = decision_log.last_run(self._now - _MEMORY)
        deployed_at = decision_log.deployed_at()
        regions = self._regions()
        wanted = list(windows(regions, memory, self._now, deployed_at))
        until = start + seconds_left * _LOOKING_SHARE
        with ThreadPoolExecutor(max_workers=1) as pool:  # a region that hangs costs both as much
            looked = pool.submit(
                lambda: list(run_checks(self._deployment, self._clients, until=until))
            )
            reading = read_history(self._clients, wanted, memory, until)
            results = [*looked.result(), *reading.refusals]
        decisions = decision_log.decisions(min([self._now, *(one.start for one in wanted)]))
        end = start + seconds_left
        told = self._tell(missed(reading, decisions, results, deployed_at), end)
        week = self._week(told, end) if self._is_due(memory.heartbeat) else None
        findings = self._findings(results, regions, memory, week)
        memory = Checkpoint(
            regions={
                region: memory.regions[region] if region in told.unfinished else progress
                for region, progress in reading.progress.items()
                if region not in told.unfinished or region in memory.regions
            },
            faults=memory.faults,
            heartbeat=memory.heartbeat,
        )
        if findings.is_worth_posting and not told.error:
            try:
                event = findings.to_event(schedule)
                seconds_left = end - time.monotonic()
                self._notifier.notify_report(findings_report(event), event, seconds_left)
            except DeliveryError as error:
                told.error = error
        if not told.error:
            memory = replace(
                memory,
                faults=self._faults(results, memory, findings),
                heartbeat=self._now if week else memory.heartbeat,
            )
        line = {
            **memory.to_line(),
            "found": dict(told.found),
            "unread": sorted({one.region for one in reading.refusals if one.region}),
        }
        log.write(level="INFO", **line)
        if told.error:
            raise told.error
        return line

    def _regions(self) -> list[str]:
        try:
            return enabled_regions(self._clients, self._deployment.region)
        except (ClientError, BotoCoreError):
            return [self._deployment.region]  # told with the forwards

    def _tell(self, untold: Sequence[Missed], end: float) -> _Told:
        """Return what nobody told, for as long as there is time; the rest is the next run's."""
        told = _Told()
        for one in untold:
            seconds_left = end - time.monotonic()
            if told.error or seconds_left < 2 * _MESSAGE_SECONDS:
                told.unfinished.add(one.region)
                continue
            late = {**one.event, "found-by": "self-check", "found-cause": one.cause}
            try:
                decision = self._notifier.notify(late, seconds_left - _MESSAGE_SECONDS)
            except DeliveryError as error:
                told.error = error
                told.unfinished.add(one.region)
            else:
                told.decisions.append(self._decision(decision))
                if decision["decision"] in ("posted", "parked"):
                    told.found[one.cause] += 1
        return told

    def _week(self, told: _Told, end: float) -> Week | None:
        """Count the last week; None, and a line in the log, if there is not the time for it."""
        decision_log = DecisionLog(self._deployment, self._clients, end - 2 * _MESSAGE_SECONDS)
        try:
            return _week([*decision_log.decisions(self._now - WEEK), *told.decisions])
        except AWSReadError as error:
            log.write(level="WARNING", message=f"No heartbeat yet. {error}")
            return None

    def _decision(self, line: Mapping[str, Any]) -> Decision:
        return Decision(
            event_id=str(line["event_id"]),
            event_name=str(line["event_name"]),
            verdict=str(line["decision"]),
            handler="self_check",
            at=self._now,
        )

    def _findings(
        self,
        results: Sequence[CheckResult],
        regions: Sequence[str],
        memory: Checkpoint,
        week: Week | None,
    ) -> Findings:
        """Return what is told now: of the faults that last, all beside a heartbeat."""
        faults = [result for result in results if result.state is Status.FAULT]
        known = memory.faults
        return Findings(
            account_id=self._deployment.account_id,
            new=[result for result in faults if result.key not in known],
            ongoing=[
                result
                for result in faults
                if result.key in known and (week or self._is_due(known[result.key]))
            ],
            resolved=[_resolved(key) for key in _resolved_faults(results, memory)],
            unknown=[result for result in results if result.state is Status.UNKNOWN],
            uncovered=_blind(results, regions),
            week=week,
        )

    def _faults(
        self, results: Sequence[CheckResult], memory: Checkpoint, findings: Findings
    ) -> dict[str, datetime]:
        """Return when each fault was last told, this run included."""
        told_now = {result.key for result in (*findings.new, *findings.ongoing)}
        gone = set(_resolved_faults(results, memory))
        kept = {key: at for key, at in memory.faults.items() if key not in gone}
        return {**kept, **dict.fromkeys(told_now, self._now)}

    def _is_due(self, last: datetime | None) -> bool:
        """Return whether something that comes once a week comes now."""
        return last is None or self._now - last >= WEEK - _JITTER


def _resolved_faults(results: Sequence[CheckResult], memory: Checkpoint) -> list[str]:
    """List the faults that were told and are no more."""
    return [key for key in memory.faults if not any(_keeps(result, key) for result in results)]


def _keeps(result: CheckResult, key: str) -> bool:
    """Return whether a result keeps a fault from being resolved: it may last, or have changed."""
    told, of = _resolved(key), key.split(":", 2)[2]
    if result.state is Status.OK or result.name != told.name:
        return False
    if result.region is None and (result.state is Status.UNKNOWN or told.region):
        return True
    return result.key.endswith(f":{of}") or (told.region is None and result.region is not None)


def _resolved(key: str) -> CheckResult:
    """Make up the link of a fault that is gone, out of its key."""
    name, _, of = key.split(":", 2)
    return CheckResult.ok(name, region=of if re.fullmatch(r"[a-z-]+-\d", of) else None)


def _blind(results: Sequence[CheckResult], regions: Sequence[str]) -> list[str]:
    """List the regions whose sign-ins do not arrive, as far as can be told."""
    uncovered = {
        result.region
        for result in results
        if result.name in ("trail", "forward") and result.state is Status.FAULT
    }
    return sorted(regions if None in uncovered else filter(None, uncovered))


def _week(decisions: Sequence[Decision]) -> Week:
    """Count the events of a week by what became of each in the end."""
    of_sign_ins = [one for one in decisions if one.event_name not in _REPORTS]
    posted, parked, ignored = (
        {one.event_id for one in of_sign_ins if one.verdict == verdict}
        for verdict in ("posted", "parked", "ignored")
    )
    late = {one.event_id for one in of_sign_ins if one.handler == "self_check"}
    return Week(
        told=len(posted),
        ignored=len(ignored - posted - parked),
        found=len(late & (posted | parked)),
        waiting=len(parked - posted),
        last_told=max((one.at for one in of_sign_ins if one.verdict == "posted"), default=None),
    )
