"""The sentence that a phone shows: who did what, where, with which outcome, from where."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from chalicelib.messages.payload import fallback_text
from chalicelib.messages.wording import Wording
from chalicelib.signin.events import SIGN_INS
from chalicelib.signin.model import Mfa, Outcome, SignIn

PART_LIMIT: Final = 200
_STEP_FAILED: Final = "failure.CredentialVerification"
_ROOT_WITHOUT_MFA: Final = "success.ConsoleLogin.root_without_mfa"
_INTO_APPLICATION: Final = "success.UserAuthentication.application"


def sentence(
    sign_in: SignIn,
    wording: Wording,
    late: timedelta | None = None,
    network_name: str | None = None,
) -> str:
    """Say in one sentence what happened, escaped for `text`."""
    user, session = sign_in.switch or (sign_in.principal, sign_in.principal)
    account_id = (session.account_id if sign_in.switch else None) or sign_in.account_id
    key = _sentence_key(sign_in, wording)
    reason = wording.failure_reason(sign_in) if key != _STEP_FAILED else None
    notes = [note for note in (reason, *_notes(sign_in, key, wording, late, network_name)) if note]
    joined = wording.phrases("notes.join").join(fallback_text(note, PART_LIMIT) for note in notes)
    who = _spaced(wording.who(user), wording)
    return wording.phrases(
        key,
        who=who,
        Who=who if sign_in.is_root else who[:1].upper() + who[1:],
        home=_spaced(wording.account(user.account_id or sign_in.account_id), wording),
        role=fallback_text(wording.value(session.role), PART_LIMIT),
        account=_spaced(wording.account(account_id), wording),
        application=fallback_text(wording.value(sign_in.application), PART_LIMIT),
        event=fallback_text(wording.event(sign_in), PART_LIMIT),
        step=wording.step(sign_in),
        notes=wording.phrases("notes.reason" if reason else "notes", notes=joined)
        if joined
        else "",
    )


def _spaced(text: str, wording: Wording) -> str:
    """Escape a name, with the gap that some languages leave between Latin letters and theirs."""
    said = fallback_text(text, PART_LIMIT)
    return said + wording.phrases("gap") if said[-1].isascii() else said


def _notes(
    sign_in: SignIn,
    key: str,
    wording: Wording,
    late: timedelta | None,
    network_name: str | None,
) -> Iterator[str | None]:
    """Return what a sentence adds to who, where and why it failed."""
    if not sign_in.understood and sign_in.outcome is not Outcome.UNKNOWN:
        outcome = wording.phrases(f"outcome.{sign_in.outcome}")
        yield wording.phrases("note.outcome", outcome=outcome)
    yield from _session_notes(sign_in, wording)
    if sign_in.is_between_accounts:
        yield wording.phrases("note.seen_from", account=wording.account(sign_in.account_id))
    if sign_in.event_name in SIGN_INS and key != _ROOT_WITHOUT_MFA:
        yield wording.mfa_note(sign_in)
    if ip := wording.address(sign_in, network_name):
        yield wording.phrases("note.ip", ip=ip)
    if endpoint := wording.vpc_endpoint(sign_in):
        yield wording.phrases("note.vpc_endpoint", endpoint=endpoint)
    if late:
        yield wording.phrases("note.late", delay=wording.duration(late))
    if sign_in.replayed:
        yield wording.phrases("note.replayed")


def _session_notes(sign_in: SignIn, wording: Wording) -> Iterator[str]:
    """Return what stands behind a name."""
    principal = sign_in.principal
    if not sign_in.switch and (role := wording.role(principal)):
        yield wording.phrases("note.role", role=role)
    if principal.keys_of:
        yield wording.phrases("note.keys", who=wording.who(principal.keys_of))
    if identity := wording.source_identity(sign_in):
        yield wording.phrases("note.source_identity", identity=identity)
    if provider := wording.saml_provider(sign_in):
        yield wording.phrases("note.saml", provider=provider)


def _sentence_key(sign_in: SignIn, wording: Wording) -> str:
    if sign_in.is_anomaly_alert:
        return "anomaly"
    if not sign_in.understood:
        return "not_understood"
    outcome = sign_in.outcome.lower()
    key = f"{outcome}.{sign_in.event_name}"
    if key == "success.ConsoleLogin" and sign_in.is_root and sign_in.mfa is Mfa.NO:
        return _ROOT_WITHOUT_MFA
    if key == "success.UserAuthentication" and sign_in.application:
        return _INTO_APPLICATION
    if sign_in.oauth_client and f"{key}.{sign_in.oauth_client.kind}" in wording.phrases:
        return f"{key}.{sign_in.oauth_client.kind}"
    lacks_its_role = sign_in.event_name in ("SwitchRole", "ExitRole") and not sign_in.switch
    return outcome if lacks_its_role or key not in wording.phrases else key
