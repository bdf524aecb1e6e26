"""The sentence that a phone shows: who did what, where, with which outcome, from where."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from chalicelib.messages.wording import Wording, hides_address, mfa_kind, spaced
from chalicelib.signin.events import SIGN_INS
from chalicelib.signin.model import Outcome, Principal, PrincipalType, SignIn
from chalicelib.signin.severity import AssessedSignIn

Fact = tuple[str, str, dict[str, str]]

_STEP_FAILED: Final = "failure.CredentialVerification"
_NO_SUCH_USER: Final = "failure.ConsoleLogin.hidden"


def sentence(assessed: AssessedSignIn, wording: Wording, late: timedelta | None = None) -> str:
    """Return in one sentence what happened, as `text` may hold it.

    A fact for which the sentence of a language has a place of its own stands there, any other in
    the parenthesis at its end: facts have a phrase for either.
    """
    sign_in, phrases = assessed.sign_in, wording.phrases
    key = _sentence_key(sign_in, wording)
    places = phrases.placeholders(key)
    parts = {place: _part(place, sign_in, wording) for place in places}
    notes: list[str] = []
    for place, kind, values in _facts(assessed, key, wording):
        if place in parts and f"inline.{kind}" in phrases:
            parts[place] = phrases(f"inline.{kind}", **values)
        else:
            notes.append(phrases(f"note.{kind}", **values))
    notes.extend(_notes(sign_in, wording, late))
    if notes:
        parts["notes"] = phrases("notes", notes=phrases("notes.join").join(notes))
    return phrases(key, **parts)


def _part(place: str, sign_in: SignIn, wording: Wording) -> str:
    """Return what stands in a place; after a name in Latin letters some languages leave a gap."""
    name = place.removesuffix("_")
    part = _PARTS[name](sign_in, wording) if name in _PARTS else ""
    return spaced(part) if name != place else part


def _switch(sign_in: SignIn) -> tuple[Principal, Principal]:
    return sign_in.switch or (sign_in.principal, sign_in.principal)


def _account(sign_in: SignIn, wording: Wording) -> str:
    session = sign_in.switch[1].account_id if sign_in.switch else None
    return wording.account(session or sign_in.account_id)


_PARTS: Final[Mapping[str, Callable[[SignIn, Wording], str]]] = {
    "who": lambda it, wording: wording.who(_switch(it)[0]),
    "subject": lambda it, wording: wording.subject(_switch(it)[0]),
    "home": lambda it, wording: wording.account(_switch(it)[0].account_id or it.account_id),
    "role": lambda it, wording: wording.value(_switch(it)[1].role),
    "account": _account,
    "application": lambda it, wording: wording.quote(it.application),
    "event": lambda it, wording: wording.event(it),
    "step": lambda it, wording: wording.step(it),
}


def _facts(assessed: AssessedSignIn, key: str, wording: Wording) -> Iterator[Fact]:
    """Return the place, the kind and the words of each fact that is known."""
    sign_in = assessed.sign_in
    reason = wording.failure_reason(sign_in)
    if reason and key not in (_STEP_FAILED, _NO_SUCH_USER):
        yield "reason", "reason", {"reason": reason}
    yield from _session_facts(sign_in, wording)
    if sign_in.event_name in SIGN_INS and (mfa := mfa_kind(sign_in)):
        yield "mfa", f"mfa.{mfa}", {}
    if source := wording.source(sign_in, assessed.origin.network_name):
        kind = "source.hidden" if hides_address(sign_in) else "source"
        yield "source", kind, {"source": source}
    if endpoint := wording.vpc_endpoint(sign_in):
        yield "notes", "vpc_endpoint", {"endpoint": endpoint}


def _session_facts(sign_in: SignIn, wording: Wording) -> Iterator[Fact]:
    """Return what stands behind a name: the role, the identity provider, whose keys."""
    principal = sign_in.principal
    provider = wording.saml_provider(sign_in)
    role = "" if sign_in.switch else wording.quote(principal.role)
    if role and provider and principal.type is PrincipalType.ASSUMED_ROLE:
        yield "via", "via.saml", {"role": role, "provider": provider}
    elif role:
        yield "via", f"via.{principal.type}", {"role": role}
    if provider and not (role and principal.type is PrincipalType.ASSUMED_ROLE):
        yield "notes", "saml", {"provider": provider}
    if principal.keys_of:
        who = wording.who(principal.keys_of)
        yield "via", "via.keys", {"who": who, "who_": spaced(who)}
    if identity := wording.quote(principal.source_identity):
        yield "notes", "source_identity", {"identity": identity}


def _notes(sign_in: SignIn, wording: Wording, late: timedelta | None) -> Iterator[str]:
    """Return what only the parenthesis says."""
    phrases = wording.phrases
    if not sign_in.understood and sign_in.outcome is not Outcome.UNKNOWN:
        yield phrases("note.outcome", outcome=phrases(f"outcome.{sign_in.outcome}"))
    if sign_in.is_between_accounts:
        yield phrases("note.seen_from", account=wording.account_name(sign_in.account_id))
    if late:
        yield phrases("note.late", delay=wording.duration(late))
    if sign_in.replayed:
        yield phrases("note.replayed")


def _sentence_key(sign_in: SignIn, wording: Wording) -> str:
    if sign_in.is_anomaly_alert:
        return "anomaly"
    if not sign_in.understood:
        return "not_understood"
    if sign_in.event_name in ("SwitchRole", "ExitRole") and not sign_in.switch:
        return sign_in.outcome.lower()
    return wording.key_of("", sign_in)
