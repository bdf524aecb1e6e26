"""What is new about where a sign-in came from, and what is usual there, in words."""

from collections.abc import Iterator
from typing import Final

from chalicelib.messages.wording import Wording
from chalicelib.signin.origin import Habits
from chalicelib.signin.severity import AssessedSignIn

_LONGEST: Final = 100
_NAMED: Final = 2  # networks, and clients, that are named as usual


def novelty(assessed: AssessedSignIn, wording: Wording) -> str:
    """Return the sentences for `text`; an empty text where nothing is new."""
    join = wording.phrases("novelty.join")
    return "".join(join + sentence for sentence in _sentences(assessed, wording))


def usual(habits: Habits | None, wording: Wording) -> str:
    """Return what is usual instead of what is new; an empty text where nothing is new or known."""
    if habits is None or habits.is_first or habits.is_familiar:
        return ""
    networks = [wording.quote(network, _LONGEST) for network in habits.usual_networks[:_NAMED]]
    clients = [wording.named_client(client) for client in habits.usual_clients[:_NAMED]]
    return wording.phrases("list.join").join((*networks, *clients))


def _sentences(assessed: AssessedSignIn, wording: Wording) -> Iterator[str]:
    origin = assessed.origin
    if habits := origin.habits:
        if habits.is_first:
            yield _about(assessed, "first", wording)
        elif not habits.is_familiar:
            new = wording.phrases("list.join").join(_new(habits, wording))
            yield _about(assessed, "new", wording, what=new)
        if known := usual(habits, wording):
            yield wording.phrases("novelty.usual", usual=known)
    if origin.is_outside_known_networks:
        yield wording.phrases("novelty.outside")


def _about(assessed: AssessedSignIn, key: str, wording: Wording, *, what: str = "") -> str:
    """Write a sentence about the person, or about the role where it stands for whoever used it."""
    principal, habits = assessed.sign_in.principal, assessed.origin.habits
    role = wording.quote(principal.role, _LONGEST) if habits and habits.is_of_role else ""
    who = role or wording.quote(principal.name, _LONGEST) or wording.who(principal)
    return wording.phrases(f"novelty.{key}.role" if role else f"novelty.{key}", who=who, what=what)


def _new(habits: Habits, wording: Wording) -> Iterator[str]:
    if habits.is_new_network:
        yield wording.phrases("novelty.network", network=wording.quote(habits.network, _LONGEST))
    if habits.is_new_client:
        yield wording.named_client(habits.client)
