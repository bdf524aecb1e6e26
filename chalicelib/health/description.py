"""Puts check results into words, those of one kind together."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from chalicelib.health.result import CheckResult, Status
from chalicelib.messages.phrases import Phrases


def fold(results: Iterable[CheckResult], join: str = ", ") -> list[CheckResult]:
    """Return a result for all that differ in their region only, and a result for all that are well.

    The regions, resources and facts of a folded result are lists, with `join` between their items;
    its remedies are lines.
    """
    alike: dict[object, list[CheckResult]] = {}
    for result in results:
        own = () if result.status is Status.OK else (result.resource, *result.facts.items())
        kind = (result.check, result.status, result.code, own)
        alike.setdefault(kind, []).append(result)
    return [_folded(group, join) for group in alike.values()]


def _folded(results: list[CheckResult], join: str) -> CheckResult:
    def listed(values: Iterable[str]) -> str:
        return join.join(dict.fromkeys(filter(None, values)))

    facts: dict[str, list[str]] = {}
    for result in results:
        for name, value in result.facts.items():
            facts.setdefault(name, []).append(value)
    return replace(
        results[0],
        resource=listed(result.resource for result in results),
        region=listed(result.region or "" for result in results) or None,
        facts={name: listed(values) for name, values in facts.items()},
        remedy="\n".join(dict.fromkeys(result.remedy for result in results)),
    )


def sentence(result: CheckResult, phrases: Phrases, safe: Callable[[str], str]) -> str:
    """Describe a folded fault, or say why nothing is known; `safe` makes its values fit to read."""
    values = {"resource": result.resource, "region": result.region or "", **result.facts}
    gaps = {name: safe(value) for name, value in values.items()}
    check = phrases(f"check.{result.check}")
    if result.region:
        check = phrases("check_in_region", result=check, region=gaps["region"])
    if result.status is Status.FAULT:
        return phrases(f"fault.{result.code}", check=check, **gaps)
    why = phrases(f"check_unknown.{result.code}", **gaps)
    return phrases("check_in_region", result=why, region=gaps["region"]) if result.region else why
