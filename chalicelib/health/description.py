"""Puts links into words, those of one kind together."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from chalicelib.health.result import Link, State
from chalicelib.messages.phrases import Phrases


def fold(links: Iterable[Link]) -> list[Link]:
    """Make one link of all that differ in their region only, and one of all that are well."""
    alike: dict[object, list[Link]] = {}
    for link in links:
        facts = () if link.state is State.OK else tuple(link.facts.items())
        alike.setdefault((link.name, link.state, link.code, facts), []).append(link)
    return [_joined(group) for group in alike.values()]


def _joined(links: list[Link]) -> Link:
    """Join facts, the regions among them, and remedies, a line each."""
    values: dict[str, list[str]] = {}
    for link in links:
        region = {"region": link.region} if link.region else {}
        for name, value in {**link.facts, **region}.items():
            values.setdefault(name, []).append(value)
    return replace(
        links[0],
        facts={name: ", ".join(dict.fromkeys(several)) for name, several in values.items()},
        remedy="\n".join(dict.fromkeys(link.remedy for link in links)),
        region=None,
    )


def sentence(link: Link, phrases: Phrases, safe: Callable[[str], str]) -> str:
    """Tell a folded link that is at fault or in doubt; `safe` makes facts fit for the reader."""
    facts = {name: safe(value) for name, value in link.facts.items()}
    if link.state is State.FAULT:
        return phrases(f"fault.{link.code}", **facts)
    why = phrases(f"cannot_tell.{link.code}", **facts)
    return phrases("link.in_region", link=why, **facts) if "region" in facts else why
