"""What changed since the last run: faults that are new, that last, and that are resolved."""

from collections.abc import Collection, Iterable
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
# What serves a region may bear another name once it works again.
_REGIONAL: Final = ("trail", "forward", "history")


def is_outage(fault: CheckResult) -> bool:
    """Return whether a fault keeps sign-ins from being posted for as long as it lasts."""
    return fault.code in _OUTAGES and fault.handler in (None, "on_sign_in")


def resolved_faults(known: Iterable[FaultId], results: Collection[CheckResult]) -> list[FaultId]:
    """Return the faults of earlier runs that are no more, as far as the results show it."""
    return [fault for fault in known if _is_resolved(fault, results)]


def _is_resolved(fault: FaultId, results: Iterable[CheckResult]) -> bool:
    """Return whether everything that the fault concerned was looked at again, and is well."""
    concerned = [result for result in results if _concerns(result, fault)]
    return bool(concerned) and all(result.status is Status.OK for result in concerned)


def _concerns(result: CheckResult, fault: FaultId) -> bool:
    if result.check != fault.check:
        return False
    if not result.resource and result.region is None:
        return True  # the whole check
    if fault.check in _REGIONAL:
        return None in (result.region, fault.region) or result.region == fault.region
    return fault.resource in ("", result.resource)
