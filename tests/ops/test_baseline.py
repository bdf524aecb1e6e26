"""The table of who signs in from where: made, taught, shown, forgotten, taken away."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from playground.aws import cloudtrail
from playground.aws.embedded import EmbeddedAws
from tests.support import records
from tests.support.cli import Cli
from tests.support.records import event

pytestmark = pytest.mark.usefixtures("quick_history")
TABLE = "signin-monitor-prod-baseline"
ALICE = "arn:aws:iam::111122223333:user/alice"
PROD = ("baseline", "--stage", "prod")


def happened(
    aws: EmbeddedAws, name: str, days_ago: int, number: int = 0, region: str = "us-east-1"
) -> None:
    """Let a sign-in of the catalogue happen."""
    at, event_id = datetime.now(UTC) - timedelta(days=days_ago), f"{name}-{days_ago}-{number}"
    sign_in = records.happened(event(name), at, awsRegion=region, eventID=event_id)
    cloudtrail.remember(aws.url, sign_in)


@pytest.fixture
def table(cli: Cli) -> None:
    cli.set_up("--baseline")


def people(aws: EmbeddedAws) -> dict[str, dict[str, Any]]:
    return {item["person"]["S"]: item for item in aws.items(TABLE)}


@pytest.mark.usefixtures("table")
def test_the_table_is_on_demand_encrypted_protected_tagged_and_forgets(
    cli: Cli, aws: EmbeddedAws
) -> None:
    dynamodb = aws.client("dynamodb")
    made = dynamodb.describe_table(TableName=TABLE)["Table"]
    assert cli.settings()["BASELINE_TABLE"] == TABLE
    assert made["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert made["SSEDescription"]["Status"] == "ENABLED"
    assert made["DeletionProtectionEnabled"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=made["TableArn"])["Tags"]
    assert {"Key": "signin-monitor", "Value": "prod"} in tags
    expiry = dynamodb.describe_time_to_live(TableName=TABLE)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_a_stage_has_no_table_unless_it_is_asked_for(cli: Cli, aws: EmbeddedAws) -> None:
    cli.set_up()
    assert not cli.settings().get("BASELINE_TABLE")
    assert aws.client("dynamodb").list_tables()["TableNames"] == []


@pytest.mark.usefixtures("table")
def test_what_was_changed_by_hand_is_set_right(cli: Cli, aws: EmbeddedAws) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.update_table(TableName=TABLE, DeletionProtectionEnabled=False)
    dynamodb.update_time_to_live(
        TableName=TABLE, TimeToLiveSpecification={"Enabled": False, "AttributeName": "expires"}
    )
    text = cli.set_up().text
    assert f"protect the table {TABLE} from deletion: done" in text
    assert f"let the table {TABLE} forget in time: done" in text
    assert "Nothing to do" in cli.set_up().text


def test_a_table_of_the_operators_own_is_left_alone(cli: Cli, aws: EmbeddedAws) -> None:
    aws.make_table("own", key="person", expiry="expires")
    cli.project.configure("prod", {"BASELINE_TABLE": "own"})
    assert "table own" not in cli.set_up().text
    assert cli.ops("teardown", "--stage", "prod", "--yes").status == 0
    assert aws.client("dynamodb").list_tables()["TableNames"] == ["own"]


@pytest.mark.usefixtures("table")
def test_the_table_is_taken_away_after_asking(cli: Cli, aws: EmbeddedAws) -> None:
    teardown = ("teardown", "--stage", "prod")
    asked = cli.ops(*teardown)
    assert f"delete the table {TABLE} and all that it remembers" in asked.text
    assert aws.client("dynamodb").list_tables()["TableNames"] == [TABLE]
    assert cli.ops(*teardown, "--yes").status == 0
    assert aws.client("dynamodb").list_tables()["TableNames"] == []
    assert cli.settings()["BASELINE_TABLE"] == ""


@pytest.mark.usefixtures("table")
def test_the_history_of_all_regions_is_learnt_and_may_be_learnt_again(
    cli: Cli, aws: EmbeddedAws
) -> None:
    happened(aws, "iam-user-with-mfa", 80)
    happened(aws, "iam-user-with-mfa", 40)
    happened(aws, "iam-user-with-mfa", 2)
    happened(aws, "saml-role", 30, region="eu-west-1")
    happened(aws, "iam-user-wrong-password", 1)
    answer = cli.ops(*PROD, "--since", "90d")
    assert answer.status == 0, answer.text
    assert "4. People and roles that are familiar now: 2." in answer.text
    learnt = people(aws)
    seen = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    assert learnt[ALICE]["first"]["S"] == "iam-user-with-mfa-80-0"
    assert learnt[ALICE]["network_seen 203.0.113.0/24"]["S"] == seen
    assert cli.ops(*PROD, "--since", "90d").status == 0
    assert people(aws) == learnt


@pytest.mark.usefixtures("table")
def test_what_is_known_of_a_person_is_shown_and_forgotten(cli: Cli, aws: EmbeddedAws) -> None:
    happened(aws, "iam-user-with-mfa", 2)
    happened(aws, "saml-role", 2)
    cli.ops(*PROD, "--since", "7d")
    shown = cli.ops(*PROD, "--show", "Alice").text
    assert ALICE in shown
    assert "network  203.0.113.0/24" in shown
    assert "client   Chrome/macOS" in shown
    assert "minjun" not in shown
    assert f"forget {ALICE}: done" in cli.ops(*PROD, "--forget", "alice", "--yes").text
    assert list(people(aws)) == [
        "saml arn:aws:iam::444455556666:saml-provider/Okta minjun.kim@example.com"
    ]
    for ask in ("--show", "--forget"):
        assert "Nothing is known of alice." in cli.ops(*PROD, ask, "alice").text


@pytest.mark.usefixtures("table")
def test_nobody_is_forgotten_unasked(cli: Cli, aws: EmbeddedAws) -> None:
    happened(aws, "iam-user-with-mfa", 2)
    cli.ops(*PROD, "--since", "7d")
    assert cli.ops(*PROD, "--forget", "alice").status == 2
    assert list(people(aws)) == [ALICE]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ((), "--since SPAN, --show NAME or --forget NAME"),
        (("--show", "alice"), "python -m ops setup --stage prod --baseline"),
    ],
)
def test_what_cannot_be_done_names_what_can(
    cli: Cli, arguments: tuple[str, ...], remedy: str
) -> None:
    answer = cli.ops(*PROD, *arguments)
    assert answer.status == 2
    assert remedy in answer.text
