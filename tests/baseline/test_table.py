"""What the table remembers, asked through DynamoDB's own rules for expressions."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.aws.json_protocol import JSONClient
from chalicelib.baseline.item import EXPIRY, KEY
from chalicelib.baseline.sighting import Sighting
from chalicelib.baseline.table import BaselineTable
from chalicelib.errors import AWSCallError, AWSUnreachable
from chalicelib.signin.origin import Habits
from playground.aws.embedded import EmbeddedAws
from tests.support.json_client import ScriptedClient, client_of

TABLE = "people"

OFFICE = Sighting(
    person="sso alice@example.com",
    event_id="e1",
    network="Seoul office",
    client="Chrome/macOS",
    time=datetime(2026, 3, 1, 9, tzinfo=UTC),
)
HOME = replace(OFFICE, event_id="e2", network="198.51.100.0/24")


@pytest.fixture
def dynamodb(aws: EmbeddedAws) -> JSONClient:
    aws.make_table(TABLE, key=KEY, expiry=EXPIRY)
    return client_of(aws, "dynamodb")


@pytest.fixture
def table(dynamodb: JSONClient) -> BaselineTable:
    return BaselineTable(dynamodb, TABLE, 90)


def item(aws: EmbeddedAws) -> dict[str, Any]:
    """Return the one item that there is, or an empty item."""
    return next(iter(aws.items(TABLE)), {})


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


def test_what_is_only_compared_teaches_nothing(table: BaselineTable, aws: EmbeddedAws) -> None:
    assert table.compare(OFFICE).is_first
    assert not item(aws)
    table.learn(OFFICE)
    assert table.compare(HOME).is_new_network
    assert table.compare(replace(HOME, event_id="e3")).is_new_network


def test_a_familiar_sign_in_is_one_request() -> None:
    known = {"first": {"S": "e0"}, "network_seen Seoul office": {"S": OFFICE.day}}
    dynamodb = ScriptedClient({"Attributes": known})
    BaselineTable(dynamodb, TABLE, 90).learn(OFFICE)
    assert [action for action, _ in dynamodb.calls] == ["UpdateItem"]


def test_what_was_not_seen_for_so_many_days_is_forgotten(table: BaselineTable) -> None:
    table.learn(OFFICE)
    later = OFFICE.time + timedelta(days=60)
    table.learn(replace(HOME, time=later))
    table.learn(replace(HOME, event_id="e3", time=later + timedelta(days=31)))
    back = replace(OFFICE, event_id="e4", time=later + timedelta(days=32))
    assert table.learn(back).is_new_network


def test_an_item_keeps_the_newest_networks_and_clients(
    table: BaselineTable, aws: EmbeddedAws
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
    names = [name for name in item(aws) if name.startswith("network ")]
    assert len(names) == 50
    assert "network 10.0.51.0/24" in names
    assert "network 10.0.1.0/24" not in names
    assert len([name for name in item(aws) if name.startswith("client ")]) == 20


def test_an_item_expires_after_the_last_sign_in(table: BaselineTable, aws: EmbeddedAws) -> None:
    table.learn(OFFICE)
    expires = datetime.fromtimestamp(int(item(aws)[EXPIRY]["N"]), UTC)
    assert expires == OFFICE.time + timedelta(days=90)


def test_what_cannot_be_removed_now_does_not_hide_the_answer() -> None:
    known = {"first": {"S": "e0"}, "network_seen 10.0.0.0/24": {"S": "2020-01-01"}}
    throttled = AWSCallError("dynamodb:UpdateItem", "ThrottlingException", status=400)
    dynamodb = ScriptedClient({"Attributes": known}, throttled)
    assert BaselineTable(dynamodb, TABLE, 90).learn(OFFICE).is_new_network
    assert len(dynamodb.calls) == 2


def test_an_answer_without_an_item_is_no_answer() -> None:
    portal = ScriptedClient({"Attributes": None})
    with pytest.raises(AWSUnreachable):
        BaselineTable(portal, TABLE, 90).learn(OFFICE)


@pytest.mark.parametrize("ask", [BaselineTable.learn, BaselineTable.compare])
def test_a_table_that_is_gone_is_said_so(
    ask: Callable[[BaselineTable, Sighting], Habits], aws: EmbeddedAws
) -> None:
    with pytest.raises(AWSCallError, match="ResourceNotFound"):
        ask(BaselineTable(client_of(aws, "dynamodb"), "gone", 90), OFFICE)


def test_a_connection_that_cannot_be_opened_ahead_is_no_answer() -> None:
    nobody = JSONClient("dynamodb", "us-east-1", url="https://127.0.0.1:1/")
    with pytest.raises(AWSUnreachable, match="dynamodb failed"):
        BaselineTable(nobody, TABLE, 90).connect()
