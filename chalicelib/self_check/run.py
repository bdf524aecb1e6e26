"""One run of the self-check.

CloudTrail's event history keeps every sign-in, trail or no trail. What is in it and in no decision
of the functions is posted now. Faults are reported when they appear, each week while they last, and
when they are resolved; a weekly heartbeat gives silence its meaning. What a run must know of the
one before stands in its own log.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import log
from chalicelib.aws.clients import Clients, clients_of
from chalicelib.aws.event_history import Window
from chalicelib.decision import authenticated
from chalicelib.errors import DeliveryError
from chalicelib.health.checks import run_checks
from chalicelib.health.deployment import Deployment
from chalicelib.health.regions import enabled_regions
from chalicelib.health.result import CheckResult, Status
from chalicelib.notifier import Notifier
from chalicelib.self_check.changes import regions_of, resolved_faults
from chalicelib.self_check.checkpoint import Checkpoint
from chalicelib.self_check.decision_log import Decision, DecisionLog
from chalicelib.self_check.findings import EVENT_NAME, Findings, Week
from chalicelib.self_check.message import findings_report
from chalicelib.self_check.missed import Missed, Reading, missed, read_history, waiting, windows
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
class _Posted:
    """What became of the missed sign-ins; `unfinished` regions have some left."""

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
    """Checks one deployment, and posts through its notifier."""

    def __init__(
        self, deployment: Deployment, clients: Clients, notifier: Notifier, now: datetime
    ) -> None:
        self._deployment = deployment
        self._clients = clients
        self._notifier = notifier
        self._now = now

    def run(self, schedule: Mapping[str, Any], seconds_left: float) -> dict[str, Any]:
        """Check, post what is to be posted, and log the checkpoint; return that line.

        `schedule` is the event that asks for it. What cannot be read is reported. Raises
        DeliveryError if a message could be neither posted nor parked: the next run has it.
        """
        start = time.monotonic()
        end = start + seconds_left
        if self._notifier.evidence_key is None:
            self._notifier.warm_up()
        key = self._notifier.evidence_key
        logs_until = start + seconds_left * _LOGS_SHARE
        decision_log = DecisionLog(self._deployment, self._clients, logs_until, key)
        last = decision_log.last_run(self._now - _MEMORY)
        deployed_at = decision_log.deployed_at()
        regions = self._regions()
        wanted = list(windows(regions, last, self._now))
        looked, reading = self._look(wanted, last, start + seconds_left * _LOOKING_SHARE)
        since = min([self._now, *filter(None, [last.at]), *(one.start for one in wanted)])
        decisions = decision_log.decisions(since)
        results = [
            *_lasting(looked, last),
            *_history(regions, reading),
            *self._evidence(decision_log),
        ]
        is_empty = _queue_is_empty(looked)
        unposted = missed(
            reading,
            decisions,
            results,
            deployed_at,
            self._deployment.settings,
            lost_before=last.at if is_empty and last.queue_was_empty else None,
            decisions_are_complete=decision_log.problem is None and key is not None,
        )
        posted = self._post(unposted, end)
        week = self._week(posted, end) if self._is_due(last.heartbeat) else None
        findings = self._findings(results, regions, last, week)
        error = posted.error or self._report(findings, schedule, end)
        checkpoint = replace(
            self._checkpoint(last, reading, posted, None if error else findings),
            at=self._now,
            queue_was_empty=is_empty,
            waiting=waiting(reading, [*decisions, *posted.decisions], last, self._now),
            unknown=tuple(
                (result.check, result.region)
                for result in looked
                if result.status is Status.UNKNOWN
            ),
        )
        line = {
            **checkpoint.to_line(),
            "found": dict(posted.found),
            "unread": sorted({one.region for one in reading.refusals if one.region}),
        }
        line = authenticated({"level": "INFO", **line}, key)
        log.write(**line)
        if error:
            raise error
        return line

    def _evidence(self, decision_log: DecisionLog) -> Iterator[CheckResult]:
        """Yield what is wrong with the functions' logs: lines of others, or no reading them."""
        for handler, count in decision_log.forged.items():
            group = self._deployment.log_group(handler)
            remedy = f"aws logs tail {group} --region {self._deployment.region} --since 2h"
            yield CheckResult.fault(
                "evidence", "lines_forged", remedy, group, handler=handler, count=str(count)
            )
        if decision_log.problem:
            remedy = self._deployment.ops_command("policies", "--diff")
            yield CheckResult.fault(
                "evidence", "logs_unread", remedy, why=str(decision_log.problem)
            )

    def _look(
        self, wanted: Sequence[Window], last: Checkpoint, until: float
    ) -> tuple[list[CheckResult], Reading]:
        """Run the checks and read the history at once: a region that hangs costs both as much."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            checking = pool.submit(
                lambda: list(run_checks(self._deployment, self._clients, until=until))
            )
            reading = read_history(self._clients, wanted, last, until)
            return [*checking.result(), *reading.refusals], reading

    def _report(
        self, findings: Findings, schedule: Mapping[str, Any], end: float
    ) -> DeliveryError | None:
        """Post the findings, if there is anything to post; return what kept that from working."""
        if findings.is_worth_posting:
            event = findings.to_event(schedule)
            report = findings_report(event)
            try:
                self._notifier.notify_report(report, event, end - time.monotonic())
            except DeliveryError as error:
                return error
        return None

    def _checkpoint(
        self, last: Checkpoint, reading: Reading, posted: _Posted, reported: Findings | None
    ) -> Checkpoint:
        """Return what the next run starts from; `reported` are the findings that were posted."""
        regions = {
            region: last.regions[region] if region in posted.unfinished else progress
            for region, progress in reading.progress.items()
            if region not in posted.unfinished or region in last.regions
        }
        if reported is None:
            return replace(last, regions=regions)
        shown = {result.fault_id for result in (*reported.new, *reported.ongoing)}
        faults = {id_: at for id_, at in last.faults.items() if id_ not in reported.resolved}
        faults |= dict.fromkeys(shown, self._now)
        return Checkpoint(
            regions=regions,  # what is wrong with the evidence is reported whenever it is found
            faults={id_: at for id_, at in faults.items() if id_.check != "evidence"},
            heartbeat=self._now if reported.week else last.heartbeat,
        )

    def _regions(self) -> list[str]:
        try:
            return enabled_regions(self._clients, self._deployment.region)
        except (ClientError, BotoCoreError):
            return [self._deployment.region]  # reported with the forwards

    def _post(self, unposted: Sequence[Missed], end: float) -> _Posted:
        """Post missed sign-ins for as long as there is time; the next run has the rest."""
        posted = _Posted()
        for one in unposted:
            seconds_left = end - time.monotonic()
            if posted.error or seconds_left < 2 * _MESSAGE_SECONDS:
                posted.unfinished.add(one.region)
                continue
            late = {**one.event, "found-by": "self-check", "found-cause": one.cause}
            try:
                decision = self._notifier.notify(late, seconds_left - _MESSAGE_SECONDS)
            except DeliveryError as error:
                posted.error = error
                posted.unfinished.add(one.region)
            else:
                posted.decisions.append(self._decision(decision))
                if decision["decision"] in ("posted", "parked"):
                    posted.found[one.cause] += 1
        return posted

    def _week(self, posted: _Posted, end: float) -> Week | None:
        """Count the last week; None, and a line in the log, if there is not the time for it."""
        decision_log = DecisionLog(
            self._deployment,
            self._clients,
            end - 2 * _MESSAGE_SECONDS,
            self._notifier.evidence_key,
        )
        week = _week([*decision_log.decisions(self._now - WEEK), *posted.decisions])
        if decision_log.problem:
            log.write(level="WARNING", message=f"No heartbeat yet. {decision_log.problem}")
            return None
        return week

    def _decision(self, line: Mapping[str, Any]) -> Decision:
        return Decision.from_line(line, "self_check", self._now)

    def _findings(
        self,
        results: Sequence[CheckResult],
        regions: Sequence[str],
        last: Checkpoint,
        week: Week | None,
    ) -> Findings:
        """Return what is reported now; faults that last are once a week, and beside a heartbeat."""
        faults = [result for result in results if result.status is Status.FAULT]
        known = last.faults
        return Findings(
            account_id=self._deployment.account_id,
            new=[fault for fault in faults if fault.fault_id not in known],
            ongoing=[
                fault
                for fault in faults
                if fault.fault_id in known and (week or self._is_due(known[fault.fault_id]))
            ],
            resolved=resolved_faults(known, results),
            unknown=[result for result in results if result.status is Status.UNKNOWN],
            uncovered=_uncovered(results, regions),
            week=week,
        )

    def _is_due(self, last: datetime | None) -> bool:
        """Return whether something that comes once a week comes now."""
        return last is None or self._now - last >= WEEK - _JITTER


def _lasting(results: Sequence[CheckResult], last: Checkpoint) -> Iterator[CheckResult]:
    """Yield results, those that AWS denies, or that were unknown before as well, as faults."""
    for result in results:
        is_denied = result.status is Status.UNKNOWN and result.code == "denied"
        was_unknown = (result.check, result.region) in last.unknown
        if is_denied:
            yield replace(result, status=Status.FAULT, code="check_denied")
        elif result.status is Status.UNKNOWN and was_unknown:
            yield replace(
                result,
                status=Status.FAULT,
                code="check_unknown",
                facts={"why": result.facts.get("error", "no time")},
            )
        else:
            yield result


def _history(regions: Sequence[str], reading: Reading) -> Iterator[CheckResult]:
    """Yield the regions whose history was read to its end."""
    unread = {refusal.region for refusal in reading.refusals}
    for region in regions:
        if region not in unread:
            yield CheckResult.ok("history", region=region)


def _queue_is_empty(results: Sequence[CheckResult]) -> bool:
    """Return whether the undelivered queue holds nothing, or is not there."""
    return any(
        result.code == "queue_missing" or result.facts.get("depth") == "0"
        for result in results
        if result.check == "queue"
    )


def _uncovered(results: Sequence[CheckResult], regions: Sequence[str]) -> list[str]:
    """Return the regions whose sign-ins do not arrive, as far as the results show it."""
    uncovered: set[str] = set()
    for result in results:
        if result.check in ("trail", "forward", "role") and result.status is Status.FAULT:
            uncovered.update(regions if (found := regions_of(result)) is None else found)
    return sorted(uncovered)


def _week(decisions: Sequence[Decision]) -> Week:
    """Count the events of a week by what became of each in the end."""
    of_sign_ins = [one for one in decisions if one.event_name not in _REPORTS]
    posted, parked, ignored = (
        {one.event_id for one in of_sign_ins if one.verdict == verdict}
        for verdict in ("posted", "parked", "ignored")
    )
    late = {one.event_id for one in of_sign_ins if one.handler == "self_check"}
    familiar = [one for one in of_sign_ins if one.familiar]
    return Week(
        posted=len(posted),
        ignored=len(ignored - posted - parked),
        found=len(late & (posted | parked)),
        waiting=len(parked - posted),
        last_posted=max((one.at for one in of_sign_ins if one.verdict == "posted"), default=None),
        familiar=len({one.event_id for one in familiar}),
        people=len({one.person for one in familiar if one.person}),
    )
