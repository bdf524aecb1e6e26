"""What a policy of AWS's says: whether one of its statements lets a service do something."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

_POSITIVE: Final = ("ArnEquals", "ArnLike", "StringEquals", "StringLike")


def lets_in(
    policy: Mapping[str, Any], service: str, action: str, source: Mapping[str, str]
) -> bool:
    """Return whether a resource's policy lets a service act for a source.

    `source` is what the service says of it, by condition key in lower case; a condition on anything
    else, such as an organisation, excludes the service.
    """
    statements = [
        one
        for one in as_list(policy.get("Statement"))
        if _names(one.get("Principal"), service) and _covers(one.get("Action"), action)
    ]
    return any(
        one.get("Effect") == "Allow" and _is_met(one.get("Condition") or {}, source)
        for one in statements
    ) and not any(one.get("Effect") == "Deny" and not one.get("Condition") for one in statements)


def _names(principal: object, service: str) -> bool:
    services = principal.get("Service") if isinstance(principal, Mapping) else principal
    return not {service, "*"}.isdisjoint(as_list(services))


def _covers(actions: object, action: str) -> bool:
    return any(fnmatchcase(action.lower(), one.lower()) for one in as_list(actions))


def _is_met(conditions: Mapping[str, Mapping[str, Any]], source: Mapping[str, str]) -> bool:
    return all(
        operator.removesuffix("IfExists") in _POSITIVE
        and key.lower() in source
        and any(fnmatchcase(source[key.lower()], one) for one in as_list(patterns))
        for operator, condition in conditions.items()
        for key, patterns in condition.items()
    )


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 — a policy has one value or a list of them
    """Return what a policy has as a list: one value, a list of them, or none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
