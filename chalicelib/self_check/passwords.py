"""Right passwords that nobody signed in with: whoever has one may lack the second factor only."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from chalicelib.aws.event_history import Event
from chalicelib.health.result import CheckResult
from chalicelib.self_check.history import DELAY, Reading
from chalicelib.signin.model import Outcome, SignIn

# A verified password is followed by the sign-in within that.
_PATIENCE: Final = timedelta(minutes=15)


def unused_passwords(
    reading: Reading, reported: Iterable[str], now: datetime
) -> tuple[list[CheckResult], list[str]]:
    """Return whose password IAM Identity Center found right without a sign-in after that.

    The events of one sign-in share an `AuthWorkflowID` ("Sign-in events for IAM Identity Center",
    IAM Identity Center User Guide). Returns those of the results as well; what is `reported` is
    left out.
    """
    used = set(reported)
    verified: dict[str, tuple[str, SignIn]] = {}
    for region, event, assessed in reading.records:
        sign_in = assessed.sign_in
        workflow, is_password = _workflow(event)
        if sign_in.event_name == "UserAuthentication":
            used.add(workflow)
        elif (
            is_password
            and sign_in.outcome is Outcome.SUCCESS
            and (sign_in.event_time or now) <= now - DELAY - _PATIENCE
        ):
            verified[workflow] = (region, sign_in)
    by_user: dict[tuple[str, str], list[SignIn]] = {}
    unused = [workflow for workflow in verified if workflow not in used]
    for workflow in unused:
        region, sign_in = verified[workflow]
        principal = sign_in.principal
        user = principal.name or principal.user_id or "?"
        by_user.setdefault((region, user), []).append(sign_in)
    return [
        CheckResult.fault(
            "password",
            "password_unused",
            "",
            user,
            region=region,
            addresses=", ".join(sorted({sign_in.source_ip or "?" for sign_in in stopped})),
        )
        for (region, user), stopped in by_user.items()
    ], unused


def _workflow(event: Event) -> tuple[str, bool]:
    """Return the id that the events of one sign-in share, and whether a password was verified.

    An event that names none has its own.
    """
    detail = event["detail"]
    more = detail.get("additionalEventData")
    more = more if isinstance(more, Mapping) else {}
    is_verification = detail.get("eventName") == "CredentialVerification"
    is_password = is_verification and more.get("CredentialType") == "PASSWORD"
    return str(more.get("AuthWorkflowID") or event["id"]), is_password
