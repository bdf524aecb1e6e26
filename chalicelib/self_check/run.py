"""One run of the self-check.

CloudTrail's event history keeps every sign-in, trail or no trail. What is in it and in no decision
of the functions is posted now. Faults are reported when they appear, each week while they last, and
when they are resolved; a weekly heartbeat gives silence its meaning. What a run must know of the
one before stands in its own log.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import log
from chalicelib.aws.clients import Clients, clients_of
from chalicelib.aws.event_history import Refusal, Window
from chalicelib.decision import authenticated
from chalicelib.errors import DeliveryError
from chalicelib.health.checks import CHECKS, run_checks
from chalicelib.health.deployment import Deployment
from chalicelib.health.regions import enabled_regions
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unread_history
from chalicelib.notifier import Notifier
from chalicelib.self_check.changes import regions_of, resolved_faults
from chalicelib.self_check.checkpoint import Checkpoint, Progress, Totals
from chalicelib.self_check.decision_log import Decision, DecisionLog
from chalicelib.self_check.findings import EVENT_NAME, Findings, Week
from chalicelib.self_check.message import findings_report
from chalicelib.self_check.missed import (
    LOOK_BACK,
    SHORT_LOOK_BACK,
    Known,
    Missed,
    Reading,
    Unposted,
    given_up,
    missed,
    read_history,
    waiting,
    windows,
)
from chalicelib.self_check.passwords import unused_passwords
from chalicelib.settings import Settings, stage_variables
from chalicelib.timeout import call_with_timeout, collect

T = TypeVar("T")

WEEK: Final = timedelta(days=7)
_JITTER: Final = timedelta(hours=1)  # of a schedule: a week is never exactly one
_MEMORY: Final = timedelta(days=8)
# A queue's depth is right a minute after what was sent ("GetQueueAttributes", SQS API Reference).
_QUEUE_DELAY: Final = timedelta(minutes=1)
_REMADE: Final = timedelta(minutes=1)
_MOST_PEOPLE: Final = 2_000
_MOST_UNUSED: Final = 500

# Shares of the invocation's time: until when the last run is looked for, and all is looked at. The
# seconds that a message, and a call that does not end by itself, may take.
_MEMORY_SHARE: Final = 0.2
_LOOKING_SHARE: Final = 0.6
_MESSAGE_SECONDS: Final = 10.0
_GRACE: Final = 2.0

_REPORTS: Final = ("MfaAudit", EVENT_NAME)  # decisions that are no sign-ins
# Reported whenever they are found, once: nothing shows that they are over.
EVENTS: Final = ("lines_forged", "logs_deleted", "history_given_up", "password_unused")


@dataclass(frozen=True, slots=True)
class _Looked:
    """What a run has looked at: the checks' results, the history, and the functions' logs."""

    results: Sequence[CheckResult]
    reading: Reading
    decisions: Sequence[Decision]
    complete_since: datetime
    logs_since: datetime | None


@dataclass(slots=True)
class _Posted:
    """What became of the missed sign-ins; `left` are those that were not posted."""

    decisions: list[Decision] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    left: list[Missed] = field(default_factory=list)
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
    """Checks one deployment, once, and posts through its notifier."""

    def __init__(
        self, deployment: Deployment, clients: Clients, notifier: Notifier, now: datetime
    ) -> None:
        self._deployment = deployment
        self._clients = clients
        self._notifier = notifier
        self._now = now
        self._failures: list[CheckResult] = []

    def run(self, schedule: Mapping[str, Any], seconds_left: float) -> dict[str, Any]:
        """Check, post what is to be posted, and log the checkpoint; return that line.

        `schedule` is the event that asks for it. What cannot be read, takes too long or fails is
        reported, and the rest goes on. Raises DeliveryError if a message could be neither posted
        nor parked: the next run has it.
        """
        start = time.monotonic()
        end, looking_end = start + seconds_left, start + seconds_left * _LOOKING_SHARE
        memory_end = start + seconds_left * _MEMORY_SHARE
        key = self._attempt("webhook", self._key, None, memory_end)
        decision_log = DecisionLog(self._deployment, self._clients, self._now, key)
        last = self._attempt(
            "last run",
            lambda: decision_log.last_run(self._now - _MEMORY, memory_end),
            Checkpoint(),
            memory_end,
        )
        is_first = bool(key) and not (last.at or decision_log.problem or self._failures)
        began = self._now if is_first else last.began
        look_back = LOOK_BACK if last.at or is_first else SHORT_LOOK_BACK
        regions = self._attempt("regions", self._regions, [self._deployment.region], looking_end)
        wanted = list(windows(regions, last, self._now, look_back))
        looked = self._look(wanted, regions, last, decision_log, looking_end)
        reading = looked.reading
        results = list(_lasting(looked.results, last))
        is_empty = _queue_is_empty(results)
        known = Known(
            now=self._now,
            settings=self._deployment.settings,
            decisions=looked.decisions,
            complete_since=looked.complete_since,
            faults=[result for result in results if result.status is Status.FAULT],
            deployed_at=_earliest(last.deployed_at, looked.logs_since),
            began=began,
            lost_before=last.at - _QUEUE_DELAY
            if last.at and is_empty and last.queue_was_empty
            else None,
        )
        unposted = self._attempt("sign-ins", lambda: missed(reading, known), None, end)
        posted = _Posted()
        if key and unposted:
            until = end - _MESSAGE_SECONDS - _GRACE
            self._attempt("posting", lambda: self._post(unposted, posted, end), None, until)
        results += _history(regions, reading)
        results += given_up(regions, last, self._now)
        results += self._evidence(decision_log, last, looked, unposted)
        none: tuple[list[CheckResult], list[str]] = [], []
        passwords, unused = self._attempt(
            "passwords", lambda: unused_passwords(reading, last.unused, self._now), none, end
        )
        results += passwords
        results += self._failures or [CheckResult.ok("self_check")]
        held = self._attempt(
            "queue",
            lambda: waiting(reading, [*looked.decisions, *posted.decisions], last, self._now),
            last.waiting,
            end,
        )
        totals = _totals(last, looked.decisions, posted, self._now)
        is_due = self._is_due(last.heartbeat) and (last.at is not None or is_first)
        week = _week(totals, results) if is_due else None
        findings = self._findings(results, regions, last, week)
        reporting = partial(self._report, findings, schedule, end)
        error = self._attempt("report", reporting, None, end - 2 * _GRACE)
        error = posted.error or error
        checkpoint = replace(
            self._faults_in(last, None if error else findings),
            regions=_progress(last, reading, posted, unposted, decision_log)
            if key and unposted
            else last.regions,
            at=self._now,
            deployed_at=known.deployed_at,
            began=began,
            logs_since=looked.logs_since or last.logs_since,
            queue_was_empty=is_empty,
            waiting=held,
            unknown=tuple(
                (result.check, result.region)
                for result in looked.results
                if result.status is Status.UNKNOWN
            ),
            unused=last.unused if error else (*last.unused, *unused)[-_MOST_UNUSED:],
            totals=Totals() if week and not error else totals,
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

    def _attempt(self, step: str, call: Callable[[], T], otherwise: T, until: float) -> T:
        """Return what a step gives; `otherwise`, and a fault, if it fails or takes too long."""
        seconds = max(until - time.monotonic(), 0) + _GRACE
        try:
            return call_with_timeout(seconds, call)
        except Exception as error:  # noqa: BLE001 — a run always ends with a report
            self._fail(step, error)
            return otherwise

    def _fail(self, step: str, error: Exception) -> None:
        log.write_failure(f"The self-check could not do all: {step}.", error)
        group = self._deployment.log_group("self_check")
        remedy = f"aws logs tail {group} --region {self._deployment.region} --since 2h"
        why = type(error).__name__
        self._failures.append(CheckResult.fault("self_check", "step_failed", remedy, step, why=why))

    def _key(self) -> bytes | None:
        if self._notifier.evidence_key is None:
            self._notifier.warm_up()
        return self._notifier.evidence_key

    def _regions(self) -> list[str]:
        try:
            return enabled_regions(self._clients, self._deployment.region)
        except (ClientError, BotoCoreError):
            return [self._deployment.region]  # reported with the forwards

    def _look(
        self,
        wanted: Sequence[Window],
        regions: Sequence[str],
        last: Checkpoint,
        decision_log: DecisionLog,
        until: float,
    ) -> _Looked:
        """Run the checks, read the history and the logs, all at once: what hangs costs one time."""
        since = min([self._now, *filter(None, [last.at]), *(one.start for one in wanted)])
        unread = [unread_history(Refusal(region, None)) for region in regions]
        nothing = Reading((), dict(last.regions), unread)
        with ThreadPoolExecutor(max_workers=3) as pool:
            checking = pool.submit(self._checks, until)
            reading = pool.submit(
                self._attempt,
                "history",
                lambda: read_history(self._clients, wanted, last, until),
                nothing,
                until,
            )
            decided = pool.submit(
                self._attempt,
                "log of decisions",
                lambda: decision_log.decisions(since, until),
                ([], self._now),
                until,
            )
            logs_since = self._attempt("log groups", decision_log.logs_since, None, until)
            decisions, complete_since = decided.result()
            read = reading.result()
            results = checking.result()
        if logs_since and last.deployed_at and logs_since > last.deployed_at + _REMADE:
            complete_since = max(
                complete_since, logs_since
            )  # the log group was deleted and made again
        return _Looked([*results, *read.refusals], read, decisions, complete_since, logs_since)

    def _checks(self, until: float) -> list[CheckResult]:
        """Run the checks; those that there was no time for are unknown."""
        seconds = max(until - time.monotonic(), 0)
        results, error = collect(seconds, run_checks(self._deployment, self._clients, until=until))
        seen = {result.check for result in results}
        for check in CHECKS if error else ():
            if check.name not in seen:
                results.append(CheckResult(check=check.name, status=Status.UNKNOWN, code="no_time"))
        return results

    def _evidence(
        self,
        decision_log: DecisionLog,
        last: Checkpoint,
        looked: _Looked,
        unposted: Unposted | None,
    ) -> Iterator[CheckResult]:
        """Yield what is wrong with the functions' logs: lines of others, or no reading them."""
        region = self._deployment.region
        for handler, lines in decision_log.forged.items():
            if lines:
                group = self._deployment.log_group(handler)
                remedy = f"aws logs tail {group} --region {region} --since 2h"
                yield CheckResult.fault(
                    "evidence", "lines_forged", remedy, group, handler=handler, count=str(lines)
                )
        if looked.logs_since and last.logs_since and looked.logs_since > last.logs_since:
            group = self._deployment.log_group("on_sign_in")
            yield CheckResult.fault(
                "evidence",
                "logs_deleted",
                "",
                group,
                time=f"{looked.logs_since:%Y-%m-%d %H:%M} UTC",
            )
        if decision_log.problem:
            remedy = self._deployment.ops_command("policies", "--diff")
            yield CheckResult.fault("evidence", "logs_unread", remedy, why=decision_log.problem)
        elif unposted and unposted.older:
            days, count = str(LOOK_BACK.days), str(unposted.older)
            command = self._deployment.ops_command("history", f"--since {days}d")
            yield CheckResult(
                check="evidence",
                status=Status.UNKNOWN,
                code="before_logs",
                facts={"days": days, "count": count, "command": command},
            )
        else:
            yield CheckResult.ok("evidence")

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

    def _faults_in(self, last: Checkpoint, reported: Findings | None) -> Checkpoint:
        """Return what the next run knows of faults; `reported` are the findings, if posted."""
        if reported is None:
            return last
        shown = {result.fault_id for result in (*reported.new, *reported.ongoing)}
        faults = {id_: at for id_, at in last.faults.items() if id_ not in reported.resolved}
        faults |= dict.fromkeys(shown, self._now)
        return replace(
            last,
            faults={id_: at for id_, at in faults.items() if id_.code not in EVENTS},
            heartbeat=self._now if reported.week else last.heartbeat,
        )

    def _post(self, unposted: Unposted, posted: _Posted, end: float) -> None:
        """Post missed sign-ins for as long as there is time; the next run has the rest."""
        posted.left += unposted.to_post
        calls = [one for one in unposted.to_post if one.is_unknown_call]
        together = [calls] if len(calls) > 1 else []
        alone = [[one] for one in unposted.to_post if not (together and one.is_unknown_call)]
        for group in [*alone, *together]:
            seconds_left = end - time.monotonic()
            if seconds_left < 2 * _MESSAGE_SECONDS:
                return
            events = [
                {**one.event, "found-by": "self-check", "found-cause": one.cause} for one in group
            ]
            try:
                lines = self._notifier.notify_together(events, seconds_left - _MESSAGE_SECONDS)
            except DeliveryError as error:
                posted.error = error
                return
            except Exception as error:  # noqa: BLE001 — one record must not hold up the others
                self._fail("posting", error)
                continue
            for one, line in zip(group, lines, strict=True):
                posted.left.remove(one)
                posted.decisions.append(self._decision(line))
                posted.found[one.cause] += line["decision"] in ("posted", "parked")

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
        was_unknown = (result.check, result.region) in last.unknown
        if result.status is not Status.UNKNOWN:
            yield result
        elif result.code == "denied":
            yield replace(result, status=Status.FAULT, code="check_denied")
        elif was_unknown:
            code = "history_unread" if result.check == "history" else "check_unknown"
            facts = {"why": result.facts.get("error", "no time")}
            yield replace(result, status=Status.FAULT, code=code, facts=facts)
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


def _progress(
    last: Checkpoint,
    reading: Reading,
    posted: _Posted,
    unposted: Unposted,
    decision_log: DecisionLog,
) -> dict[str, Progress]:
    """Return how far each region is done with: what was not posted, or is unverified, is not."""
    progress = dict(reading.progress)
    unverified = unposted.unverified if decision_log.problem else ()
    times: dict[str, list[datetime]] = {}
    for one in (*posted.left, *unverified):
        moment = one.assessed.sign_in.event_time or last.at or progress[one.region].until
        times.setdefault(one.region, []).append(moment)
    for region, found in times.items():
        progress[region] = progress[region].with_gap(min(found), max(found))
    return progress


def _earliest(*times: datetime | None) -> datetime | None:
    return min(filter(None, times), default=None)


def _totals(
    last: Checkpoint, decisions: Sequence[Decision], posted: _Posted, now: datetime
) -> Totals:
    """Add what was decided since the last run, each event once, to what was before.

    What the self-check posts is counted by the run that posts it.
    """
    since = last.at or datetime.min.replace(tzinfo=UTC)
    new = [
        one
        for one in decisions
        if since < one.at <= now and one.handler != "self_check" and one.event_name not in _REPORTS
    ]
    new += posted.decisions
    posted_ids, parked, ignored = (
        {one.event_id for one in new if one.verdict == verdict}
        for verdict in ("posted", "parked", "ignored")
    )
    familiar = [one for one in new if one.familiar]
    people = dict.fromkeys((*last.totals.people, *(one.person for one in familiar if one.person)))
    moments = [one.at for one in new if one.verdict == "posted"]
    return Totals(
        posted=last.totals.posted + len(posted_ids),
        ignored=last.totals.ignored + len(ignored - posted_ids - parked),
        found=last.totals.found + posted.found.total(),
        familiar=last.totals.familiar + len({one.event_id for one in familiar}),
        people=tuple(people)[:_MOST_PEOPLE],
        last_posted=max([*moments, *filter(None, [last.totals.last_posted])], default=None),
    )


def _week(totals: Totals, results: Sequence[CheckResult]) -> Week:
    """Return the heartbeat: what was decided, and what the queue holds."""
    depths = [int(one.facts.get("depth", 0)) for one in results if one.check == "queue"]
    return Week(
        posted=totals.posted,
        ignored=totals.ignored,
        found=totals.found,
        waiting=sum(depths),
        last_posted=totals.last_posted,
        familiar=totals.familiar,
        people=len(totals.people),
    )
