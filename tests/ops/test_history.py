"""`python -m ops history`, run as a process against CloudTrail's stand-in."""

import csv
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config
from moto.awslambda.models import LambdaFunction

from chalicelib.notifier import notifier
from playground.aws import cloudtrail
from playground.aws.embedded import EmbeddedAws
from playground.slack.receiver import Receiver
from tests.support import deployed_stage
from tests.support.cli import Cli
from tests.support.records import event, happened

pytestmark = pytest.mark.usefixtures("quick_history")
NOW = datetime.now(UTC)
POST = ("history", "--since", "150m", "--stage", "prod", "--post")


@pytest.fixture
def two_weeks(aws: EmbeddedAws) -> None:
    for name, hours_ago, region in (
        ("iam-user-with-mfa", 1, "us-east-1"),
        ("root-without-mfa", 2, "us-east-1"),
        ("iam-user-wrong-password", 3, "us-east-1"),
        ("check-mfa-virtual", 4, "us-east-1"),
        ("iam-user-without-mfa", 5, "eu-west-1"),
        ("saml-role", 9 * 24, "us-east-1"),
    ):
        at = NOW - timedelta(hours=hours_ago)
        sign_in = happened(event(name), at, awsRegion=region, eventID=f"{name}-{region}")
        cloudtrail.remember(aws.url, sign_in)


def words(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


@pytest.mark.usefixtures("two_weeks")
def test_sign_ins_are_shown_as_they_would_be_posted_with_nothing_deployed(
    cli: Cli,
) -> None:
    run = cli.ops("history", "--since", "7d")
    assert run.status == 0, run.text
    header, *rows, summary = run.text.splitlines()
    assert words(header)[:4] == ["TIME", "SEVERITY", "WHO", "EVENT"]
    assert [words(line)[1:5] for line in rows] == [
        ["info", "IAM user alice", "CheckMfa", "Success"],
        ["warning", "IAM user alice", "ConsoleLogin", "Failure"],
        ["critical", "the root user", "ConsoleLogin", "Success"],
        ["info", "IAM user alice", "ConsoleLogin", "Success"],
    ]
    assert "muted by IGNORED_EVENTS" in rows[0]
    assert summary == (
        "Sign-in events: 4 (people: 2, regions: 1, failed: 1, without MFA: 1, "
        "not posted by these settings: 1)."
    )


@pytest.mark.usefixtures("two_weeks")
def test_only_what_is_asked_for_is_shown(cli: Cli) -> None:
    for arguments, count in (
        ("--since 90d", 5),
        ("--since 150m", 2),
        (f"--since {(NOW - timedelta(days=7)).date().isoformat()}", 4),
        ("--since 2020-01-01", 5),
        ("--since 7d --all-regions", 5),
        ("--since 7d --region eu-west-1", 1),
        ("--since 7d --region eu-west-1 --region us-east-1", 5),
        ("--since 7d --user ROOT", 1),
        ("--since 7d --event checkmfa", 1),
        ("--since 7d --event CheckMfa --event ConsoleLogin", 4),
    ):
        run = cli.ops("history", *arguments.split())
        assert run.status == 0, run.text
        assert f"Sign-in events: {count} (" in run.text, arguments


def test_an_empty_history_says_where_else_to_look(cli: Cli) -> None:
    run = cli.ops("history", "--since", "100d", "--user", "nobody*")
    assert run.text == (
        "CloudTrail keeps 90 days: reading those.\n"
        "No such sign-ins in us-east-1 in that time. Try --all-regions.\n"
    )


@pytest.mark.usefixtures("two_weeks")
def test_messages_are_shown_in_full_in_the_stage_s_language(cli: Cli) -> None:
    cli.project.configure(
        "dev", {"MESSAGE_LANGUAGE": "ko", "ACCOUNT_NAMES": '{"111122223333": "본사"}'}
    )
    arguments = ("--since", "7d", "--user", "root", "--full", "--stage", "dev")
    run = cli.ops("history", *arguments)
    assert "[긴급] 루트 사용자가 MFA 없이 본사(111122223333) 계정에" in run.text


@pytest.mark.usefixtures("two_weeks")
def test_auditors_get_csv_that_no_spreadsheet_takes_for_a_formula(
    aws: EmbeddedAws, cli: Cli
) -> None:
    failed = happened(event("iam-user-wrong-password"), NOW, sourceIPAddress="+1")
    failed["detail"]["userIdentity"]["userName"] = "=HYPERLINK(1)"
    cloudtrail.remember(aws.url, failed)
    run = cli.ops("history", "--since", "7d", "--csv")
    lines = [line for line in run.text.splitlines() if not line.startswith("Sign-in events")]
    rows = list(csv.DictReader(lines))
    assert rows[2] == {
        "account": "111122223333",
        "time": (NOW - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "severity": "critical",
        "reasons": "root_signed_in without_mfa",
        "who": "the root user",
        "principal_arn": "",
        "event": "ConsoleLogin",
        "failure_reason": "",
        "posted": "yes",
        "user_agent": rows[2]["user_agent"],
        "outcome": "Success",
        "mfa": "no",
        "address": "198.51.100.23",
        "region": "us-east-1",
        "event_id": "root-without-mfa-us-east-1",
    }
    assert rows[4]["address"] == "'+1"


@pytest.mark.usefixtures("two_weeks")
def test_a_region_that_refuses_is_named_and_the_others_shown(aws: EmbeddedAws, cli: Cli) -> None:
    cloudtrail.refuse(aws.url, "eu-west-1", "AccessDeniedException")
    run = cli.ops("history", "--since", "7d", "--all-regions")
    assert run.status == 0
    assert "Sign-in events: 4 (" in run.text
    assert "cloudtrail:LookupEvents is denied (eu-west-1)" in run.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "soon"), "neither a span such as 7d nor a date"),
        (("--since", "2999-12-31"), "2999-12-31 is still to come."),
        ((), "--since"),
        (("--since", "7d", "--stage", "nosuch"), "has no stage nosuch"),
        (("--since", "7d"), "CloudTrail cannot be read: cloudtrail:LookupEvents is denied"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    aws: EmbeddedAws, cli: Cli, arguments: tuple[str, ...], said: str
) -> None:
    cloudtrail.refuse(aws.url, "us-east-1", "AccessDeniedException")
    run = cli.ops("history", *arguments)
    assert run.status == 2
    assert said in run.text
    assert "Traceback" not in run.text


@pytest.fixture
def deployed(
    aws: EmbeddedAws, cli: Cli, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deploy a stage whose function moto runs here, where it would start Docker."""
    deployment = deployed_stage.build(aws, receiver.url, WEBHOOK_HOSTS=receiver.host)
    variables = deployed_stage.variables(aws, deployment)
    cli.project.configure("prod", variables)
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)

    def run(_: LambdaFunction, event: dict[str, Any]) -> tuple[str, bool, str]:
        return json.dumps(notifier(variables).notify(event, 60)), False, ""

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", run)


@pytest.mark.usefixtures("two_weeks", "deployed")
def test_sign_ins_are_posted_through_the_deployed_function_marked_as_replayed(
    cli: Cli, receiver: Receiver
) -> None:
    run = cli.ops(*POST, "--yes")
    assert run.status == 0, run.text
    assert "To post by the stage prod: 2." in run.text
    assert "posted: 2" in run.text
    said = [post.payload["text"] for post in receiver.messages]
    assert [text.partition(" signed in to ")[0] for text in said] == [
        "[Critical] Root user",
        "IAM user alice",
    ]
    assert all("replayed" in json.dumps(post.payload) for post in receiver.messages)


@pytest.mark.usefixtures("two_weeks")
def test_a_stage_that_is_not_deployed_posts_nothing_and_says_what_to_do(cli: Cli) -> None:
    assert "None of them would be posted." in cli.ops(*POST, "--yes", "--user", "nobody").text
    run = cli.ops(*POST, "--yes")
    assert run.status == 2
    assert "The stage prod is not deployed. First: chalice deploy --stage prod" in run.text


@pytest.mark.usefixtures("two_weeks")
def test_a_reader_that_has_seen_enough_gets_no_complaint(cli: Cli) -> None:
    gone, pipe = os.pipe()
    os.close(gone)
    run = subprocess.run(
        [sys.executable, "-m", "ops", "history", "--since", "7d", "--csv"],
        cwd=cli.project.path,
        env=cli.environment,
        stdout=pipe,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(pipe)
    assert run.returncode == 1
    assert "BrokenPipe" not in run.stderr


@pytest.mark.usefixtures("two_weeks", "deployed")
def test_a_slow_function_is_waited_for_and_not_asked_twice(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def run(_: LambdaFunction, event: dict[str, Any]) -> tuple[str, bool, str]:
        asked.append(event)
        time.sleep(2)
        return json.dumps({"decision": "posted"}), False, ""

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", run)
    hasty = Config(read_timeout=1, retries={"total_max_attempts": 2})
    monkeypatch.setattr("chalicelib.aws.clients.CONFIG", hasty)
    answer = cli.ops(*POST, "--yes", "--since", "90m")
    assert answer.text.endswith("posted: 1\n")
    assert len(asked) == 1


@pytest.mark.usefixtures("two_weeks", "deployed")
def test_nothing_is_posted_without_a_yes(cli: Cli, receiver: Receiver) -> None:
    run = cli.ops(*POST, stdin="n\n")
    assert (run.status, "Agree with --yes." in run.text) == (2, True)
    assert not receiver.posts


@pytest.mark.usefixtures("two_weeks", "deployed")
def test_a_function_that_fails_ends_the_posting_with_its_reason(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: LambdaFunction, event: object) -> tuple[str, bool, str]:
        assert event
        return json.dumps({"errorMessage": "The settings are wrong."}), True, ""

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", fail)
    run = cli.ops(*POST, "--yes")
    assert run.status == 2
    assert "failed after 0 of 2 sign-ins: The settings are wrong." in run.text
