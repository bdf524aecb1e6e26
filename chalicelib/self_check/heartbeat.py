"""The weekly heartbeat, which gives silence its meaning: what was decided since the one before."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from chalicelib.health.result import CheckResult
from chalicelib.self_check.checkpoint import Checkpoint, Totals
from chalicelib.self_check.decision_log import Decision
from chalicelib.self_check.findings import EVENT_NAME, Week
from chalicelib.self_check.posting import Posting

WEEK: Final = timedelta(days=7)
_JITTER: Final = timedelta(hours=1)  # of a schedule: a week is never exactly one
_REPORTS: Final = ("MfaAudit", EVENT_NAME)  # decisions that are no sign-ins
_MOST_PEOPLE: Final = 2_000


def is_due(last: datetime | None, now: datetime) -> bool:
    """Return whether something that comes once a week comes now."""
    return last is None or now - last >= WEEK - _JITTER


def totals_since(
    last: Checkpoint, decisions: Iterable[Decision], posting: Posting, now: datetime
) -> Totals:
    """Add what was decided since the last run, each event once, to what was before.

    What the self-check posts is counted by the run that posts it.
    """
    since = last.at or datetime.min.replace(tzinfo=UTC)
    new = [
        decision
        for decision in decisions
        if since < decision.at <= now
        and decision.handler != "self_check"
        and decision.event_name not in _REPORTS
    ]
    new += posting.decisions
    posted, parked, ignored = (
        {decision.event_id for decision in new if decision.verdict == verdict}
        for verdict in ("posted", "parked", "ignored")
    )
    familiar = [decision for decision in new if decision.familiar]
    people = (decision.person for decision in familiar if decision.person)
    times = [decision.at for decision in new if decision.verdict == "posted"]
    return Totals(
        posted=last.totals.posted + len(posted),
        ignored=last.totals.ignored + len(ignored - posted - parked),
        found=last.totals.found + posting.found.total(),
        familiar=last.totals.familiar + len({decision.event_id for decision in familiar}),
        people=tuple(dict.fromkeys((*last.totals.people, *people)))[:_MOST_PEOPLE],
        last_posted=max([*times, *filter(None, [last.totals.last_posted])], default=None),
    )


def week_of(totals: Totals, results: Iterable[CheckResult]) -> Week:
    """Return the heartbeat: what was decided, and what the queue holds."""
    depths = (int(result.facts.get("depth", 0)) for result in results if result.check == "queue")
    return Week(
        posted=totals.posted,
        ignored=totals.ignored,
        found=totals.found,
        waiting=sum(depths),
        last_posted=totals.last_posted,
        familiar=totals.familiar,
        people=len(totals.people),
    )
