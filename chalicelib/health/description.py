"""Puts links into words, those of one kind together."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from chalicelib.health.result import CheckResult, Status
from chalicelib.messages.phrases import Phrases


def fold(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Make one link of all that differ in their region only, and one of all that are well."""
    alike: dict[object, list[CheckResult]] = {}
    for result in results:
        facts = () if result.state is Status.OK else tuple(result.facts.items())
        alike.setdefault((result.name, result.state, result.code, facts), []).append(result)
    return [_joined(group) for group in alike.values()]


def _joined(results: list[CheckResult]) -> CheckResult:
    """Join facts, the regions among them, and remedies, a line each."""
    values: dict[str, list[str]] = {}
    for result in results:
        region = {"region": result.region} if result.region else {}
        for name, value in {**result.facts, **region}.items():
            values.setdefault(name, []).append(value)
    return replace(
        results[0],
        facts={name: ", ".join(dict.fromkeys(several)) for name, several in values.items()},
        remedy="\n".join(dict.fromkeys(result.remedy for result in results)),
        region=None,
    )


def sentence(result: CheckResult, phrases: Phrases, safe: Callable[[str], str]) -> str:
    """Tell a folded link that is at fault or in doubt; `safe` makes facts fit for the reader."""
    facts = {name: safe(value) for name, value in result.facts.items()}
    if result.state is Status.FAULT:
        return phrases(f"fault.{result.code}", **facts)
    why = phrases(f"cannot_tell.{result.code}", **facts)
    return phrases("link.in_region", result=why, **facts) if "region" in facts else why
