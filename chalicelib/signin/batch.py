"""What a batch of sign-ins shows that none of them shows by itself: who got in among failures."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Network

from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.severity import WHAT_IS_NEW, AssessedSignIn, Reason, Severity


def assess_batch(batch: Iterable[AssessedSignIn]) -> list[AssessedSignIn]:
    """Return the sign-ins of a batch, those that got in among failures as warnings.

    Somebody got in among failures if others failed by the same name or from the same address.
    """
    batch = list(batch)
    failed = {
        trace
        for assessed in batch
        if assessed.sign_in.outcome is Outcome.FAILURE
        for trace in _traces(assessed.sign_in)
    }
    return [
        _after_failures(assessed)
        if assessed.sign_in.is_entry and not failed.isdisjoint(_traces(assessed.sign_in))
        else assessed
        for assessed in batch
    ]


def stands_alone(assessed: AssessedSignIn) -> bool:
    """Return whether a sign-in deserves a message of its own in a batch: no failure does."""
    return assessed.severity is Severity.CRITICAL or (
        assessed.severity is Severity.WARNING and assessed.sign_in.outcome is Outcome.SUCCESS
    )


def _after_failures(assessed: AssessedSignIn) -> AssessedSignIn:
    kept = assessed.reasons
    if assessed.severity is Severity.INFO:
        kept = tuple(reason for reason in kept if reason in WHAT_IS_NEW)
    return replace(
        assessed,
        severity=max(assessed.severity, Severity.WARNING),
        reasons=(Reason.AFTER_FAILURES, *kept),
    )


def _traces(sign_in: SignIn) -> Iterator[tuple[str, str]]:
    if name := sign_in.principal.name:
        yield "name", name.casefold()
    if sign_in.source_ip:
        yield "address", _subscriber(sign_in.source_ip)


def _subscriber(address: str) -> str:
    """Return what one subscriber has of the internet: of IPv6 a network of 64 bits at least."""
    try:
        return str(IPv6Network((address, 64), strict=False))
    except ValueError:
        return address  # of IPv4, or no address
