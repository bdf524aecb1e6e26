"""What changed since the last run: faults that are new, that last, and that are resolved."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from chalicelib.health.result import CheckResult, FaultId, Status

# While one of these lasts, no sign-in is posted, or none of a region.
_OUTAGES: Final = frozenset(
    {
        "trail_missing",
        "trail_stopped",
        "trail_without_sign_ins",
        "rule_missing",
        "rule_disabled",
        "rule_pattern",
        "target_missing",
        "target_changes_event",
        "permission_missing",
        "function_missing",
        "function_failed",
        "concurrency_zero",
        "key_missing",
        "key_disabled",
        "key_pending_deletion",
    }
)
# The checks of the way from a sign-in to the channel, and the faults that leave it open.
_ON_THE_WAY: Final = frozenset(
    {
        "trail",
        "forward",
        "role",
        "rule",
        "target",
        "permission",
        "function",
        "concurrency",
        "retries",
        "key",
        "ciphertext",
    }
)
# What a check has seen and cannot judge, however often it looks.
_UNDECIDED: Final = ("organization_trail", "role_denied_above")
_MINOR: Final = frozenset(
    {
        "forward_without_reads",
        "rule_schedule",
        "runtime_unsupported",
        "timeout_short",
        "log_level_high",
    }
)
# What serves a region may bear another name once it works again.
_REGIONAL: Final = ("trail", "forward", "history")


def is_outage(fault: CheckResult) -> bool:
    """Return whether a fault keeps sign-ins from being posted for as long as it lasts."""
    return fault.code in _OUTAGES and fault.handler in (None, "on_sign_in")


def regions_of(result: CheckResult) -> Collection[str] | None:
    """Return the regions that a result is about; None if it is about all."""
    if regions := result.facts.get("regions"):  # of the forwards that share a role
        return regions.split(", ")
    return None if result.region is None else [result.region]


def lasting(
    results: Iterable[CheckResult], unknown: Collection[tuple[str, str | None]]
) -> Iterator[CheckResult]:
    """Yield results, as faults those that AWS denies, or that were `unknown` before as well."""
    for result in results:
        if result.status is not Status.UNKNOWN:
            yield result
        elif result.code == "denied":
            yield replace(result, status=Status.FAULT, code="check_denied")
        elif (result.check, result.region) in unknown and result.code not in _UNDECIDED:
            code = "history_unread" if result.check == "history" else "check_unknown"
            facts = {"why": result.facts.get("error", "no time")}
            yield replace(result, status=Status.FAULT, code=code, facts=facts)
        else:
            yield result


def uncovered(results: Iterable[CheckResult], regions: Collection[str]) -> list[str]:
    """Return the regions whose sign-ins do not arrive, as far as the results show it."""
    found: set[str] = set()
    for result in results:
        if result.check in ("trail", "forward", "role") and result.status is Status.FAULT:
            concerned = regions_of(result)
            found.update(regions if concerned is None else concerned)
    return sorted(found)


def resolved_faults(known: Iterable[FaultId], results: Collection[CheckResult]) -> list[FaultId]:
    """Return the faults of earlier runs that are no more, as far as the results show it.

    A part that works again is no news while another part of the same way is broken.
    """
    return [fault for fault in known if _is_resolved(fault, results)]


def _is_resolved(fault: FaultId, results: Iterable[CheckResult]) -> bool:
    """Return whether everything that the fault concerned was looked at again, and is well."""
    results = list(results)
    concerned = [result for result in results if _concerns(result, fault)]
    handlers = {result.handler or "on_sign_in" for result in concerned}
    return (
        bool(concerned)
        and all(result.status is Status.OK for result in concerned)
        and not (
            fault.check in _ON_THE_WAY
            and any(_breaks_way(result, fault.region, handlers) for result in results)
        )
    )


def _breaks_way(result: CheckResult, region: str | None, handlers: Collection[str]) -> bool:
    """Return whether a result is a fault on the way of a region's events to one of the handlers."""
    regions = regions_of(result)
    return (
        result.status is Status.FAULT
        and result.check in _ON_THE_WAY
        and result.code not in _MINOR
        and (regions is None or region in regions)
        and (result.handler or "on_sign_in") in handlers
    )


def _concerns(result: CheckResult, fault: FaultId) -> bool:
    if result.check != fault.check:
        return False
    if not result.resource and result.region is None:
        return True  # the whole check
    if fault.check in _REGIONAL:
        return None in (result.region, fault.region) or result.region == fault.region
    return fault.resource in ("", result.resource)
