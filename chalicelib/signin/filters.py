"""What a stage's settings keep from being posted: a failure, a doubt or a warning never."""

from fnmatch import fnmatchcase

from chalicelib.settings import Settings
from chalicelib.signin.model import Outcome
from chalicelib.signin.severity import AssessedSignIn, Reason, Severity


def reason_to_ignore(assessed: AssessedSignIn, settings: Settings) -> str | None:
    """Return why the settings ignore a sign-in, in the word of the log; None if it is posted."""
    sign_in = assessed.sign_in
    if assessed.severity < Severity[settings.minimum_severity.upper()]:
        return "below_minimum_severity"
    if assessed.severity is not Severity.INFO or sign_in.outcome is not Outcome.SUCCESS:
        return None
    if sign_in.event_name in settings.ignored_events:
        return "ignored_event"
    arn = sign_in.principal.arn or ""
    if any(fnmatchcase(arn, pattern) for pattern in settings.ignored_principals):
        return "ignored_principal"
    if settings.familiar_sign_ins == "ignore" and Reason.FAMILIAR in assessed.reasons:
        return "familiar"
    return None
