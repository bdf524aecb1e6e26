"""Right passwords that nobody signed in with: whoever has one may lack the second factor only."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from chalicelib.aws.event_history import Event
from chalicelib.health.result import CheckResult
from chalicelib.self_check.checkpoint import Checkpoint, Progress
from chalicelib.self_check.missed import DELAY, Reading
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.reader import read_sign_in

# A verified password is followed by the sign-in within that.
_PATIENCE: Final = timedelta(minutes=15)


def unused_passwords(reading: Reading, last: Checkpoint, now: datetime) -> Iterator[CheckResult]:
    """Yield whose password IAM Identity Center found right without a sign-in after that.

    Whoever knows a password and lacks the second factor stops there. The events of one sign-in
    share an `AuthWorkflowID` ("Sign-in events for IAM Identity Center").
    """
    used: set[str] = set()
    verified: dict[str, tuple[str, SignIn]] = {}
    for region, event in reading.events:
        sign_in = read_sign_in(event)
        workflow, is_password = _workflow(event)
        if sign_in.event_name == "UserAuthentication":
            used.add(workflow)
        elif (
            is_password
            and sign_in.outcome is Outcome.SUCCESS
            and _is_new(sign_in.event_time or now, last.regions.get(region), now)
        ):
            verified[workflow] = (region, sign_in)
    by_user: dict[tuple[str, str], list[SignIn]] = {}
    for workflow, (region, sign_in) in verified.items():
        if workflow not in used:
            principal = sign_in.principal
            user = principal.name or principal.user_id or "?"
            by_user.setdefault((region, user), []).append(sign_in)
    for (region, user), stopped in by_user.items():
        addresses = ", ".join(sorted({one.source_ip or "?" for one in stopped}))
        yield CheckResult.fault(
            "password", "password_unused", "", user, region=region, addresses=addresses
        )


def _workflow(event: Event) -> tuple[str, bool]:
    """Return the id that the events of one sign-in share, and whether a password was verified."""
    detail = event["detail"]
    more = detail.get("additionalEventData")
    more = more if isinstance(more, Mapping) else {}
    is_verification = detail.get("eventName") == "CredentialVerification"
    is_password = is_verification and more.get("CredentialType") == "PASSWORD"
    return str(more.get("AuthWorkflowID")), is_password


def _is_new(time: datetime, known: Progress | None, now: datetime) -> bool:
    """Return whether what was to follow had its time by now, and had not by the last run."""
    if time > now - DELAY - _PATIENCE:
        return False
    return (
        known is None
        or time > known.until - _PATIENCE
        or any(start <= time <= end for start, end in known.gaps)
    )
