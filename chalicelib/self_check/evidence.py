"""What the functions' logs prove of each sign-in, and what is wrong with those logs."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from chalicelib.decision import record_of
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.self_check.checkpoint import Checkpoint, Key
from chalicelib.self_check.decision_log import Decision, DecisionLog
from chalicelib.self_check.history import LOOK_BACK
from chalicelib.signin.model import SignIn
from chalicelib.signin.severity import AssessedSignIn, Severity


def key_of(sign_in: SignIn) -> tuple[str, str]:
    """Return what the decision line of a sign-in names it by."""
    return str(sign_in.event_id), record_of(sign_in)


class Evidence:
    """What the functions' decisions prove; what was parked before `lost_before` is lost."""

    def __init__(self, decisions: Iterable[Decision], lost_before: datetime | None) -> None:
        self._lost_before = lost_before
        self._settled: set[Key] = set()
        self._ignored: set[Key] = set()
        self._parked: dict[Key, timedelta] = {}
        self._failed: set[Key] = set()
        self._older: set[str] = set()
        for decision in decisions:
            key = decision.key
            if not decision.is_authentic:
                if decision.verdict in ("posted", "ignored", "parked"):
                    self._older.add(decision.event_id)
            elif decision.verdict == "posted" or decision.reason == "familiar":
                self._settled.add(key)
            elif decision.verdict == "parked":
                self._parked[key] = max(decision.delay, self._parked.get(key, decision.delay))
            elif decision.verdict == "ignored":
                self._ignored.add(key)
            else:
                self._failed.add(key)

    def settles(self, assessed: AssessedSignIn, *, is_ignored: bool) -> bool:
        """Return whether a function posted it, or the queue holds it, or the settings ignore it."""
        sign_in = assessed.sign_in
        key = key_of(sign_in)
        if key in self._settled or (is_ignored and key in self._ignored):
            return True
        if key in self._parked:  # by the line's own word: its time in the log can be chosen
            parked_at = sign_in.event_time and sign_in.event_time + self._parked[key]
            return not (self._lost_before and parked_at and parked_at < self._lost_before)
        return key[0] in self._older and assessed.severity is not Severity.CRITICAL

    def cause(self, sign_in: SignIn) -> str | None:
        """Return why it was not posted, as far as the decisions show it."""
        key = key_of(sign_in)
        if key in self._parked:
            return "lost"
        if key in self._failed:
            return "failed"
        return "unverified" if key[0] in self._older else None


def check_evidence(
    deployment: Deployment,
    decision_log: DecisionLog,
    last: Checkpoint,
    logs_since: datetime | None,
    older: int,
) -> Iterator[CheckResult]:
    """Yield what is wrong with the functions' logs, after they were read.

    `older` is how many sign-ins are from before the logs.
    """
    region = deployment.region
    for handler, lines in decision_log.forged.items():
        if lines:
            group = deployment.log_group(handler)
            remedy = f"aws logs tail {group} --region {region} --since 2h"
            yield CheckResult.fault(
                "evidence", "lines_forged", remedy, group, handler=handler, count=str(lines)
            )
    if logs_since and last.logs_since and logs_since > last.logs_since:
        group, made_at = deployment.log_group("on_sign_in"), f"{logs_since:%Y-%m-%d %H:%M} UTC"
        yield CheckResult.fault("evidence", "logs_deleted", "", group, time=made_at)
    if decision_log.problem:
        remedy = deployment.ops_command("policies", "--diff")
        yield CheckResult.fault("evidence", "logs_unread", remedy, why=decision_log.problem)
    elif older:
        days = str(LOOK_BACK.days)
        command = deployment.ops_command("history", f"--since {days}d")
        facts = {"days": days, "count": str(older), "command": command}
        yield CheckResult(check="evidence", status=Status.UNKNOWN, code="before_logs", facts=facts)
    else:
        yield CheckResult.ok("evidence")
