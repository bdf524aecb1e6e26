"""Does a policy allow what a function needs? As IAM would answer, which moto does not.

Source: "Policy evaluation logic" (IAM User Guide). What only AWS knows (the account, the key's id,
who calls) counts as fitting.
"""

import json
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from itertools import zip_longest
from typing import Any, Final

from chalicelib.health.policy import as_list
from ops.iam.grants import Grant

_CONTEXT: Final = "kms:encryptioncontext:"

Statement = Mapping[str, Any]


def faults(document: Mapping[str, Any], needs: tuple[Grant, ...]) -> list[str]:
    """Name each need that a policy does not allow, and each `*` in its actions.

    A `*` in a need's resource stands for something that cannot be known here.
    """
    statements: list[Statement] = [
        statement for statement in as_list(document.get("Statement")) if isinstance(statement, dict)
    ]
    return [*_wildcards(statements), *_missing(statements, needs)]


def _wildcards(statements: list[Statement]) -> list[str]:
    allowing = [statement for statement in statements if statement.get("Effect") == "Allow"]
    allowed = {action for statement in allowing for action in as_list(statement.get("Action"))}
    return [
        *(
            f"allows {action}: name each action, without *"
            for action in sorted(allowed)
            if "*" in action
        ),
        *(
            "allows by NotAction: name each action"
            for statement in allowing
            if "NotAction" in statement
        ),
    ]


def _missing(statements: list[Statement], needs: tuple[Grant, ...]) -> list[str]:
    missing = []
    for need in needs:
        keys = {key.lower(): value for key, value in need.condition.get("StringEquals", {}).items()}
        context = {
            key.removeprefix(_CONTEXT): value
            for key, value in keys.items()
            if key.startswith(_CONTEXT)
        }
        under = f" under the encryption context {json.dumps(context)}" if context else ""
        missing += [
            f"does not allow {action} on {resource}{under}"
            for action in need.actions
            for resource in need.resources
            if not _allowed(statements, action, resource, keys)
        ]
    return missing


def _allowed(
    statements: list[Statement], action: str, resource: str, keys: Mapping[str, str]
) -> bool:
    def applies(effect: str, reaches: Callable[[str, str], bool], *, unknown: bool) -> bool:
        return any(
            statement.get("Effect") == effect
            and _names_action(statement, action)
            and _names_resource(statement, resource, reaches)
            and _holds(statement, keys, unknown=unknown)
            for statement in statements
        )

    return applies("Allow", _may_reach, unknown=True) and not applies(
        "Deny", fnmatchcase, unknown=False
    )


def _names_action(statement: Statement, action: str) -> bool:
    def among(field: str) -> bool:
        return any(
            fnmatchcase(action.lower(), pattern.lower())
            for pattern in as_list(statement.get(field))
        )

    return among("Action") if "Action" in statement else not among("NotAction")


def _names_resource(
    statement: Statement, resource: str, reaches: Callable[[str, str], bool]
) -> bool:
    if "Resource" in statement:
        return any(reaches(resource, pattern) for pattern in as_list(statement["Resource"]))
    patterns = as_list(statement.get("NotResource"))
    return not any(fnmatchcase(resource, pattern) for pattern in patterns)


def _holds(statement: Statement, keys: Mapping[str, str], *, unknown: bool) -> bool:
    """Evaluate a statement's conditions; `unknown` is the answer for what cannot be known."""
    return all(
        unknown if met is None else met
        for test, conditions in statement.get("Condition", {}).items()
        for key, wanted in conditions.items()
        for met in [_met(test, key.lower(), as_list(wanted), keys)]
    )


def _met(test: str, key: str, wanted: list[Any], keys: Mapping[str, str]) -> bool | None:
    """Evaluate one condition; None if its key or its operator is not known here."""
    if not key.startswith(_CONTEXT):
        return None
    value = keys.get(key)
    operator = test.rpartition(":")[2]
    if operator == "Null":
        return (value is None) == (str(wanted[0]).lower() == "true")
    base = operator.removesuffix("IfExists")
    matches = _OPERATORS.get(base.replace("Not", ""))
    if matches is None:
        return None
    negated = "Not" in base
    if value is None:
        return negated or operator != base or test.startswith("ForAllValues:")
    return negated != any(matches(value, str(pattern)) for pattern in wanted)


_OPERATORS: Final[dict[str, Callable[[str, str], bool]]] = {
    "StringEquals": str.__eq__,
    "StringEqualsIgnoreCase": lambda value, wanted: value.lower() == wanted.lower(),
    "StringLike": fnmatchcase,
}


def _may_reach(resource: str, pattern: str) -> bool:
    """Return whether a pattern may fit an ARN. No wildcard spans two of an ARN's fields.

    Missing fields count as `*` (IAM User Guide, "IAM JSON policy elements: Resource").
    """
    if "*" in (resource, pattern):
        return pattern == "*"
    fields = zip_longest(resource.split(":", 5), pattern.split(":", 5), fillvalue="*")
    return all(_may_meet(field, wanted) for field, wanted in fields)


@cache
def _may_meet(pattern: str, other: str) -> bool:
    """Return whether some text fits both patterns of `*` and `?`."""
    if not pattern or not other:
        return set(pattern + other) <= {"*"}
    if pattern[0] == "*":
        return _may_meet(pattern[1:], other) or _may_meet(pattern, other[1:])
    if other[0] == "*":
        return _may_meet(other, pattern)
    is_same = pattern[0] == other[0] or "?" in pattern[0] + other[0]
    return is_same and _may_meet(pattern[1:], other[1:])
