"""The home region's second rule, which brings read-only events such as those of `aws login`.

EventBridge hands them only to rules in a state that Chalice cannot set. The rule is made with the
rest of a stage, its target and permission once there is a function to invoke.
"""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import resource_names
from chalicelib.aws.error_codes import unless_missing
from chalicelib.signin.events import ALL_EVENTS, READ_ONLY_PATTERN
from ops.account import Account, tags_of
from ops.errors import sentence
from ops.plan import Step

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import DescribeRuleResponseTypeDef
    from mypy_boto3_lambda import LambdaClient

_TARGET: Final = "on_sign_in"
_STATEMENT: Final = "read-only-events"


class ReadOnlyRule:
    """The rule of one stage: what there is, and what is to be done."""

    def __init__(self, account: Account, stage: str) -> None:
        self._stage = stage
        self._name = resource_names.read_only_rule(stage)
        self._arn = account.arn("events", f"rule/{self._name}")
        self._mark = tags_of(stage)
        self._tags = account.tags_for(stage)
        self._function = resource_names.function(stage, "on_sign_in")
        self._function_arn = account.arn("lambda", f"function:{self._function}")
        self._events: EventBridgeClient = account.session.client("events")
        self._lambda: LambdaClient = account.session.client("lambda")

    def steps(self) -> Iterator[Step]:
        """Return the steps to a rule that leads to the function, if that is deployed."""
        if self._main_rule_suffices():
            return
        found = self._described(self._name)
        works = (
            found is not None
            and found.get("State") == ALL_EVENTS
            and json.loads(found.get("EventPattern", "{}")) == READ_ONLY_PATTERN
        )
        if not works:
            yield Step(
                f"make the rule {self._name}",
                self._make,
                "matches read-only events such as those of aws login",
            )
        if self._is_deployed() and not self._is_connected():
            yield Step(f"let the rule {self._name} invoke {self._function}", self._connect)

    def removal_steps(self) -> Iterator[Step]:
        """Return the step that deletes the rule, if `setup` made it."""
        if self._described(self._name) is None:
            return
        tags = self._events.list_tags_for_resource(ResourceARN=self._arn)["Tags"]
        if self._mark.items() <= {tag["Key"]: tag["Value"] for tag in tags}.items():
            yield Step(f"delete the rule {self._name}", self._delete, kind="remove")

    def connect_after_deploy(self) -> None:
        """Connect the rule, if it is there, to the function that Chalice has deployed.

        Says what to do if AWS refuses: the deployment itself is done.
        """
        try:
            if self._described(self._name) is not None:
                self._connect()
        except (ClientError, BotoCoreError) as error:
            click.secho(
                f"The rule {self._name} does not invoke {self._function} yet. {sentence(error)} "
                f"Then: python -m ops setup --stage {self._stage}",
                fg="yellow",
                file=sys.stderr,
            )

    def _main_rule_suffices(self) -> bool:
        """Return whether Chalice's rule has the state, as CloudFormation gives it."""
        main = self._described(resource_names.rule(self._stage, "on_sign_in"))
        return main is not None and main.get("State") == ALL_EVENTS

    def _described(self, name: str) -> "DescribeRuleResponseTypeDef | None":
        return unless_missing(lambda: self._events.describe_rule(Name=name))

    def _is_deployed(self) -> bool:
        name = self._function
        found = unless_missing(lambda: self._lambda.get_function_configuration(FunctionName=name))
        return found is not None

    def _is_connected(self) -> bool:
        rule, function = self._name, self._function
        targets = unless_missing(lambda: self._events.list_targets_by_rule(Rule=rule))
        allowed = unless_missing(lambda: self._lambda.get_policy(FunctionName=function))
        if targets is None or allowed is None:
            return False
        statements = json.loads(allowed["Policy"])["Statement"]
        return any(target["Arn"] == self._function_arn for target in targets["Targets"]) and any(
            statement.get("Sid") == _STATEMENT for statement in statements
        )

    def _make(self) -> None:
        self._events.put_rule(
            Name=self._name,
            EventPattern=json.dumps(READ_ONLY_PATTERN),
            State=ALL_EVENTS,
            Description="Brings read-only sign-in events to signin-monitor",
            Tags=[{"Key": key, "Value": value} for key, value in self._tags.items()],
        )

    def _connect(self) -> None:
        self._events.put_targets(
            Rule=self._name, Targets=[{"Id": _TARGET, "Arn": self._function_arn}]
        )
        try:
            self._lambda.add_permission(
                FunctionName=self._function,
                StatementId=_STATEMENT,
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=self._arn,
            )
        except self._lambda.exceptions.ResourceConflictException:
            return  # it has been given already

    def _delete(self) -> None:
        targets = self._events.list_targets_by_rule(Rule=self._name)["Targets"]
        if targets:
            self._events.remove_targets(Rule=self._name, Ids=[target["Id"] for target in targets])
        self._events.delete_rule(Name=self._name)
