"""The DynamoDB table that remembers from where and with what each person signs in."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from chalicelib import resource_names
from chalicelib.aws.error_codes import unless_missing
from chalicelib.baseline.item import EXPIRY, KEY
from chalicelib.health.baseline import forgets
from ops.account import Account, tags_of
from ops.plan import Step
from ops.project.config_file import ConfigFile

_WAIT: Final = {"Delay": 2, "MaxAttempts": 60}


class StageTable:
    """The table of one stage: what there is, and what is to be done.

    A table that does not bear the stage's tag is the operator's own and is left alone.
    """

    def __init__(self, account: Account, config: ConfigFile, stage: str) -> None:
        """Manage the table of a stage, whose settings may name it."""
        named = config.environment(stage).get("BASELINE_TABLE", "").strip()
        self.name = named or resource_names.baseline_table(stage)
        self._dynamodb: Any = account.client("dynamodb", account.region)
        self._mark = tags_of(stage)
        self._tags = account.tags_for(stage)
        self._table = self._find()

    def steps(self) -> Iterator[Step]:
        """Return the steps to a table that forgets in time and is not deleted by mistake."""
        if self._table is None:
            yield Step(
                f"make the DynamoDB table {self.name}",
                self._make,
                "on demand, encrypted, protected from deletion, forgets who no longer signs in",
            )
            return
        if not self._is_ours:
            return
        if not self._table.get("DeletionProtectionEnabled"):
            yield Step(
                f"protect the table {self.name} from deletion",
                partial(self._protect, is_on=True),
                kind="change",
            )
        if not forgets(self._dynamodb, self.name):
            yield Step(f"let the table {self.name} forget in time", self._set_expiry, kind="change")

    def removal_steps(self) -> Iterator[Step]:
        """Return the step that deletes the table, if `setup` made it."""
        if self._table and self._is_ours:
            yield Step(
                f"delete the table {self.name} and all that it remembers",
                self._delete,
                kind="remove",
            )

    @property
    def _is_ours(self) -> bool:
        arn = self._table["TableArn"] if self._table else ""
        tags = self._dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
        return self._mark.items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()

    def _find(self) -> dict[str, Any] | None:
        return unless_missing(lambda: self._dynamodb.describe_table(TableName=self.name)["Table"])

    def _make(self) -> None:
        self._dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
            SSESpecification={"Enabled": True},
            Tags=[{"Key": key, "Value": value} for key, value in self._tags.items()],
        )
        self._dynamodb.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig=_WAIT)
        self._set_expiry()

    def _set_expiry(self) -> None:
        self._dynamodb.update_time_to_live(
            TableName=self.name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRY},
        )

    def _protect(self, *, is_on: bool) -> None:
        self._dynamodb.update_table(TableName=self.name, DeletionProtectionEnabled=is_on)
        self._dynamodb.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig=_WAIT)

    def _delete(self) -> None:
        self._protect(is_on=False)
        self._dynamodb.delete_table(TableName=self.name)
