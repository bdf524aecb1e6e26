"""The deployed package with a baseline, against DynamoDB's API."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.aws.runtime import LambdaFunction
from playground.aws.settings import provision_baseline
from tests.support.notifier_harness import event
from tests.support.stage_harness import StageHarness

Start = Callable[[], LambdaFunction]


@pytest.fixture
def start(package: Path, harness: StageHarness) -> Start:
    """Give what starts another function of the stage, cold."""
    harness.settings |= provision_baseline("prod", aws=harness.aws)
    harness.settings["FAMILIAR_SIGN_INS"] = "ignore"

    def start() -> LambdaFunction:
        function = LambdaFunction(package, "app.on_sign_in", harness.environment)
        return harness.enter(function)

    return start


def decided(function: LambdaFunction, event: dict[str, Any]) -> tuple[str, list[str]]:
    result = function.invoke(event)
    assert result.error is None
    return result.value["decision"], result.value["reasons"]


def test_functions_share_what_they_know_of_a_person(start: Start) -> None:
    here, there = start(), start()
    first = event("iam-user-with-mfa")
    assert decided(here, first) == ("posted", ["first_sign_in"])
    assert decided(there, first) == ("posted", ["first_sign_in"])
    assert decided(there, event("iam-user-with-mfa")) == ("ignored", ["with_mfa", "familiar"])
    new = event("iam-user-new-network")
    assert decided(here, new) == ("posted", ["new_network", "new_client"])
    assert decided(there, event("iam-user-new-network"))[0] == "ignored"
