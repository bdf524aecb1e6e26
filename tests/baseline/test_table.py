"""What the table remembers, asked through DynamoDB's own rules for expressions."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.baseline.item import EXPIRY, KEY
from chalicelib.baseline.sighting import Sighting
from chalicelib.baseline.table import BaselineTable
from chalicelib.errors import AWSCallError, AWSUnreachable
from chalicelib.signin.origin import Habits

OFFICE = Sighting(
    person="sso alice@example.com",
    event_id="e1",
    network="Seoul office",
    client="Chrome/macOS",
    time=datetime(2026, 3, 1, 9, tzinfo=UTC),
)
HOME = replace(OFFICE, event_id="e2", network="198.51.100.0/24")


class Boto3:
    """boto3's client, called as ours is."""

    def __init__(self) -> None:
        self.client = boto3.client("dynamodb", "us-east-1")
        self.calls = 0

    def call(self, action: str, /, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 — as boto3
        assert action == "UpdateItem"
        self.calls += 1
        try:
            return dict(self.client.update_item(**parameters))
        except self.client.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            raise AWSCallError(f"dynamodb:{action}", code, status=400) from None

    def item(self) -> dict[str, Any]:
        key = {KEY: {"S": OFFICE.person}}
        return dict(self.client.get_item(TableName="people", Key=key).get("Item", {}))


@pytest.fixture
def dynamodb() -> Iterator[Boto3]:
    with mock_aws():
        boto3 = Boto3()
        boto3.client.create_table(
            TableName="people",
            KeySchema=[{"AttributeName": KEY, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": KEY, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield boto3


@pytest.fixture
def table(dynamodb: Boto3) -> BaselineTable:
    return BaselineTable(dynamodb, "people", 90)


def test_a_person_is_new_once_however_often_the_event_comes(table: BaselineTable) -> None:
    assert table.learn(OFFICE).is_first
    assert table.learn(OFFICE).is_first
    assert table.learn(replace(OFFICE, event_id="e9")).is_familiar


def test_a_new_network_is_new_beside_what_is_usual(table: BaselineTable) -> None:
    table.learn(OFFICE)
    habits = table.learn(HOME)
    assert (habits.is_first, habits.is_new_network, habits.is_new_client) == (False, True, False)
    assert habits.usual_networks == ("Seoul office",)
    assert habits.usual_clients == ("Chrome/macOS",)


def test_the_answer_to_a_late_copy_is_the_answer_to_the_first(table: BaselineTable) -> None:
    table.learn(OFFICE)
    first = table.learn(HOME)
    table.learn(replace(HOME, event_id="e3"))
    assert table.learn(HOME) == first
    assert table.compare(HOME) == first


def test_what_is_only_compared_teaches_nothing(table: BaselineTable, dynamodb: Boto3) -> None:
    assert table.compare(OFFICE).is_first
    assert not dynamodb.item()
    table.learn(OFFICE)
    assert table.compare(HOME).is_new_network
    assert table.compare(replace(HOME, event_id="e3")).is_new_network


def test_a_familiar_sign_in_is_one_request(table: BaselineTable, dynamodb: Boto3) -> None:
    table.learn(OFFICE)
    dynamodb.calls = 0
    table.learn(replace(OFFICE, event_id="e3"))
    assert dynamodb.calls == 1


def test_what_was_not_seen_for_so_many_days_is_forgotten(table: BaselineTable) -> None:
    table.learn(OFFICE)
    later = OFFICE.time + timedelta(days=60)
    table.learn(replace(HOME, time=later))
    table.learn(replace(HOME, event_id="e3", time=later + timedelta(days=31)))
    back = replace(OFFICE, event_id="e4", time=later + timedelta(days=32))
    assert table.learn(back).is_new_network


def test_an_item_keeps_the_newest_networks_and_clients(
    table: BaselineTable, dynamodb: Boto3
) -> None:
    for number in range(52):
        seen = replace(
            OFFICE,
            event_id=f"e{number}",
            network=f"10.0.{number}.0/24",
            client=f"{number}/",
            time=OFFICE.time + timedelta(days=number),
        )
        table.learn(seen)
    names = [name for name in dynamodb.item() if name.startswith("network ")]
    assert len(names) == 50
    assert "network 10.0.51.0/24" in names
    assert "network 10.0.1.0/24" not in names
    assert len([name for name in dynamodb.item() if name.startswith("client ")]) == 20


def test_an_item_expires_after_the_last_sign_in(table: BaselineTable, dynamodb: Boto3) -> None:
    table.learn(OFFICE)
    expires = datetime.fromtimestamp(int(dynamodb.item()[EXPIRY]["N"]), UTC)
    assert expires == OFFICE.time + timedelta(days=90)


def test_what_cannot_be_removed_now_does_not_hide_the_answer(dynamodb: Boto3) -> None:
    class OneCallOnly(Boto3):
        def call(self, action: str, /, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401
            if "REMOVE" in parameters["UpdateExpression"]:
                raise AWSCallError("dynamodb:UpdateItem", "ThrottlingException", status=400)
            return super().call(action, **parameters)

    table = BaselineTable(OneCallOnly(), "people", 90)
    table.learn(OFFICE)
    later = replace(HOME, time=OFFICE.time + timedelta(days=100))
    assert table.learn(later).is_new_network
    assert f"network {OFFICE.network}" in dynamodb.item()


def test_an_answer_without_an_item_is_no_answer() -> None:
    class Portal:
        def call(self, _action: str, /, **_parameters: object) -> dict[str, Any]:
            return {"Attributes": None}

    with pytest.raises(AWSUnreachable):
        BaselineTable(Portal(), "people", 90).learn(OFFICE)


@pytest.mark.parametrize("ask", [BaselineTable.learn, BaselineTable.compare])
def test_a_table_that_is_gone_is_said_so(ask: Callable[[BaselineTable, Sighting], Habits]) -> None:
    with mock_aws(), pytest.raises(AWSCallError, match="ResourceNotFound"):
        ask(BaselineTable(Boto3(), "people", 90), OFFICE)
