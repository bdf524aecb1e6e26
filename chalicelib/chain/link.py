"""Link: the state of one part of the way from a sign-in to the channel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from chalicelib import resource_names
from chalicelib.settings import Settings

# Gives the boto3 client of a service (its boto3 name) in a region; must be safe across threads.
Clients = Callable[[str, str], Any]


class State(StrEnum):
    """How a link is."""

    OK = "ok"
    FAULT = "fault"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link, as found.

    `code` names the sentence in the phrases that tells a fault, or why nothing can be told;
    `facts` are the words in that sentence's gaps. `remedy` is a command or a console's address,
    the same in every language. `region` is set where the link exists in each region.
    """

    name: str
    state: State
    code: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    remedy: str = ""
    region: str | None = None

    @classmethod
    def ok(cls, name: str, region: str | None = None, **facts: str) -> Self:
        """Give a link that works."""
        return cls(name=name, state=State.OK, facts=facts, region=region)

    @classmethod
    def fault(
        cls, name: str, code: str, remedy: str, region: str | None = None, **facts: str
    ) -> Self:
        """Give a link that is broken."""
        return cls(
            name=name, state=State.FAULT, code=code, remedy=remedy, facts=facts, region=region
        )

    @property
    def key(self) -> str:
        """What tells one fault from another, over time: the first of its facts says of what."""
        return ":".join((self.name, self.code, self.region or next(iter(self.facts.values()), "")))


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A stage in its AWS account, and the names that Chalice and `ops setup` gave its parts.

    `pattern` is the event pattern that the app asks EventBridge for.
    """

    settings: Settings
    account_id: str
    pattern: Mapping[str, list[str]]
    partition: str = "aws"

    @property
    def stage(self) -> str:
        """The stage's name."""
        return self.settings.stage

    @property
    def region(self) -> str:
        """The home region."""
        return self.settings.sign_in_region

    @cached_property
    def handlers(self) -> tuple[str, ...]:
        """The handlers that the stage's settings register, `on_sign_in` first."""
        return resource_names.registered(self.settings)

    @property
    def key_alias(self) -> str:
        """The alias of the key that encrypts the webhook."""
        return resource_names.key_alias(self.stage)

    @property
    def bus_arn(self) -> str:
        """The home region's default event bus, to which other regions forward."""
        return self.arn("events", "event-bus/default")

    @property
    def queue_arn(self) -> str:
        """The undelivered queue's ARN."""
        return self.arn("sqs", self.settings.undelivered_queue or "")

    def arn(self, service: str, resource: str) -> str:
        """Give the ARN of something in the home region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def function(self, handler: str) -> str:
        """Give a handler's function name."""
        return resource_names.function(self.stage, handler)

    def function_arn(self, handler: str) -> str:
        """Give a handler's function ARN."""
        return self.arn("lambda", f"function:{self.function(handler)}")

    def rule(self, handler: str) -> str:
        """Give the name of the EventBridge rule that invokes a handler."""
        return resource_names.rule(self.stage, handler)

    def log_group(self, handler: str) -> str:
        """Give a handler's log group."""
        return resource_names.log_group(self.stage, handler)

    @property
    def deploy_command(self) -> str:
        """What makes Chalice's part anew."""
        return f"chalice deploy --stage {self.stage}"

    def ops_command(self, command: str, options: str = "") -> str:
        """Give a command of the operator's, for this stage."""
        return f"python -m ops {command} --stage {self.stage} {options}".rstrip()
