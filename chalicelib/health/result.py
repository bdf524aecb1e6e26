"""CheckResult: what one check found at one resource, and FaultId, which names a fault over time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, Self


class Status(StrEnum):
    """How a resource is."""

    OK = "ok"
    FAULT = "fault"
    UNKNOWN = "unknown"


class FaultId(NamedTuple):
    """The identity of a fault, from one run of the self-check to the next."""

    check: str
    code: str
    region: str | None
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check found.

    `code` names the phrase that describes a fault, or why nothing is known; `resource`, `region`
    and `facts` fill its gaps. `region` is set where each region has a resource of its own,
    `handler` where the resource serves one handler. `remedy` is a command or a console's address,
    the same in every language.
    """

    check: str
    status: Status
    code: str = ""
    resource: str = ""
    region: str | None = None
    handler: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""

    @classmethod
    def ok(
        cls,
        check: str,
        resource: str = "",
        *,
        region: str | None = None,
        handler: str | None = None,
        **facts: str,
    ) -> Self:
        """Return the result of a resource that works."""
        return cls(
            check=check,
            status=Status.OK,
            resource=resource,
            region=region,
            handler=handler,
            facts=facts,
        )

    @classmethod
    def fault(
        cls,
        check: str,
        code: str,
        remedy: str,
        resource: str = "",
        *,
        region: str | None = None,
        handler: str | None = None,
        **facts: str,
    ) -> Self:
        """Return the result of a resource that is missing, changed or broken."""
        result = cls.ok(check, resource, region=region, handler=handler, **facts)
        return replace(result, status=Status.FAULT, code=code, remedy=remedy)

    @property
    def fault_id(self) -> FaultId:
        """The identity of this fault."""
        return FaultId(self.check, self.code, self.region, self.resource)
