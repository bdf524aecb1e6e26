"""Where a sign-in came from, by what one stage knows."""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.baseline import origins
from chalicelib.baseline.networks import KnownNetworks
from chalicelib.baseline.origins import Origins
from chalicelib.baseline.sighting import Sighting
from chalicelib.baseline.table import BaselineTable
from chalicelib.errors import AWSCallError, AWSUnreachable
from chalicelib.signin.origin import Habits, Origin
from chalicelib.signin.reader import read_sign_in
from playground.aws.deployment import PROJECT
from tests.support.records import changed, event, without
from tests.support.stage import stage

ALICE = event("iam-user-with-mfa")  # from 203.0.113.5
ADDRESS = ("detail", "sourceIPAddress")
FAILURE = changed(event("iam-user-wrong-password"), *ADDRESS, to="203.0.113.5")
OFFICE = KnownNetworks({"203.0.113.0/24": "Seoul office"})
ELSEWHERE = KnownNetworks({"198.51.100.0/24": "Seoul office"})


def habits(sighting: Sighting, **changes: Any) -> Habits:  # noqa: ANN401 — any field
    fields: dict[str, Any] = {
        "is_of_role": False,
        "is_first": False,
        "network": sighting.network,
        "client": sighting.client,
        "is_new_network": False,
        "is_new_client": False,
        "usual_networks": (),
        "usual_clients": (),
    }
    return Habits(**fields | changes)


class Table(BaselineTable):
    """Answers as the test says, and counts."""

    def __init__(self, answer: Callable[[Sighting], Habits] = habits) -> None:
        self.asked: list[Sighting] = []
        self.learnt: list[Sighting] = []
        self.answer = answer

    def learn(self, sighting: Sighting) -> Habits:
        self.learnt.append(sighting)
        return self.answer(sighting)

    def compare(self, sighting: Sighting) -> Habits:
        self.asked.append(sighting)
        return self.answer(sighting)


def origin(
    event: dict[str, Any], networks: KnownNetworks, table: BaselineTable | None = None
) -> Origin:
    return Origins(networks, table).of(read_sign_in(event), learn=True)


def test_an_address_of_a_known_network_has_its_name() -> None:
    assert origin(ALICE, OFFICE) == Origin(network_name="Seoul office")
    assert origin(FAILURE, OFFICE).network_name == "Seoul office"


def test_a_sign_in_from_outside_is_a_success() -> None:
    assert origin(ALICE, ELSEWHERE).is_outside_known_networks
    assert not origin(FAILURE, ELSEWHERE).is_outside_known_networks
    assert not origin(without(ALICE, *ADDRESS), ELSEWHERE).is_outside_known_networks
    assert not origin(ALICE, KnownNetworks({})).is_outside_known_networks


def test_a_host_name_hides_an_address_and_is_outside() -> None:
    hidden = changed(ALICE, *ADDRESS, to="appstream.amazonaws.com")
    assert origin(hidden, OFFICE).is_outside_known_networks


def test_a_vpc_endpoint_of_another_account_is_in_no_known_network() -> None:
    endpoint = changed(ALICE, "detail", "vpcEndpointId", to="vpce-0a1b2c3d")
    own = changed(endpoint, "detail", "vpcEndpointAccountId", to="111122223333")
    assert origin(own, OFFICE).network_name == "Seoul office"
    foreign = changed(endpoint, "detail", "vpcEndpointAccountId", to="666666666666")
    assert origin(foreign, OFFICE) == Origin(is_outside_known_networks=True)


def test_what_is_usual_for_the_person_is_not_outside() -> None:
    assert not origin(ALICE, ELSEWHERE, Table()).is_outside_known_networks
    new = Table(lambda sighting: habits(sighting, is_new_network=True))
    assert origin(ALICE, ELSEWHERE, new).is_outside_known_networks


def test_a_known_network_is_compared_by_its_name() -> None:
    table = Table()
    assert origin(ALICE, OFFICE, table).habits == habits(table.learnt[0])
    origin(ALICE, ELSEWHERE, table)
    assert [sighting.network for sighting in table.learnt] == ["Seoul office", "203.0.113.0/24"]
    assert table.learnt[0].client == "Chrome/macOS"


@pytest.mark.parametrize(
    "unasked",
    [
        FAILURE,
        event("iam-user-wrong-mfa-code"),
        event("check-mfa-virtual"),
        event("switch-role-in-role-account"),
        event("iam-user-unknown-name"),
        changed(ALICE, "detail", "responseElements", to=None),
        changed(ALICE, "replay-name", to="of the operator"),
        without(ALICE, "detail", "eventID"),
        without(ALICE, *ADDRESS),
    ],
)
def test_only_a_new_success_of_a_known_person_is_compared(unasked: dict[str, Any]) -> None:
    table = Table()
    assert origin(unasked, OFFICE, table).habits is None
    assert not table.learnt


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AWSCallError("dynamodb:UpdateItem", "AccessDeniedException"), "AccessDeniedException"),
        (KeyError("first"), "could not be read"),
    ],
)
def test_a_table_that_fails_is_as_none(
    error: Exception, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Sighting) -> Habits:
        raise error

    failed = origin(ALICE, ELSEWHERE, Table(fail))
    assert (failed.habits, failed.is_outside_known_networks) == (None, True)
    assert line in capsys.readouterr().out


def test_a_table_that_is_slow_is_as_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(origins, "BASELINE_SECONDS", 0.01)

    def dawdle(sighting: Sighting) -> Habits:
        time.sleep(0.2)
        return habits(sighting)

    assert origin(ALICE, OFFICE, Table(dawdle)).habits is None
    assert "did not answer in time" in capsys.readouterr().out


def test_a_batch_is_compared_up_to_fifty_and_teaches_nothing() -> None:
    table = Table()
    batch = [read_sign_in(FAILURE), *[read_sign_in(ALICE)] * 60]
    origins = Origins(OFFICE, table).of_batch(batch)
    assert len(table.asked) == 50
    assert not table.learnt
    assert [origin.habits is not None for origin in origins] == [False, *[True] * 50, *[False] * 10]
    assert {origin.network_name for origin in origins} == {"Seoul office"}


def test_a_batch_asks_a_table_that_fails_once() -> None:
    def fail(_: Sighting) -> Habits:
        raise AWSCallError("dynamodb:UpdateItem", "ResourceNotFoundException")

    table = Table(fail)
    Origins(OFFICE, table).of_batch([read_sign_in(ALICE)] * 3)
    assert len(table.asked) == 1


def test_the_connection_is_opened_ahead_if_there_is_a_table() -> None:
    opened = []

    class Slow(Table):
        def connect(self) -> None:
            opened.append(self)
            raise AWSUnreachable("dynamodb", "read_timeout")

    Origins(OFFICE, Slow()).connect()
    Origins(OFFICE, None).connect()
    assert len(opened) == 1


def test_a_stage_has_a_table_only_where_it_names_it() -> None:
    assert Origins.of_stage(stage())._table is None
    assert Origins.of_stage(stage(BASELINE_TABLE="people"))._table is not None


IMPORTED = """
import os, sys
from chalicelib.notifier import notifier
notifier(os.environ)
print([name for name in sys.modules if "baseline" in name])
"""


@pytest.mark.parametrize(
    ("variables", "modules"),
    [
        ({}, ()),
        (
            {"KNOWN_NETWORKS": '{"203.0.113.0/24": "Seoul office"}'},
            ("networks", "origins", "person", "sighting"),
        ),
    ],
)
def test_what_a_stage_does_not_use_is_not_imported(
    variables: dict[str, str], modules: tuple[str, ...]
) -> None:
    environment = {"STAGE": "prod", "WEBHOOK_URL_ENCRYPTED": "AAAA", **variables}
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    package = ("chalicelib.baseline",) if modules else ()
    names = {*package, *(f"chalicelib.baseline.{module}" for module in modules)}
    assert set(ast.literal_eval(run.stdout)) == names
