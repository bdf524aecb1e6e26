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
        statement
        for statement in as_list(policy.get("Statement"))
        if _names(statement.get("Principal"), service) and _covers(statement.get("Action"), action)
    ]
    allows = any(
        statement.get("Effect") == "Allow" and _is_met(statement.get("Condition") or {}, source)
        for statement in statements
    )
    return allows and not any(
        statement.get("Effect") == "Deny" and not statement.get("Condition")
        for statement in statements
    )


def _names(principal: object, service: str) -> bool:
    services = principal.get("Service") if isinstance(principal, Mapping) else principal
    return not {service, "*"}.isdisjoint(as_list(services))


def _covers(actions: object, action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in as_list(actions))


def _is_met(conditions: Mapping[str, Mapping[str, Any]], source: Mapping[str, str]) -> bool:
    return all(
        operator.removesuffix("IfExists") in _POSITIVE
        and key.lower() in source
        and any(fnmatchcase(source[key.lower()], pattern) for pattern in as_list(patterns))
        for operator, condition in conditions.items()
        for key, patterns in condition.items()
    )


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 — a policy has one value or a list of them
    """Return what a policy has as a list: one value, a list of them, or none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
