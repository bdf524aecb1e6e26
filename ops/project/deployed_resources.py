"""What AWS has of a stage, in the form in which Chalice records what it deployed.

Chalice's record, `.chalice/deployed/<stage>.json`, is its only memory: without it a second clone
makes the queue's mapping again, which AWS refuses, `chalice delete` does nothing, and the function
of a handler that is no longer registered stays. Since every name follows from the stage, AWS can be
asked instead, and the file becomes a cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from chalicelib import resource_names
from chalicelib.aws.error_codes import unless_missing
from ops.account import Account
from ops.project.config_file import ConfigFile
from ops.project.deployed_record import Resource

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient

VERSION_TAG: Final = "signin-monitor-version"
STACK_TAG: Final = "aws:cloudformation:stack-name"


@dataclass(frozen=True, kw_only=True)
class DeployedResources:
    """A stage as it is deployed.

    `resources` are Chalice's: each stands after those that it rests on. `version` is the release
    that was deployed, None if none says so. `stack` is the CloudFormation stack that made it, None
    if Chalice did.
    """

    resources: tuple[Resource, ...]
    version: str | None
    stack: str | None

    @classmethod
    def find(cls, account: Account, config: ConfigFile, stage: str) -> Self:
        """Ask AWS for everything of a stage that Chalice may have made. Raises boto3's errors."""
        looking = _Looking(account, config, stage)
        resources = tuple(
            resource
            for handler in resource_names.HANDLERS
            for resource in looking.resources_of(handler)
        )
        return cls(
            resources=resources,
            version=looking.tags.get(VERSION_TAG),
            stack=looking.tags.get(STACK_TAG),
        )


class _Looking:
    """Collects what there is, and the tags of the functions that it meets."""

    def __init__(self, account: Account, config: ConfigFile, stage: str) -> None:
        self.tags: dict[str, str] = {}
        self._config = config
        self._stage = stage
        self._queue = config.environment(stage).get("UNDELIVERED_QUEUE", "").strip()
        self._events: EventBridgeClient = account.session.client("events")
        self._functions: LambdaClient = account.session.client("lambda")
        self._iam: IAMClient = account.session.client("iam")
        logs: CloudWatchLogsClient = account.session.client("logs")
        self._log_groups = {
            group["logGroupName"]
            for page in logs.get_paginator("describe_log_groups").paginate(
                logGroupNamePrefix=resource_names.log_group(stage, "")
            )
            for group in page["logGroups"]
        }
        self._mappings = [
            mapping
            for page in self._functions.get_paginator("list_event_source_mappings").paginate()
            for mapping in page["EventSourceMappings"]
            if mapping.get("State") != "Deleting"
        ]

    def resources_of(self, handler: str) -> Iterator[Resource]:
        """Yield what there is of a handler, registered or not, by the names that Chalice gives."""
        yield from self._log_group(handler)
        yield from self._role(handler)
        yield from self._function(handler)
        yield from self._rule(handler)
        yield from self._queues(handler)

    def _log_group(self, handler: str) -> Iterator[Resource]:
        group = resource_names.log_group(self._stage, handler)
        if group in self._log_groups:
            yield _resource(f"{handler}-log-group", "log_group", log_group_name=group)

    def _role(self, handler: str) -> Iterator[Resource]:
        """Yield the handler's role, unless the operator brings a role of that very name."""
        name = resource_names.function(self._stage, handler)
        arn = unless_missing(lambda: self._iam.get_role(RoleName=name)["Role"]["Arn"])
        if arn and arn != self._config.own_role(self._stage, handler):
            yield _resource(f"{handler}_role", "iam_role", role_arn=arn, role_name=name)

    def _function(self, handler: str) -> Iterator[Resource]:
        name = resource_names.function(self._stage, handler)
        if found := unless_missing(lambda: self._functions.get_function(FunctionName=name)):
            self.tags |= found.get("Tags", {})
            arn = found["Configuration"]["FunctionArn"]
            yield _resource(handler, "lambda_function", lambda_arn=arn)

    def _rule(self, handler: str) -> Iterator[Resource]:
        name = resource_names.rule(self._stage, handler)
        if unless_missing(lambda: self._events.describe_rule(Name=name)):
            yield _resource(f"{handler}-event", "cloudwatch_event", rule_name=name)

    def _queues(self, handler: str) -> Iterator[Resource]:
        """Yield each mapping of a queue to the function, that of the stage's own queue first.

        Chalice keeps the first under the name that it would give, and deletes the others.
        """
        name = resource_names.function(self._stage, handler)
        mappings = [mapping for mapping in self._mappings if _last(mapping["FunctionArn"]) == name]
        mappings.sort(key=lambda mapping: _last(mapping["EventSourceArn"]) != self._queue)
        for number, mapping in enumerate(mappings):
            suffix = f"-{number}" if number else ""
            yield _resource(
                f"{handler}-sqs-event-source{suffix}",
                "sqs_event",
                queue_arn=mapping["EventSourceArn"],
                event_uuid=mapping["UUID"],
                queue=_last(mapping["EventSourceArn"]),
                lambda_arn=mapping["FunctionArn"],
            )


def _resource(name: str, kind: str, **values: str) -> Resource:
    return {"name": name, "resource_type": kind, **values}


def _last(arn: str) -> str:
    return arn.rpartition(":")[2]


def as_numbers(version: str) -> tuple[int, ...]:
    """Return a release's version in a form that can be compared."""
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
