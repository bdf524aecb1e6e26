"""Who may send sign-ins to the home region's bus: the accounts of an organisation."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from chalicelib import resource_names
from ops.account import Account
from ops.plan import Step

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient


class HomeBus:
    """The home region's default bus, and one statement of its policy."""

    def __init__(self, account: Account, stage: str) -> None:
        self._events: EventBridgeClient = account.session.client("events")
        self._arn = account.arn("events", "event-bus/default")
        self._sid = f"{resource_names.APP}-{stage}"
        text = self._events.describe_event_bus().get("Policy")
        self._policy: dict[str, Any] = json.loads(text) if text else {"Statement": []}

    def steps(self, organization: str) -> Iterator[Step]:
        """Return the step that lets an organisation's accounts send sign-ins, and nothing else."""
        wanted = self._statement(organization)
        statements = self._policy["Statement"]
        others = [statement for statement in statements if statement.get("Sid") != self._sid]
        if wanted not in statements:
            policy = {"Version": "2012-10-17", "Statement": [*others, wanted]}
            yield Step(
                f"let the accounts of {organization} send sign-ins to {self._arn}",
                lambda: self._events.put_permission(Policy=json.dumps(policy)),
            )

    def removal_steps(self) -> Iterator[Step]:
        """Return the step that takes this statement away."""
        if any(statement.get("Sid") == self._sid for statement in self._policy["Statement"]):
            yield Step(
                f"no longer let an organisation send sign-ins to {self._arn}",
                lambda: self._events.remove_permission(StatementId=self._sid),
                kind="remove",
            )

    def _statement(self, organization: str) -> dict[str, Any]:
        """Source: "Permissions for event buses" (Amazon EventBridge User Guide)."""
        return {
            "Sid": self._sid,
            "Effect": "Allow",
            "Principal": "*",
            "Action": "events:PutEvents",
            "Resource": self._arn,
            "Condition": {
                "StringEquals": {"aws:PrincipalOrgID": organization},
                "ForAllValues:StringEquals": {"events:source": "aws.signin"},
            },
        }
