"""What a policy of AWS's says: whether one of its statements lets a service do something."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

_POSITIVE: Final = ("ArnEquals", "ArnLike", "Bool", "StringEquals", "StringLike")
_NEGATIVE: Final = ("ArnNotEquals", "ArnNotLike", "StringNotEquals", "StringNotLike")

# What is true of every call of a service ("AWS global condition context keys", IAM User Guide).
_OF_SERVICES: Final = {"aws:principalisawsservice": "true", "aws:securetransport": "true"}


def lets_in(
    policy: Mapping[str, Any], service: str, action: str, source: Mapping[str, str]
) -> bool:
    """Return whether a resource's policy lets a service act for a source.

    `source` is what the service says of it, by condition key in lower case; a condition on anything
    else, such as an organisation, allows nothing and may deny.
    """
    source = {**_OF_SERVICES, **source}
    statements = [
        statement
        for statement in as_list(policy.get("Statement"))
        if _names(statement.get("Principal"), service) and _covers(statement, action)
    ]
    allows, denies = (
        any(
            _is_met(statement.get("Condition") or {}, source, if_unknown=effect == "Deny")
            for statement in statements
            if statement.get("Effect") == effect
        )
        for effect in ("Allow", "Deny")
    )
    return allows and not denies


def _names(principal: object, service: str) -> bool:
    services = principal.get("Service") if isinstance(principal, Mapping) else principal
    return not {service, "*"}.isdisjoint(as_list(services))


def _covers(statement: Mapping[str, Any], action: str) -> bool:
    names = "NotAction" if "NotAction" in statement else "Action"
    patterns = as_list(statement.get(names))
    is_named = any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
    return is_named == (names == "Action")


def _is_met(
    conditions: Mapping[str, Mapping[str, Any]], source: Mapping[str, str], *, if_unknown: bool
) -> bool:
    def is_met(operator: str, value: str | None, patterns: list[str | bool]) -> bool:
        if value is None or operator not in (*_POSITIVE, *_NEGATIVE):
            return if_unknown
        texts = (str(text).lower() if isinstance(text, bool) else text for text in patterns)
        is_like = any(fnmatchcase(value, text) for text in texts)
        return is_like == (operator in _POSITIVE)

    return all(
        is_met(operator.removesuffix("IfExists"), source.get(key.lower()), as_list(patterns))
        for operator, condition in conditions.items()
        for key, patterns in condition.items()
    )


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 — a policy has one value or a list of them
    """Return what a policy has as a list: one value, a list of them, or none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
