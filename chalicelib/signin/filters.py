"""What a stage's settings keep from being posted: never a failure, an unknown outcome or a warning.

The exception is a call of the sign-in API, which is no sign-in: whoever lists it knows what it is.
"""

from fnmatch import fnmatchcase
from typing import Final

from chalicelib.settings import Settings
from chalicelib.signin.events import SIGN_INS
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.severity import AssessedSignIn, Reason, Severity

# Why a call is a warning although nothing about this very call is unusual.
_KIND_OF_CALL: Final = frozenset({Reason.ACCESS_CHANGED, Reason.NOT_UNDERSTOOD})
_WILDCARDS: Final = frozenset("*?[")


def reason_to_ignore(assessed: AssessedSignIn, settings: Settings) -> str | None:
    """Return why the settings ignore a sign-in, in the word of the log; None if it is posted."""
    sign_in = assessed.sign_in
    if assessed.severity < Severity[settings.minimum_severity.upper()]:
        return "below_minimum_severity"
    if sign_in.outcome is not Outcome.SUCCESS:
        return None
    is_info = assessed.severity is Severity.INFO
    if sign_in.event_name in settings.ignored_events and (is_info or _is_plain_call(assessed)):
        return "ignored_event"
    if not is_info:
        return None
    if any(_covers(pattern, sign_in) for pattern in settings.ignored_principals):
        return "ignored_principal"
    if settings.familiar_sign_ins == "ignore" and Reason.FAMILIAR in assessed.reasons:
        return "familiar"
    return None


def _is_plain_call(assessed: AssessedSignIn) -> bool:
    sign_in = assessed.sign_in
    return (
        sign_in.is_api_call
        and sign_in.event_name not in SIGN_INS
        and _KIND_OF_CALL.issuperset(assessed.reasons)
    )


def _covers(pattern: str, sign_in: SignIn) -> bool:
    """Return whether a pattern of the settings means whoever signed in.

    With wildcards it means nobody whose console session was made from access keys: whoever stole a
    role's keys can make such a session, and the pattern covers roles that are newer than it is.
    """
    principal = sign_in.principal
    is_made_from_keys = sign_in.event_name in SIGN_INS and (
        principal.has_chosen_name or principal.keys_of is not None
    )
    if is_made_from_keys and _WILDCARDS.intersection(pattern):
        return False
    return fnmatchcase(principal.arn or "", pattern)
