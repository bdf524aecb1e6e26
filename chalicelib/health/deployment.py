"""Deployment: a stage in its AWS account, and the names of its parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from chalicelib import resource_names
from chalicelib.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A stage in its AWS account, and the names that Chalice and `ops setup` gave its parts.

    `pattern` is the event pattern that the app asks EventBridge for, `environment` all variables
    that the stage's configuration gives its functions, where that is known.
    """

    settings: Settings
    account_id: str
    pattern: Mapping[str, list[str]]
    partition: str = "aws"
    environment: Mapping[str, str] | None = None

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
        return resource_names.deployed_handlers(self.settings)

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
        """Return the ARN of something in the home region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    def function(self, handler: str) -> str:
        """Return a handler's function name."""
        return resource_names.function(self.stage, handler)

    def function_arn(self, handler: str) -> str:
        """Return a handler's function ARN."""
        return self.arn("lambda", f"function:{self.function(handler)}")

    def rule(self, handler: str) -> str:
        """Return the name of the EventBridge rule that invokes a handler."""
        return resource_names.rule(self.stage, handler)

    def log_group(self, handler: str) -> str:
        """Return a handler's log group."""
        return resource_names.log_group(self.stage, handler)

    def schedule(self, handler: str) -> str | None:
        """Return when a scheduled handler is to run."""
        schedules = {
            "audit_mfa": self.settings.mfa_audit_schedule,
            "self_check": self.settings.self_check_schedule,
        }
        return schedules[handler]

    @property
    def deploy_command(self) -> str:
        """The command that makes what Chalice makes, again."""
        return resource_names.deploy_command(self.stage)

    def ops_command(self, command: str, options: str = "") -> str:
        """Return a command of the operator's, for this stage."""
        return resource_names.ops_command(self.stage, command, options)
