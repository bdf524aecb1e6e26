"""What was tried to blind the self-check; it starts after the first run of a stage."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.aws import event_history
from chalicelib.decision import decision_line
from chalicelib.errors import DeliveryError
from chalicelib.self_check import log_groups, observer, posting, run, steps
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import assess
from playground.aws import cloudtrail
from tests.health import test_checks as parts
from tests.self_check.test_run import Stage, denied, disable_the_key, shown, stage
from tests.support import deployed_stage
from tests.support.records import changed, event

__all__ = ["stage"]

pytestmark = pytest.mark.usefixtures("quick_history")
HOUR = timedelta(hours=1)
ROOT_SIGNED_IN = "[Critical] Root user signed in"


def parts_of(stage: Stage) -> parts.Stage:
    return parts.Stage(stage.aws, stage.deployment)


def break_(stage: Stage, *ways: parts.Break) -> None:
    for break_it in ways:
        break_it(parts_of(stage))


@pytest.fixture
def root(stage: Stage) -> Iterator[dict[str, Any]]:
    """Root's sign-in, of which EventBridge brings nothing; the self-check must post it."""
    yield stage.happened("root-without-mfa")
    posted = stage.check()
    assert any(text.startswith(ROOT_SIGNED_IN) for text in posted)


def hide(stage: Stage, happened: dict[str, Any]) -> str:
    """Return an authentic line that says that a sign-in is parked, and empty the queue."""
    stage.decided("on_sign_in", happened, "parked")
    (line,) = (text for text in stage.logged("on_sign_in") if text.startswith("{"))
    return line


@pytest.mark.parametrize(
    "claim",
    [
        {},
        {"mac": "\ud800"},
        {"mac": "0" * 64, "at": "2099-01-01T00:00:00+00:00"},
        {"record": ["not", "a", "digest"], "mac": {"": 0}},
    ],
    ids=["no MAC", "half a character", "from the future", "other types"],
)
def test_a_line_that_says_posted_is_written_into_the_log(
    stage: Stage, claim: dict[str, Any]
) -> None:
    root = assess(read_sign_in(stage.happened("root-without-mfa")))
    line = decision_line("posted", root, None, stage="prod", now=stage.now)
    stage.log("on_sign_in", json.dumps({**line, **claim}))
    posted, report = stage.check()
    assert posted.startswith(ROOT_SIGNED_IN)
    assert "1 lines" in report
    assert "were not written by signin-monitor" in report


@pytest.mark.usefixtures("without_collector")
def test_a_line_too_deep_to_be_read_is_written_into_the_log(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    now = time.time_ns() // 1_000_000

    def add(parsed: dict[str, Any], **_: object) -> None:  # moto's filter would fail of it
        for depth in (*range(900, 1_000), 100_000):  # some can be read, and not be written again
            message = f'{{"decision": "posted", "mac": "0", "x": {"[" * depth}{"]" * depth}}}'
            parsed["events"].append({"message": message, "timestamp": now, "ingestionTime": now})

    with parts.hooked(parts_of(stage), "logs", "after-call.*.FilterLogEvents", add):
        posted, report = stage.check()
    assert posted.startswith(ROOT_SIGNED_IN)
    assert "were not written by signin-monitor" in report
    assert "could not be read" not in shown(stage)


def test_a_line_is_forged_and_the_function_may_not_be_looked_at(stage: Stage) -> None:
    happened = stage.happened("iam-user-without-mfa")
    stage.decided("on_sign_in", happened, "posted", key=b"guessed")
    with denied(stage, "lambda", "GetFunctionConfiguration"):
        assert stage.check()[0].startswith("[Warning] IAM user")


def test_the_logs_are_flooded(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    claims = {"on_sign_in": {"decision": "posted"}, "self_check": {"self_check": "ran"}}
    for handler, claim in claims.items():
        stage.log(handler, "\n".join([json.dumps({**claim, "mac": "0"})] * 3_000))
    assert stage.check()[0].startswith(ROOT_SIGNED_IN)
    for handler in claims:
        group = stage.deployment.log_group(handler)
        assert f"3000 lines in the log group {group}" in shown(stage)


def test_such_a_line_is_reported(stage: Stage) -> None:
    stage.log("on_sign_in", json.dumps({"decision": "posted", "event_id": "x", "mac": "0"}))
    stage.check()
    assert "were not written by signin-monitor" in shown(stage)
    stage.now += HOUR
    assert stage.check() == []  # reported once


@pytest.mark.parametrize(("stream", "ahead"), [("mine", 0 * HOUR), ("", HOUR)])
def test_an_authentic_line_is_written_again(stage: Stage, stream: str, ahead: timedelta) -> None:
    line = hide(stage, stage.happened("root-without-mfa"))
    stage.log("on_sign_in", line, stream, ahead)
    (report,) = stage.check()
    assert "were not written by signin-monitor" in report


def test_a_checkpoint_from_the_future_is_written_into_the_log(
    stage: Stage, root: dict[str, Any]
) -> None:
    assert root
    line = {
        "self_check": "ran",
        "function": stage.deployment.function_arn("self_check"),
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


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("iam-user-with-mfa", ("eventTime",)),
        ("iam-user-with-mfa", ("vpcEndpointId",)),
        ("aws-login-cross-device", ("requestParameters", "client_id")),
        ("switch-role-in-home-account", ("additionalEventData", "SwitchTo")),
        ("switch-role-in-role-account", ("additionalEventData", "SwitchFrom")),
        ("identity-center-password-only", ("additionalEventData", "LoginTo")),
    ],
)
def test_it_is_posted_under_its_id_as_what_it_is_not(
    stage: Stage, name: str, field: tuple[str, ...]
) -> None:
    said = "https://example.com/" if "LoginTo" in field else "arn:aws:iam::444455556666:role/Admin"
    happened = stage.happened(changed(event(name), "detail", *field, to=said))
    stage.decided("on_sign_in", changed(happened, "detail", *field, to=None), "posted")
    assert stage.check()


def test_a_log_stream_is_deleted(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "posted")
    logs, group = stage.aws.client("logs"), stage.deployment.log_group("on_sign_in")
    for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]:
        logs.delete_log_stream(logGroupName=group, logStreamName=stream["logStreamName"])
    (posted,) = stage.check()
    assert posted.startswith(ROOT_SIGNED_IN)
    assert "or its log line was deleted after it was posted" in shown(stage)


def test_what_was_parked_is_taken_from_the_queue(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "parked")
    stage.now += timedelta(minutes=5)
    assert stage.check() == []
    stage.now += HOUR
    (posted,) = stage.check()
    assert posted.startswith(ROOT_SIGNED_IN)
    assert "is no longer there" in shown(stage)
    stage.now += HOUR
    assert stage.check() == []


def test_it_is_taken_and_the_line_that_says_parked_written_again(stage: Stage) -> None:
    line = hide(stage, stage.happened("root-without-mfa"))
    for hours in (1, 2):
        stage.now += HOUR
        stage.log("on_sign_in", line, ahead=hours * HOUR)  # as its writer likes
        posted = stage.check()
    assert posted[0].startswith(ROOT_SIGNED_IN)


def test_the_depth_of_the_queue_is_not_said(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "parked")

    def forget(parsed: dict[str, Any], **_: object) -> None:
        parsed["Attributes"].clear()

    with parts.hooked(parts_of(stage), "sqs", "after-call.*.GetQueueAttributes", forget):
        assert stage.check() == []
        stage.now += HOUR
        (report,) = stage.check()
    assert "undelivered queue (KeyError)" in report


def test_it_is_taken_and_the_queue_kept_from_being_empty(stage: Stage) -> None:
    hide(stage, stage.happened("root-without-mfa"))
    stage.aws.leave_alone(deployed_stage.QUEUE)
    queue = stage.aws.client("sqs").get_queue_url(QueueName=deployed_stage.QUEUE)["QueueUrl"]
    stage.aws.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    for _ in range(2):
        assert stage.check() == []
        stage.now += 24 * HOUR
    stage.happened("saml-role")  # another sign-in is posted
    (posted,) = stage.check()
    assert "minjun.kim@example.com" in posted
    stage.now += HOUR
    assert stage.check()[0].startswith(ROOT_SIGNED_IN)
    stage.now += HOUR
    assert stage.check() == []


def test_the_right_to_read_the_history_is_taken_away(stage: Stage) -> None:
    cloudtrail.refuse(stage.aws.url, "us-east-1", "AccessDeniedException")
    stage.check()
    assert "cloudtrail:LookupEvents is denied" in shown(stage)
    cloudtrail.refuse(stage.aws.url, "us-east-1", None)
    assert any("Fixed" in text for text in stage.check())


def test_a_region_is_no_longer_listed(stage: Stage) -> None:
    stage.happened("root-without-mfa", region="eu-west-1")

    def leave_out(parsed: dict[str, Any], **_: object) -> None:
        parsed["Regions"] = [
            listed for listed in parsed["Regions"] if listed["RegionName"] != "eu-west-1"
        ]

    with parts.hooked(parts_of(stage), "ec2", "after-call.*.DescribeRegions", leave_out):
        (report,) = stage.check()
        assert "eu-west-1 is no longer in the account's list of regions" in report
        assert stage.check() == []
    assert stage.check()[0].startswith(ROOT_SIGNED_IN)


def test_one_function_may_not_be_looked_at_and_another_is_changed(stage: Stage) -> None:
    hidden = stage.deployment.function("on_undelivered")

    def deny(params: dict[str, str], **_: object) -> None:
        if params["FunctionName"] == hidden:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetFunctionConfiguration")

    break_(stage, parts.code_of_one_function_changed)
    with parts.hooked(
        parts_of(stage), "lambda", "provide-client-params.*.GetFunctionConfiguration", deny
    ):
        stage.check()
    assert "lambda:GetFunctionConfiguration is denied" in shown(stage)
    assert "runs other code than the stage's other functions" in shown(stage)


@pytest.mark.parametrize(
    ("service", "operation"),
    [("events", "DescribeRule"), ("iam", "GetRole"), ("logs", "DescribeLogGroups")],
)
def test_the_right_to_look_is_taken_away(stage: Stage, service: str, operation: str) -> None:
    with denied(stage, service, operation):
        stage.check()
    assert f"{service}:{operation} is denied" in shown(stage)


def delete_logs(stage: Stage, *handlers: str) -> None:
    for handler in handlers:
        group = stage.deployment.log_group(handler)
        stage.aws.client("logs").delete_log_group(logGroupName=group)
        stage.aws.client("logs").create_log_group(logGroupName=group)
        stage.aws.client("logs").put_retention_policy(logGroupName=group, retentionInDays=7)


def test_the_logs_are_deleted(stage: Stage) -> None:
    stage.happened("root-without-mfa", minutes_ago=300)
    stage.happened("iam-user-with-mfa", minutes_ago=300)
    delete_logs(stage, "on_sign_in", "self_check")
    assert stage.check()[0].startswith(ROOT_SIGNED_IN)
    assert "1 sign-ins of the last 6 days" in shown(stage)
    assert "python -m ops history --stage prod --since 6d" in shown(stage)


def test_the_log_of_decisions_is_deleted(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "posted")
    delete_logs(stage, "on_sign_in")
    posted, report = stage.check()
    assert posted.startswith(ROOT_SIGNED_IN)
    assert "It may have been posted before" in shown(stage)
    assert "was deleted and made again" in report
    stage.now += HOUR
    assert stage.check() == []


def test_the_last_run_cannot_be_read_after_a_pause(stage: Stage) -> None:
    stage.now += 6 * HOUR
    stage.happened("root-without-mfa", minutes_ago=300)
    with denied(stage, "logs", "FilterLogEvents"):
        stage.check()
    assert stage.check()[0].startswith(ROOT_SIGNED_IN)
    assert stage.check() == []


@contextmanager
def hanging(
    stage: Stage, service: str, operation: str, region: str = "us-east-1"
) -> Iterator[None]:
    """Let a call of AWS wait for its answer."""
    answered = threading.Event()
    event = f"before-call.*.{operation}"
    with parts.hooked(
        parts_of(stage), service, event, lambda **_: answered.wait(60) and None, region
    ):
        try:
            yield
        finally:
            answered.set()


@pytest.fixture
def in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (run, posting):
        monkeypatch.setattr(module, "MESSAGE_SECONDS", 0.5)
    for module in (run, steps):
        monkeypatch.setattr(module, "GRACE", 0.8)
    monkeypatch.setattr(event_history, "_GRACE", 0.2)


@pytest.mark.usefixtures("in_seconds")
def test_a_region_and_a_check_never_answer(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    start = time.monotonic()
    with (
        hanging(stage, "cloudtrail", "LookupEvents", "eu-west-1"),
        hanging(stage, "kms", "Decrypt"),
    ):
        (posted,) = stage.check(seconds=5)
        assert posted.startswith(ROOT_SIGNED_IN)
        assert time.monotonic() - start < 5
        stage.now += HOUR
        stage.check(seconds=5)
    assert "event history in eu-west-1 could not be read to its end" in shown(stage)
    assert "ciphertext (no time)" in shown(stage)


@pytest.mark.usefixtures("in_seconds")
def test_the_log_of_decisions_never_answers(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "posted")
    stage.happened("iam-user-wrong-password")
    with hanging(stage, "logs", "FilterLogEvents"):
        posted, report = stage.check(seconds=5)
    assert posted.startswith(ROOT_SIGNED_IN)
    assert "It may have been posted before" in shown(stage)
    assert "could not be read to its end" in report
    assert any("Failed sign-in" in text for text in stage.check())  # it waited for certainty


def test_the_log_of_decisions_is_throttled(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_groups, "_PAUSE", 0.01)
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "posted")
    left = [1, 2, 3]

    def throttle(**_: object) -> None:
        if left:
            left.pop()
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, "FilterLogEvents")

    with parts.hooked(parts_of(stage), "logs", "before-call.*.FilterLogEvents", throttle):
        assert stage.check() == []


@pytest.mark.usefixtures("in_seconds")
def test_the_logs_have_no_end(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "posted")

    def go_on(parsed: dict[str, Any], **_: object) -> None:
        parsed["nextToken"] = "more"
        time.sleep(0.05)

    with parts.hooked(parts_of(stage), "logs", "after-call.*.FilterLogEvents", go_on):
        (report,) = stage.check(seconds=4)  # what was read settles the sign-in
    assert "could not be read to its end" in report


@pytest.mark.parametrize(
    ("module", "step"), [(run, "missed"), (observer, "read_history"), (run, "unused_passwords")]
)
def test_a_step_fails(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    stage.happened("root-without-mfa")
    with monkeypatch.context() as broken:
        broken.setattr(module, step, lambda *_: 1 / 0)
        stage.check()
        assert "(ZeroDivisionError)" in shown(stage)
    report = "".join(stage.check())
    assert ("Root user signed in" in report) == (step != "unused_passwords")
    assert "Fixed in account" in report


def test_a_report_cannot_be_built(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.aws.client("events").disable_rule(Name=stage.deployment.rule("on_sign_in"))
    with monkeypatch.context() as broken:
        broken.setattr(run, "findings_report", lambda _: 1 / 0)
        with pytest.raises(DeliveryError, match="ZeroDivisionError"):
            stage.check()
    (report,) = stage.check()
    assert "The rule" in report


def test_an_answer_is_no_json(stage: Stage) -> None:
    def spoil(parsed: dict[str, Any], **_: object) -> None:
        parsed["Policy"] = "{"

    stage.happened("root-without-mfa")
    with parts.hooked(parts_of(stage), "lambda", "after-call.*.GetPolicy", spoil):
        assert stage.check()[0].startswith(ROOT_SIGNED_IN)
        stage.check()
    assert "permission (JSONDecodeError)" in shown(stage)


def test_a_record_cannot_be_posted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.happened("root-without-mfa")
    stage.happened("iam-user-without-mfa")
    notify = stage.notifier.notify

    def fail_for_root(happened: dict[str, Any], seconds_left: float) -> object:
        if happened["detail"]["userIdentity"]["type"] == "Root":
            raise RuntimeError
        return notify(happened, seconds_left)

    monkeypatch.setattr(stage.notifier, "notify", fail_for_root)
    assert "IAM user" in stage.check()[0]
    assert "could not finish all of its work: posting" in shown(stage)
    monkeypatch.setattr(stage.notifier, "notify", notify)
    assert stage.check()[0].startswith(ROOT_SIGNED_IN)


def test_a_password_is_tried_and_the_second_factor_is_not(stage: Stage) -> None:
    stage.happened("credential-verified-password", minutes_ago=40)
    (report,) = stage.check()
    assert report.startswith("[Warning] signin-monitor in account 123456789012 noticed: ")
    assert "The right password of" in report
    stage.now += HOUR
    assert stage.check() == []


def test_a_password_is_tried_in_a_storm_of_failures(stage: Stage) -> None:
    for number in range(120):
        stage.happened("check-mfa-virtual", minutes_ago=20 + number / 10, number=number)
    stage.happened("credential-verified-password", minutes_ago=18)
    assert stage.check(seconds=1.5) == []  # there may still be a sign-in, and more to read
    stage.now += HOUR
    assert "The right password of" in "".join(stage.check())


def test_passwords_are_tried_in_events_that_belong_to_no_attempt(stage: Stage) -> None:
    path = ("detail", "additionalEventData", "AuthWorkflowID")
    for number in range(2):
        tried = changed(event("credential-verified-password"), *path, to=None)
        stage.happened(tried, minutes_ago=40, number=number)
        assert len(stage.check()) == 1


def test_a_password_is_followed_by_its_sign_in(stage: Stage) -> None:
    verified = stage.happened("credential-verified-password", minutes_ago=40)
    workflow = verified["detail"]["additionalEventData"]["AuthWorkflowID"]
    signed_in = changed(
        event("identity-center-password-only"),
        *("detail", "additionalEventData", "AuthWorkflowID"),
        to=workflow,
    )
    stage.decided("on_sign_in", stage.happened(signed_in, minutes_ago=39), "posted")
    assert stage.check() == []


def values_that_never_come(stage: parts.Stage) -> None:
    asks = stage.deployment.pattern.items()
    pattern = {name: {key: ["x"] for key in values} for name, values in asks}
    stage.client("events").put_rule(Name=stage.rule, EventPattern=json.dumps(pattern))


def trust_that_is_denied(stage: parts.Stage) -> None:
    iam, role = stage.client("iam"), deployed_stage.FORWARD_ROLE
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    condition = {"StringNotEquals": {"aws:SourceAccount": "444455556666"}}
    deny = {**trust["Statement"], "Effect": "Deny", "Condition": condition}
    trust["Statement"] = [trust["Statement"], deny]
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))


def path_to_nothing(stage: parts.Stage) -> None:
    parts.change_forward(stage, InputPath="$.detail.nothing")


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        (
            parts.code_of_one_function_changed,
            "runs other code than the stage's other functions",
        ),
        (
            parts.variable_that_is_no_setting,
            "with other settings than the stage's: AWS_LAMBDA_EXEC_WRAPPER",
        ),
        (parts.failures_not_tried_again, "Lambda retries the events"),
        (parts.permission_for_another_organisation, "EventBridge may not invoke the function"),
        (values_that_never_come, "has a different event pattern"),
        (trust_that_is_denied, "does not trust events.amazonaws.com"),
        (path_to_nothing, "which forwards the sign-ins in eu-west-1, changes the event"),
        (parts.forward_names_a_role_that_does_not_exist, "The role nobody is missing"),
    ],
)
def test_a_part_of_the_way_is_changed(stage: Stage, break_it: parts.Break, named: str) -> None:
    break_(stage, break_it)
    stage.check()
    assert named in shown(stage)


def test_many_parts_are_changed_so_that_an_outage_is_overlooked(stage: Stage) -> None:
    break_(stage, parts.code_of_one_function_changed, parts.variable_that_is_no_setting)
    disable_the_key(stage)
    report = "".join(stage.check())
    assert report.startswith(
        "[Critical] signin-monitor in account 123456789012 has a fault: The key"
    )


def test_a_forward_is_restored_in_one_place_and_broken_in_another(stage: Stage) -> None:
    break_(stage, path_to_nothing)
    stage.check()
    restore = partial(parts.change_forward, InputPath=None)
    break_(stage, parts.code_of_one_function_changed, restore)
    stage.check()
    assert "Fixed" not in shown(stage)
