"""What is new about where a sign-in came from, and what is usual there, in words."""

from collections.abc import Iterator, Sequence
from typing import Final

from chalicelib.messages.payload import clean, fallback_text
from chalicelib.messages.wording import Wording
from chalicelib.signin.origin import Habits
from chalicelib.signin.severity import AssessedSignIn

_LONGEST: Final = 100
_NAMED: Final = 2  # networks, and clients, that are named as usual


def novelty(assessed: AssessedSignIn, wording: Wording) -> str:
    """Return the sentences for `text`, escaped; an empty text where nothing is new."""
    join = wording.phrases("novelty.join")
    return "".join(join + sentence for sentence in _sentences(assessed, wording))


def usual(habits: Habits | None, wording: Wording) -> str | None:
    """Return what is usual instead of what is new, clean; None where nothing is new or known."""
    if habits is None or habits.is_first or habits.is_familiar:
        return None
    clients = [wording.named_client(client) for client in habits.usual_clients[:_NAMED]]
    return _listed([*habits.usual_networks[:_NAMED], *clients], wording) or None


def _sentences(assessed: AssessedSignIn, wording: Wording) -> Iterator[str]:
    origin = assessed.origin
    if habits := origin.habits:
        if habits.is_first:
            yield _about(assessed, "first", wording)
        elif not habits.is_familiar:
            yield _about(assessed, "new", wording, what=_listed(_new(habits, wording), wording))
        if known := usual(habits, wording):
            yield wording.phrases("novelty.usual", usual=fallback_text(known, 4 * _LONGEST))
    if origin.is_outside_known_networks:
        yield wording.phrases("novelty.outside")


def _about(assessed: AssessedSignIn, key: str, wording: Wording, *, what: str = "") -> str:
    """Write a sentence about the person, or about the role where it stands for whoever used it."""
    principal, habits = assessed.sign_in.principal, assessed.origin.habits
    role = clean(principal.role or "", _LONGEST) if habits and habits.is_of_role else ""
    who = role or clean(principal.name or "", _LONGEST) or wording.who(principal)
    return wording.phrases(
        f"novelty.{key}.role" if role else f"novelty.{key}",
        who=fallback_text(who, _LONGEST),
        what=fallback_text(what, 4 * _LONGEST),
    )


def _new(habits: Habits, wording: Wording) -> Iterator[str]:
    if habits.is_new_network:
        yield wording.phrases("novelty.network", network=clean(habits.network, _LONGEST))
    if habits.is_new_client:
        yield wording.named_client(habits.client)


def _listed(items: Sequence[str] | Iterator[str], wording: Wording) -> str:
    return wording.phrases("notes.join").join(clean(item, _LONGEST) for item in items)
