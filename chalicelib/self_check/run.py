"""One run of the self-check.

CloudTrail's event history keeps every sign-in, trail or no trail. What is in it and in no decision
of the functions is posted now. Faults are reported when they appear, each week while they last, and
when they are resolved. What a run must know of the run before stands in its own log.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from chalicelib import log
from chalicelib.aws.clients import Clients, clients_of
from chalicelib.decision import authenticated
from chalicelib.errors import DeliveryError
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.notifier import Notifier
from chalicelib.self_check.changes import is_outage, lasting, resolved_faults, uncovered
from chalicelib.self_check.checkpoint import Checkpoint, Progress, Totals, Waiting
from chalicelib.self_check.evidence import check_evidence
from chalicelib.self_check.findings import Findings, Week
from chalicelib.self_check.heartbeat import is_due, totals_since, week_of
from chalicelib.self_check.history import LOOK_BACK, SHORT_LOOK_BACK, given_up, given_up_gaps
from chalicelib.self_check.message import findings_report
from chalicelib.self_check.missed import Known, Missed, Unposted, missed, waiting
from chalicelib.self_check.observer import LastRun, Observed, Observer
from chalicelib.self_check.passwords import unused_passwords
from chalicelib.self_check.posting import MESSAGE_SECONDS, Posting
from chalicelib.self_check.steps import GRACE, Steps
from chalicelib.settings import Settings, stage_variables
from chalicelib.timeout import call_with_timeout

# A queue's depth is right a minute after what was sent ("GetQueueAttributes", SQS API Reference).
_QUEUE_DELAY: Final = timedelta(minutes=1)
_MOST_UNUSED: Final = 500

# Shares of the invocation's time: until when the last run is looked for, and all is looked at.
_LAST_RUN_SHARE: Final = 0.2
_LOOKING_SHARE: Final = 0.6

# Reported whenever they are found, once: nothing shows that they are over.
EVENTS: Final = (
    "lines_forged",
    "logs_deleted",
    "history_given_up",
    "region_gone",
    "password_unused",
)


@dataclass(frozen=True, slots=True)
class _Done:
    """What a run has found and posted.

    `unposted` is None if that failed. `passwords` are results, of the attempts `unused`; `waiting`
    is what the queue holds.
    """

    unposted: Unposted | None
    posting: Posting
    passwords: Sequence[CheckResult]
    unused: Sequence[str]
    waiting: tuple[Waiting, ...]


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
        self._notifier = notifier
        self._now = now
        self._steps = Steps(deployment)
        self._observer = Observer(deployment, clients, self._steps, now)

    def run(self, schedule: Mapping[str, Any], seconds_left: float) -> dict[str, Any]:
        """Check, post what is to be posted, and log the checkpoint; return that line.

        `schedule` is the event that asks for it. What cannot be read, takes too long or fails is
        reported, and the rest goes on. Raises DeliveryError if a message could be neither posted
        nor parked: the next run has it.
        """
        start = time.monotonic()
        end = start + seconds_left
        last_run_end = start + seconds_left * _LAST_RUN_SHARE
        key = self._steps.attempt("webhook", self._key, None, last_run_end)
        last_run = self._observer.find_last_run(key, last_run_end)
        observed = self._observer.look(last_run, start + seconds_left * _LOOKING_SHARE)
        last = last_run.checkpoint
        results = list(lasting(observed.results, last.unknown))
        done = self._find_and_post(last_run, observed, end)
        results += self._more_results(last_run, observed, done)
        totals = totals_since(last, observed.decisions, done.posting, self._now)
        is_week = is_due(last.heartbeat, self._now) and not last_run.is_lost
        week = week_of(totals, results) if is_week else None
        findings = self._findings(results, observed, last, week)
        error = self._report(findings, schedule, end)
        checkpoint = replace(
            last if error else self._reported(last, observed, findings, done.unused),
            regions=self._progress(last_run, observed, done, is_reported=not error),
            at=self._now,
            deployed_at=_earliest(last.deployed_at, observed.logs_since),
            queue_was_empty=_queue_is_empty(results),
            waiting=done.waiting,
            unknown=tuple(
                (result.check, result.region)
                for result in observed.results
                if result.status is Status.UNKNOWN
            ),
            totals=totals if error or not week else Totals(last_posted=totals.last_posted),
        )
        refusals = observed.reading.refusals
        line = {
            **checkpoint.to_line(),
            "function": self._deployment.function_arn("self_check"),
            "found": dict(done.posting.found),
            "unread": sorted({refusal.region for refusal in refusals if refusal.region}),
        }
        line = authenticated({"level": "INFO", **line}, key)
        log.write(**line)
        if error := done.posting.error or error:
            raise error
        return line

    def _find_and_post(self, last_run: LastRun, observed: Observed, end: float) -> _Done:
        """Find what was missed, and post it; each step that fails leaves the others their turn."""
        last, reading = last_run.checkpoint, observed.reading
        was_empty = last.queue_was_empty and _queue_is_empty(observed.results)
        known = Known(
            now=self._now,
            settings=self._deployment.settings,
            decisions=observed.decisions,
            complete_since=observed.complete_since,
            faults=[result for result in observed.results if result.status is Status.FAULT],
            deployed_at=_earliest(last.deployed_at, observed.logs_since),
            began=last.began,
            lost_before=last.at - _QUEUE_DELAY if last.at and was_empty else last.stuck_before,
        )
        unposted = self._steps.attempt("sign-ins", lambda: missed(reading, known), None, end)
        posting = self._post(unposted.to_post if last_run.key and unposted else (), end)
        nothing: tuple[list[CheckResult], list[str]] = ([], [])
        passwords, unused = self._steps.attempt(
            "passwords", lambda: unused_passwords(reading, last.unused, self._now), nothing, end
        )
        decisions = [*observed.decisions, *posting.decisions]
        held = self._steps.attempt(
            "queue", lambda: waiting(reading, decisions, last, self._now), last.waiting, end
        )
        return _Done(unposted, posting, passwords, unused, held)

    def _more_results(
        self, last_run: LastRun, observed: Observed, done: _Done
    ) -> Iterator[CheckResult]:
        """Yield what the run itself has found out, beside the checks."""
        last = last_run.checkpoint
        older = done.unposted.older if done.unposted else 0
        yield from given_up(observed.regions, last, observed.reading, self._now)
        yield from check_evidence(
            self._deployment, last_run.decision_log, last, observed.logs_since, older
        )
        yield from done.passwords
        yield from self._steps.failures or [CheckResult.ok("self_check")]

    def _key(self) -> bytes | None:
        if self._notifier.evidence_key is None:
            self._notifier.warm_up()
        return self._notifier.evidence_key

    def _post(self, to_post: Sequence[Missed], end: float) -> Posting:
        """Post missed sign-ins, for as long as there is time for a report after them."""
        posting = Posting(list(to_post))
        if posting.left:
            until = end - MESSAGE_SECONDS - GRACE
            post = partial(posting.post, self._notifier, self._now, end)
            self._steps.attempt("posting", post, None, until)
        for error in posting.failures:
            self._steps.fail("posting", error)
        return posting

    def _findings(
        self,
        results: Sequence[CheckResult],
        observed: Observed,
        last: Checkpoint,
        week: Week | None,
    ) -> Findings:
        """Return what is reported now; faults that last are once a week, and beside a heartbeat.

        Outages come first: a message shows a few faults only.
        """
        faults = [result for result in results if result.status is Status.FAULT]
        faults.sort(key=lambda fault: not is_outage(fault))
        known = last.faults
        return Findings(
            account_id=self._deployment.account_id,
            new=[fault for fault in faults if fault.fault_id not in known],
            ongoing=[
                fault
                for fault in faults
                if fault.fault_id in known and (week or is_due(known[fault.fault_id], self._now))
            ],
            resolved=resolved_faults(known, results),
            unknown=[result for result in results if result.status is Status.UNKNOWN],
            uncovered=uncovered(observed.results, observed.regions),
            week=week,
        )

    def _report(
        self, findings: Findings, schedule: Mapping[str, Any], end: float
    ) -> DeliveryError | None:
        """Post the findings, if there is anything to post; return what kept that from working."""
        if not findings.is_worth_posting:
            return None
        event = findings.to_event(schedule)

        def post() -> None:
            self._notifier.notify_report(findings_report(event), event, end - time.monotonic())

        try:
            call_with_timeout(max(end - time.monotonic() - GRACE, GRACE), post)
        except DeliveryError as error:
            return error
        except Exception as error:  # noqa: BLE001 — the checkpoint is written all the same
            self._steps.fail("report", error)
            why = f"The report could not be posted ({type(error).__name__})."
            return DeliveryError("report_failed", why, act="developers")
        return None

    def _reported(
        self, last: Checkpoint, observed: Observed, findings: Findings, unused: Sequence[str]
    ) -> Checkpoint:
        """Return what the next run knows of findings that are posted now."""
        shown = {result.fault_id for result in (*findings.new, *findings.ongoing)}
        faults = {id_: at for id_, at in last.faults.items() if id_ not in findings.resolved}
        faults |= dict.fromkeys(shown, self._now)
        return replace(
            last,
            faults={id_: at for id_, at in faults.items() if id_.code not in EVENTS},
            heartbeat=self._now if findings.week else last.heartbeat,
            logs_since=observed.logs_since or last.logs_since,
            unused=(*last.unused, *unused)[-_MOST_UNUSED:],
        )

    def _progress(
        self, last_run: LastRun, observed: Observed, done: _Done, *, is_reported: bool
    ) -> Mapping[str, Progress]:
        """Return how far each region is done with: what was not posted, or is unverified, is not.

        Where the last run is not known, neither is what it left. A region that is gone is forgotten
        once that is reported, and so is what is given up.
        """
        if not last_run.key or done.unposted is None:
            return last_run.checkpoint.regions
        unverified = done.unposted.unverified if last_run.decision_log.problem else ()
        unfinished = [late.record for late in (*done.posting.left, *unverified)]
        progress = observed.reading.progress_without(unfinished, last_run.checkpoint.at)
        if last_run.is_lost:
            unread = self._now - LOOK_BACK, self._now - SHORT_LOOK_BACK
            progress = {name: known.with_gap(*unread) for name, known in progress.items()}
        if is_reported:
            return {name: progress[name] for name in observed.regions if name in progress}
        for region, gap in given_up_gaps(last_run.checkpoint, observed.reading, self._now):
            progress[region] = progress[region].with_gap(*gap)
        return progress


def _earliest(*times: datetime | None) -> datetime | None:
    return min(filter(None, times), default=None)


def _queue_is_empty(results: Iterable[CheckResult]) -> bool:
    """Return whether the undelivered queue holds nothing, or is not there."""
    return any(
        result.code == "queue_missing" or result.facts.get("depth") == "0"
        for result in results
        if result.check == "queue"
    )
