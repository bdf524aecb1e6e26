"""What was tried to blind the self-check; it starts after the first run of a stage."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.decision import decision_line
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import assess
from playground.aws import cloudtrail
from tests.self_check.test_run import Stage, denied, stage
from tests.support import deployed_stage
from tests.support.records import changed, event

__all__ = ["stage"]

HOUR = timedelta(hours=1)


@pytest.fixture
def root(stage: Stage) -> Iterator[dict[str, Any]]:
    """Root's sign-in, of which EventBridge brings nothing; the self-check must post it."""
    yield stage.happened("root-without-mfa")
    posted = stage.check()
    assert any(text.startswith("[Critical] Root user signed in") for text in posted)


def shown(stage: Stage) -> str:
    return json.dumps([post.payload for post in stage.receiver.messages])


def test_a_line_that_says_posted_is_written_into_the_log(
    stage: Stage, root: dict[str, Any]
) -> None:
    line = {"decision": "posted", "event_id": root["detail"]["eventID"]}
    stage.log("on_sign_in", json.dumps(line))


def test_such_a_line_is_reported(stage: Stage) -> None:
    stage.log("on_sign_in", json.dumps({"decision": "posted", "event_id": "x", "mac": "0"}))
    stage.check()
    assert "were not written by signin-monitor" in shown(stage)
    stage.now += HOUR
    assert stage.check() == []  # reported once


def test_a_checkpoint_from_the_future_is_written_into_the_log(
    stage: Stage, root: dict[str, Any]
) -> None:
    assert root
    line = {
        "self_check": "ran",
        "at": "2099-01-01T00:00:00+00:00",
        "regions": {"us-east-1": ["2099-01-01T00:00:00+00:00"]},
        "faults": [],
        "heartbeat": "2099-01-01T00:00:00+00:00",
    }
    stage.log("self_check", json.dumps(line))


def test_a_function_is_invoked_with_a_harmless_event_of_the_same_id(
    stage: Stage, root: dict[str, Any]
) -> None:
    harmless = changed(
        event("check-mfa-virtual"), "detail", "eventID", to=root["detail"]["eventID"]
    )
    line = decision_line(
        "posted",
        assess(read_sign_in(harmless)),
        None,
        stage="prod",
        now=stage.now,
        key=stage.notifier.evidence_key,
    )
    stage.log("on_sign_in", json.dumps(line))


def test_what_was_parked_is_taken_from_the_queue(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "parked")
    stage.now += timedelta(minutes=5)
    assert stage.check() == []
    stage.now += HOUR
    (posted,) = stage.check()
    assert posted.startswith("[Critical] Root user signed in")
    assert "is no longer there" in shown(stage)
    stage.now += HOUR
    assert stage.check() == []


def test_the_right_to_read_the_history_is_taken_away(stage: Stage) -> None:
    cloudtrail.refuse(stage.aws.url, "us-east-1", "AccessDeniedException")
    stage.check()
    assert "cloudtrail:LookupEvents is denied" in shown(stage)
    cloudtrail.refuse(stage.aws.url, "us-east-1", None)
    assert any("Fixed" in text for text in stage.check())


def test_the_right_to_look_at_the_rule_is_taken_away(stage: Stage) -> None:
    with denied(stage, "events", "DescribeRule"):
        stage.check()
    assert "events:DescribeRule is denied" in shown(stage)


def test_the_logs_are_deleted(stage: Stage, root: dict[str, Any]) -> None:
    assert root
    for handler in ("on_sign_in", "self_check"):
        group = stage.deployment.log_group(handler)
        stage.aws.client("logs").delete_log_group(logGroupName=group)
        stage.aws.client("logs").create_log_group(logGroupName=group)


def tampered(stage: Stage, part: str) -> None:
    """Change one part of the way from the sign-in to the channel, as whoever may, would."""
    functions, events = stage.aws.client("lambda"), stage.aws.client("events", "eu-west-1")
    name = stage.deployment.function("on_sign_in")
    (to_home,) = events.list_targets_by_rule(Rule="forward")["Targets"]
    match part:
        case "another code":
            functions.update_function_code(FunctionName=name, ZipFile=b"PK\5\6" + bytes(18))
        case "a wrapper":
            variables = deployed_stage.variables(stage.aws, stage.deployment)
            wrapped = {**variables, "AWS_LAMBDA_EXEC_WRAPPER": "/opt/steal"}
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": wrapped}
            )
        case "no retries":
            functions.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
        case "an organisation's permission":
            functions.remove_permission(FunctionName=name, StatementId="events")
            functions.add_permission(
                FunctionName=name,
                StatementId="events",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                PrincipalOrgID="o-a1b2c3d4e5",
            )
        case "a forward's path":
            target = {**to_home, "InputPath": "$.detail.nothing"}
            events.put_targets(Rule="forward", Targets=[target])
        case "a forward's role":
            target = {**to_home, "RoleArn": to_home["RoleArn"] + "-nobody"}
            events.put_targets(Rule="forward", Targets=[target])


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ("another code", "runs other code than the stage's other functions"),
        ("a wrapper", "with other settings than the stage's: AWS_LAMBDA_EXEC_WRAPPER"),
        ("no retries", "Lambda retries the events"),
        ("an organisation's permission", "EventBridge may not invoke the function"),
        ("a forward's path", "which forwards the sign-ins in eu-west-1, changes the event"),
        ("a forward's role", "The role signin-monitor-prod-forward-nobody is missing"),
    ],
)
def test_a_part_of_the_way_is_changed(stage: Stage, part: str, named: str) -> None:
    tampered(stage, part)
    stage.check()
    assert named in shown(stage)


def test_a_forward_is_mended_in_one_place_and_broken_in_another(stage: Stage) -> None:
    tampered(stage, "a forward's path")
    stage.check()
    tampered(stage, "another code")
    events = stage.aws.client("events", "eu-west-1")
    (target,) = events.list_targets_by_rule(Rule="forward")["Targets"]
    del target["InputPath"]
    events.put_targets(Rule="forward", Targets=[target])
    stage.check()
    assert "Fixed" not in shown(stage)
