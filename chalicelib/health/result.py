"""Link: the state of one part of the way from a sign-in to the channel."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self


class Status(StrEnum):
    """How a link is."""

    OK = "ok"
    FAULT = "fault"
    UNKNOWN = "cannot_tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One link, as found.

    `code` names the sentence in the phrases that tells a fault, or why nothing can be told;
    `facts` are the words in that sentence's gaps. `remedy` is a command or a console's address,
    the same in every language. `region` is set where the link exists in each region.
    """

    name: str
    state: Status
    code: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""
    region: str | None = None

    @classmethod
    def ok(cls, name: str, region: str | None = None, **facts: str) -> Self:
        """Return a link that works."""
        return cls(name=name, state=Status.OK, facts=facts, region=region)

    @classmethod
    def fault(
        cls, name: str, code: str, remedy: str, region: str | None = None, **facts: str
    ) -> Self:
        """Return a link that is broken."""
        return cls(
            name=name, state=Status.FAULT, code=code, remedy=remedy, facts=facts, region=region
        )

    @property
    def key(self) -> str:
        """What tells one fault from another, over time: the first of its facts says of what."""
        return ":".join((self.name, self.code, self.region or next(iter(self.facts.values()), "")))
