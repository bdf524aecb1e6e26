"""The check of the baseline's table."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chalicelib.aws.clients import Clients
from chalicelib.baseline.item import EXPIRY, KEY
from chalicelib.health.baseline import check_baseline
from chalicelib.health.checks import Check, run_checks
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.signin.events import SIGN_IN_PATTERN
from playground.aws.embedded import ACCOUNT_ID, EmbeddedAws
from tests.support.stage import stage
from tests.support.strict_aws import StrictAws

TABLE = "people"


def check(clients: Clients, **variables: str) -> list[CheckResult]:
    settings = stage(**variables)
    deployment = Deployment(settings=settings, account_id=ACCOUNT_ID, pattern=SIGN_IN_PATTERN)
    return list(run_checks(deployment, clients, [Check("baseline", check_baseline)]))


@pytest.fixture
def dynamodb(aws: EmbeddedAws) -> Any:  # noqa: ANN401 — boto3's client
    """Return the client of an account with a table as `setup` makes it."""
    dynamodb = aws.client("dynamodb")
    aws.make_table(TABLE, key=KEY, expiry=EXPIRY)
    return dynamodb


def never_expire(aws: EmbeddedAws) -> None:
    setting = {"Enabled": False, "AttributeName": EXPIRY}
    aws.client("dynamodb").update_time_to_live(TableName=TABLE, TimeToLiveSpecification=setting)


def unprotect(aws: EmbeddedAws) -> None:
    aws.client("dynamodb").update_table(TableName=TABLE, DeletionProtectionEnabled=False)


def replace(aws: EmbeddedAws) -> None:
    unprotect(aws)
    aws.client("dynamodb").delete_table(TableName=TABLE)
    aws.make_table(TABLE, key="id", expiry=EXPIRY)


@pytest.mark.usefixtures("dynamodb")
def test_a_table_as_setup_makes_it_is_ok(aws: EmbeddedAws) -> None:
    (result,) = check(aws.client, BASELINE_TABLE=TABLE, BASELINE_DAYS="30")
    assert (result.status, result.facts) == (Status.OK, {"remembers_days": "30"})


@pytest.mark.parametrize(
    ("break_it", "code"),
    [
        (never_expire, "table_forgets_nothing"),
        (unprotect, "table_unprotected"),
        (replace, "table_key"),
    ],
)
@pytest.mark.usefixtures("dynamodb")
def test_what_is_wrong_with_a_table_is_named(
    aws: EmbeddedAws, break_it: Callable[[EmbeddedAws], None], code: str
) -> None:
    break_it(aws)
    (result,) = check(aws.client, BASELINE_TABLE=TABLE)
    assert (result.code, result.resource) == (code, TABLE)
    assert result.remedy == "python -m ops setup --stage prod --baseline"


def test_a_missing_table_is_named(aws: EmbeddedAws) -> None:
    (result,) = check(aws.client, BASELINE_TABLE=TABLE)
    assert result.code == "table_missing"


def test_a_table_that_cannot_be_used_is_named(dynamodb: Any) -> None:  # noqa: ANN401
    status = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"

    def lock(parsed: dict[str, Any], **_: object) -> None:
        parsed["Table"]["TableStatus"] = status

    dynamodb.meta.events.register("after-call.dynamodb.DescribeTable", lock)
    (result,) = check(lambda *_: dynamodb, BASELINE_TABLE=TABLE)
    assert (result.code, result.facts["status"]) == ("table_inactive", status)


def test_a_stage_without_a_baseline_is_not_asked_for_a_table(aws: EmbeddedAws) -> None:
    assert check(aws.client) == []


def test_a_table_that_may_not_be_looked_at_is_unknown(aws: StrictAws) -> None:
    aws.deny("dynamodb:DescribeTable")
    (result,) = check(partial(aws.client, caller="operator"), BASELINE_TABLE=TABLE)
    assert (result.status, result.code) == (Status.UNKNOWN, "denied")
