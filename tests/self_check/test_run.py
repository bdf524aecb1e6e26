"""The self-check, from CloudTrail's history and the functions' logs to the channel."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend

from chalicelib.aws import event_history
from chalicelib.decision import Verdict, authenticated, decision_line
from chalicelib.errors import DeliveryError
from chalicelib.health.deployment import Deployment
from chalicelib.notifier import Notifier, _notifier, notifier
from chalicelib.self_check import history
from chalicelib.self_check.checkpoint import Checkpoint, Progress
from chalicelib.self_check.history import DELAY, windows
from chalicelib.self_check.run import SelfCheck, self_check
from chalicelib.signin.events import ALL_EVENTS
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import assess
from playground.aws import cloudtrail
from playground.aws.embedded import EmbeddedAws
from playground.slack.receiver import Receiver
from tests.support import deployed_stage
from tests.support.records import changed, event, happened
from tests.support.strict_aws import StrictAws

pytestmark = pytest.mark.usefixtures("quick_history")
DAY = timedelta(days=1)
NO_CAUSE = "AWS had not delivered it, or its log line was deleted after it was posted."


@dataclass
class Stage:
    """A deployed stage whose self-check runs here; what it prints goes to its log group."""

    aws: StrictAws
    receiver: Receiver
    deployment: Deployment
    notifier: Notifier
    output: Callable[[], str]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    runs: int = 1

    def check(self, seconds: float = 60) -> list[str]:
        """Run the self-check; return what was posted."""
        self.receiver.forget()
        self.runs += 1
        self.now += timedelta(milliseconds=1)  # no two runs begin at once
        schedule = {"id": f"run-{self.runs}", "time": self.now.isoformat()}
        clients = deployed_stage.clients(self.aws)
        try:
            SelfCheck(self.deployment, clients, self.notifier, self.now).run(schedule, seconds)
        finally:
            self.log("self_check", self.output())
        return [str(post.payload["text"]) for post in self.receiver.messages]

    def log(self, handler: str, text: str, stream: str = "", ahead: timedelta = 0 * DAY) -> None:
        """Write lines into a function's log group, as Lambda does."""
        stream = stream or f"{self.now:%Y/%m/%d}/[$LATEST]{time.time_ns():032x}"
        group = self.deployment.log_group(handler)
        logs = self.aws.client("logs")
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        at = int((time.time() + ahead.total_seconds()) * 1000)
        lines = [{"timestamp": at, "message": line} for line in text.splitlines()]
        if lines:
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=lines)

    def forget_runs(self) -> None:
        """Delete the log of the self-check and make it again."""
        group, logs = self.deployment.log_group("self_check"), self.aws.client("logs")
        logs.delete_log_group(logGroupName=group)
        logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=7)

    def logged(self, handler: str) -> list[str]:
        """Return the lines of a function's log group."""
        group = self.deployment.log_group(handler)
        events = self.aws.client("logs").filter_log_events(logGroupName=group)["events"]
        return [event["message"] for event in events]

    def happened(
        self,
        what: str | dict[str, Any],
        *,
        minutes_ago: float = 30,
        region: str = "us-east-1",
        number: int = 0,
    ) -> dict[str, Any]:
        """Let a sign-in, of the catalogue if by name, happen that EventBridge does not bring."""
        sign_in = self._sign_in(what, minutes_ago, region, number)
        cloudtrail.remember(self.aws.url, sign_in)
        return sign_in

    def happened_often(self) -> None:
        """Fill three pages of the history with what the stage ignores."""
        names = range(120)
        ignored = [self._sign_in("check-mfa-virtual", 20 + n / 10, number=n) for n in names]
        cloudtrail.remember(self.aws.url, *ignored)

    def _sign_in(
        self,
        what: str | dict[str, Any],
        minutes_ago: float,
        region: str = "us-east-1",
        number: int = 0,
    ) -> dict[str, Any]:
        sign_in = event(what) if isinstance(what, str) else what
        name = what if isinstance(what, str) else sign_in["detail"]["eventName"]
        at = self.now - timedelta(minutes=minutes_ago)
        event_id = f"{name}-{region}-{number}-{at:%H%M%S}"
        return happened(sign_in, at, awsRegion=region, eventID=event_id)

    def decided(
        self,
        handler: str,
        event: dict[str, Any],
        verdict: Verdict,
        key: bytes | None = None,
        **more: object,
    ) -> None:
        """Let a function have decided of a sign-in, with the stage's webhook or another's key."""
        key = key or self.notifier.evidence_key
        sign_in = assess(read_sign_in(event))
        decided = decision_line(verdict, sign_in, None, stage="prod", now=self.now)
        line = authenticated({**decided, **more}, key)
        self.log(handler, f"START RequestId: 1\n{json.dumps(line)}\nEND")


@pytest.fixture
def stage(
    aws: StrictAws,
    shared_receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Stage:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    shared_receiver.behave("ok")
    _notifier.cache_clear()  # else it would know what other tests have posted

    def stage_of(deployment: Deployment) -> Stage:
        own = notifier(deployed_stage.variables(aws, deployment))
        own.warm_up()
        return Stage(aws, shared_receiver, deployment, own, lambda: capsys.readouterr().out)

    def make() -> Deployment:
        url, host = shared_receiver.url, shared_receiver.host
        deployment = deployed_stage.build(aws, url, WEBHOOK_HOSTS=host)
        deployed_on(aws, deployment, datetime.now(UTC) - 2 * DAY)
        capsys.readouterr()
        stage_of(deployment).check()  # the first run says that it has begun
        return deployment

    return stage_of(aws.made_once("stage after its first run", make))


def deployed_on(aws: EmbeddedAws, deployment: Deployment, day: datetime) -> None:
    """Let the stage's first deployment have been then: Chalice made its log groups."""
    groups = get_backend("logs")[deployment.account_id][aws.region].groups
    groups[deployment.log_group("on_sign_in")].creation_time = day.replace(tzinfo=None)


@contextmanager
def denied(
    stage: Stage,
    service: str,
    operation: str,
    region: str = deployed_stage.HOME,
    code: str = "AccessDeniedException",
) -> Iterator[None]:
    """Let AWS deny an action in a region, or give another error."""

    def deny(**_: object) -> None:
        raise ClientError({"Error": {"Code": code}}, operation)

    calls = deployed_stage.clients(stage.aws)(service, region).meta.events
    calls.register(f"before-call.*.{operation}", deny)
    try:
        yield
    finally:
        calls.unregister(f"before-call.*.{operation}", deny)


def no_time_for_a_second_page() -> AbstractContextManager[float]:
    """Let a run end before it may ask a region again."""
    return mock.patch.object(event_history, "PAUSE", 60.0)


def refuse_and_delete_the_queue(stage: Stage) -> None:
    """Let Slack refuse the next message, which cannot be parked either."""
    sqs = stage.aws.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=deployed_stage.QUEUE)["QueueUrl"])
    stage.receiver.behave("no_service", 1)


def shown(stage: Stage) -> str:
    return json.dumps([post.payload for post in stage.receiver.messages])


def footers(stage: Stage) -> list[str]:
    return [
        part
        for post in stage.receiver.messages
        for block in post.payload["attachments"][0]["blocks"]
        if block["type"] == "context"
        for element in block["elements"]
        for part in element["text"].split(" · ")
    ]


def test_the_first_run_says_that_the_stage_is_at_work(stage: Stage) -> None:
    stage.forget_runs()
    (posted,) = stage.check()
    assert posted.startswith("signin-monitor is working in account 123456789012.")


def test_a_sign_in_that_nobody_posted_is_posted_once_as_late_and_found(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    (posted,) = stage.check()
    assert posted.startswith("[Critical] Root user signed in to ")
    assert posted.endswith("(posted 30 min late).")
    assert f"Found by the self-check: {NO_CAUSE}" in footers(stage)
    assert stage.check() == []


@pytest.mark.parametrize("handler", ["on_sign_in", "on_undelivered"])
@pytest.mark.parametrize("verdict", ["posted", "parked"])
def test_a_sign_in_that_a_function_decided_of_is_left_alone(
    stage: Stage, handler: str, verdict: Verdict
) -> None:
    stage.decided(handler, stage.happened("root-without-mfa"), verdict)
    assert stage.check() == []


def test_a_sign_in_that_the_function_failed_to_post_is_posted(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "failed")
    assert len(stage.check()) == 1
    assert (
        "Found by the self-check. The function failed to post it, or got no confirmation of it."
        in footers(stage)
    )


def test_what_the_stage_ignores_is_not_posted_late_either(stage: Stage) -> None:
    stage.happened("check-mfa-virtual")
    stage.happened("get-signin-token")
    assert stage.check() == []
    assert not any('"decision": "ignored"' in line for line in stage.logged("self_check"))


def test_api_calls_that_are_not_understood_share_a_message(stage: Stage) -> None:
    call = changed(event("application-token-with-iam"), "detail", "eventName", to="MakeSomething")
    for number in range(3):
        stage.happened(call, number=number)
    (posted,) = stage.check()
    assert "3" in posted
    assert "MakeSomething" in json.dumps(stage.receiver.messages[0].payload)
    assert stage.check() == []


def test_reports_are_posted_whatever_the_minimum_severity(stage: Stage) -> None:
    variables = deployed_stage.variables(stage.aws, stage.deployment)
    stage.notifier = notifier({**variables, "MINIMUM_SEVERITY": "critical"})
    shorten_the_timeout(stage)
    assert [text.partition(" ")[0] for text in stage.check()] == ["[Warning]"]


def test_a_sign_in_of_the_last_quarter_of_an_hour_may_still_be_on_its_way(stage: Stage) -> None:
    stage.happened("root-without-mfa", minutes_ago=10)
    assert stage.check() == []
    stage.now += timedelta(minutes=10)
    assert len(stage.check()) == 1


def test_a_record_that_cloudtrail_brings_late_is_found_all_the_same(stage: Stage) -> None:
    stage.happened("root-without-mfa", minutes_ago=50)
    assert len(stage.check()) == 1


def test_criticals_and_successes_are_posted_before_failures(stage: Stage) -> None:
    stage.happened("iam-user-with-mfa", minutes_ago=50)
    stage.happened("iam-user-wrong-password", minutes_ago=40)
    stage.happened("root-without-mfa", minutes_ago=30)
    assert [text.partition(" ")[0] for text in stage.check()] == ["[Critical]", "IAM", "[Warning]"]


Break = Callable[[Stage], object]


def stop_the_trail(stage: Stage) -> None:
    stage.aws.client("cloudtrail").stop_logging(Name=deployed_stage.TRAIL)


def remove_the_trail(stage: Stage) -> None:
    stage.aws.client("cloudtrail").delete_trail(Name=deployed_stage.TRAIL)


def disable_the_forward(stage: Stage) -> None:
    stage.aws.client("events", "eu-west-1").disable_rule(Name="forward")


def disable_the_rule(stage: Stage) -> None:
    stage.aws.client("events").disable_rule(Name=stage.deployment.rule("on_sign_in"))


def remove_the_target(stage: Stage) -> None:
    rule = stage.deployment.rule("on_sign_in")
    stage.aws.client("events").remove_targets(Rule=rule, Ids=["1"])


def remove_the_permission(stage: Stage) -> None:
    name = stage.deployment.function("on_sign_in")
    stage.aws.client("lambda").remove_permission(FunctionName=name, StatementId="events")


def remove_the_function(stage: Stage) -> None:
    name = stage.deployment.function("on_sign_in")
    stage.aws.client("lambda").delete_function(FunctionName=name)


def throttle_to_nothing(stage: Stage) -> None:
    stage.aws.client("lambda").put_function_concurrency(
        FunctionName=stage.deployment.function("on_sign_in"), ReservedConcurrentExecutions=0
    )


def disable_the_key(stage: Stage) -> None:
    kms = stage.aws.client("kms")
    key = kms.describe_key(KeyId=stage.deployment.key_alias)["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=key)  # this warm function has its webhook


def shorten_the_timeout(stage: Stage) -> None:
    stage.aws.client("lambda").update_function_configuration(
        FunctionName=stage.deployment.function("on_sign_in"), Timeout=20
    )


def nothing(_: Stage) -> None:
    pass


@pytest.mark.parametrize(
    ("break_it", "cause"),
    [
        (stop_the_trail, "No trail delivered it to EventBridge."),
        (remove_the_trail, "No trail delivered it to EventBridge."),
        (disable_the_forward, "Its region does not forward sign-ins to the home region."),
        (disable_the_rule, "The rule in the home region is missing or disabled, or"),
        (remove_the_target, "The rule does not lead to the function."),
        (remove_the_permission, "EventBridge may not invoke the function."),
        (remove_the_function, "The function is missing or cannot run."),
        (throttle_to_nothing, "The function's reserved concurrency was 0."),
        (disable_the_key, "The webhook's key could not be used."),
        (shorten_the_timeout, NO_CAUSE),
        (nothing, NO_CAUSE),
    ],
)
def test_the_cause_is_named_where_it_can_be_known(
    stage: Stage, break_it: Break, cause: str
) -> None:
    stage.happened("root-without-mfa", region="eu-west-1")
    break_it(stage)
    stage.check()
    found = [text for text in footers(stage) if text.startswith("Found by the self-check")]
    assert len(found) == 1
    assert cause in found[0]


def test_a_sign_in_from_before_the_deployment_says_so(stage: Stage) -> None:
    stage.forget_runs()
    deployed_on(stage.aws, stage.deployment, stage.now)
    stage.happened("root-without-mfa")
    stage.check()
    assert any("It happened before the app was deployed." in text for text in footers(stage))


def test_a_broken_forward_is_no_cause_in_another_region(stage: Stage) -> None:
    stage.happened("root-without-mfa", region="sa-east-1")
    disable_the_forward(stage)
    stage.check()
    assert f"Found by the self-check: {NO_CAUSE}" in footers(stage)


def test_an_event_that_only_reads_says_why_eventbridge_does_not_bring_it(stage: Stage) -> None:
    stage.happened("aws-login-authorized")
    stage.check()
    assert any("delivers read-only events" in text for text in footers(stage))


def test_a_fault_is_reported_when_it_appears_and_each_week_and_when_it_is_gone(
    stage: Stage,
) -> None:
    disable_the_rule(stage)
    (report,) = stage.check()
    assert report.startswith(
        "[Critical] signin-monitor in account 123456789012 has a fault: "
        "The rule signin-monitor-prod-on_sign_in-event is disabled."
    )
    assert "`aws events enable-rule --region us-east-1 --name" in json.dumps(
        stage.receiver.messages[0].payload
    )
    stage.now += DAY
    assert stage.check() == []
    stage.now += 6 * DAY
    (again,) = stage.check()
    assert again.startswith(
        "[Warning] signin-monitor in account 123456789012 still has a fault: The rule"
    )
    stage.now += DAY
    assert stage.check() == []
    stage.aws.client("events").enable_rule(Name=stage.deployment.rule("on_sign_in"))
    assert stage.check() == [
        "Fixed in account 123456789012: the rule signin-monitor-prod-on_sign_in-event was disabled."
    ]
    assert stage.check() == []


def test_a_fault_that_silences_nothing_wakes_nobody(stage: Stage) -> None:
    stage.aws.client("events").disable_rule(Name=stage.deployment.rule("self_check"))
    shorten_the_timeout(stage)
    (report,) = stage.check()
    assert report.startswith(
        "[Warning] signin-monitor in account 123456789012 has a fault: The rule"
    )


def test_a_fault_that_becomes_another_is_not_called_resolved(stage: Stage) -> None:
    stop_the_trail(stage)
    stage.check()
    remove_the_trail(stage)
    (report,) = stage.check()
    assert "No trail covers" in report
    assert "Fixed" not in json.dumps(stage.receiver.messages[0].payload)
    stage.aws.client("cloudtrail").create_trail(
        Name=deployed_stage.TRAIL, S3BucketName="trail", IsMultiRegionTrail=True
    )
    stage.aws.client("cloudtrail").start_logging(Name=deployed_stage.TRAIL)
    (resolved,) = stage.check()
    assert resolved.startswith("Fixed in account 123456789012: the trail")
    assert stage.check() == []


def test_an_unknown_region_keeps_no_other_from_being_called_fixed(stage: Stage) -> None:
    disable_the_forward(stage)
    stage.check()
    stage.aws.client("events", "eu-west-1").put_rule(
        Name="forward", EventPattern=json.dumps(stage.deployment.pattern), State=ALL_EVENTS
    )
    with denied(stage, "events", "ListRuleNamesByTarget", "sa-east-1"):
        (report,) = stage.check()
    assert "events:ListRuleNamesByTarget is denied" in report
    shown = json.dumps(stage.receiver.messages[0].payload)
    assert "Fixed in account 123456789012: the rule forward in eu-west-1 was disabled." in shown


def test_a_fault_that_can_no_longer_be_seen_is_not_called_fixed(stage: Stage) -> None:
    stop_the_trail(stage)
    stage.check()
    stage.aws.client("cloudtrail").start_logging(Name=deployed_stage.TRAIL)
    with denied(stage, "cloudtrail", "DescribeTrails"):
        (report,) = stage.check()
    assert "cloudtrail:DescribeTrails is denied" in report
    assert "Fixed" not in json.dumps(stage.receiver.messages[0].payload)
    assert stage.check()[0].startswith("Fixed in account 123456789012: the trail")


def test_a_fault_that_could_not_be_reported_is_reported_by_the_next_run(stage: Stage) -> None:
    disable_the_rule(stage)
    refuse_and_delete_the_queue(stage)
    with pytest.raises(DeliveryError):
        stage.check()
    (report,) = stage.check()
    assert "+1 more." in report  # the rule, and the queue


def test_a_sign_in_that_could_not_be_posted_is_posted_by_the_next_run(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    refuse_and_delete_the_queue(stage)
    with pytest.raises(DeliveryError):
        stage.check()
    stage.now += timedelta(hours=3)
    assert any(text.startswith("[Critical] Root") for text in stage.check())


def test_silence_is_given_its_meaning_once_a_week(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-with-mfa", number=1), "posted")
    stage.decided("on_sign_in", stage.happened("check-mfa-virtual", number=2), "ignored")
    stage.decided("on_sign_in", stage.happened("root-with-mfa", number=3), "parked")
    parked = stage.happened("root-with-mfa", number=4)
    stage.decided("on_sign_in", parked, "parked")
    stage.decided("on_undelivered", parked, "posted")
    stage.happened("root-with-mfa", number=5)
    assert len(stage.check()) == 1
    stage.now += 7 * DAY - timedelta(minutes=5)
    stage.happened("iam-user-with-mfa")
    disable_the_forward(stage)
    *_, report = stage.check()
    assert report.startswith("[Warning] signin-monitor in account 123456789012 has a fault: ")
    (section,) = [
        text
        for block in stage.receiver.messages[-1].payload["attachments"][0]["blocks"]
        if block["type"] == "section" and "week" in (text := block["text"]["text"])
    ]
    week, last_posted, uncovered = section.splitlines()
    assert week == "In the last week: 4 posted, 1 ignored, 2 found late, 0 still waiting."
    assert last_posted.startswith("Last posted: <!date^")
    assert uncovered == "Regions not covered: eu-west-1"


def test_familiar_sign_ins_and_their_people_are_counted_once_a_week(stage: Stage) -> None:
    for number, person in enumerate(("alice", "alice", "carol", None)):
        sign_in = stage.happened("saml-role", number=number)
        stage.decided(
            "on_sign_in",
            sign_in,
            "ignored",
            reason="familiar",
            familiar=bool(person),
            person=person,
        )
    stage.now += 7 * DAY
    *_, report = stage.check()
    assert "4 ignored" in report
    assert report.endswith(" Familiar sign-ins: 3 (people: 2).")


def test_silence_is_not_called_well_while_a_fault_lasts(stage: Stage) -> None:
    stage.now += 3 * DAY
    stop_the_trail(stage)
    stage.check()
    stage.now += 4 * DAY
    (report,) = stage.check()
    assert report.startswith(
        "[Warning] signin-monitor in account 123456789012 still has a fault: The trail"
    )
    shown = json.dumps(stage.receiver.messages[0].payload)
    assert "Regions not covered: eu-west-1, sa-east-1, us-east-1" in shown


def test_a_check_without_its_right_says_of_no_region_that_it_is_not_covered(stage: Stage) -> None:
    stage.now += 7 * DAY
    with denied(stage, "cloudtrail", "DescribeTrails"):
        (report,) = stage.check()
    assert "cloudtrail:DescribeTrails is denied" in report
    assert "not covered" not in shown(stage)


def test_a_region_that_refuses_is_left_for_the_next_run(stage: Stage) -> None:
    stage.happened("root-without-mfa", region="eu-west-1")
    stage.happened("root-without-mfa", region="sa-east-1")
    cloudtrail.refuse(stage.aws.url, "eu-west-1", "AccessDeniedException")
    assert len(stage.check()) == 2  # the sign-in, and that the other region may not be read
    stage.now += 3 * DAY
    cloudtrail.refuse(stage.aws.url, "eu-west-1", None)
    assert len(stage.check()) == 2  # the sign-in, and that the region can be read again


def test_what_a_run_has_no_time_for_is_left_for_the_next_ones(stage: Stage) -> None:
    stage.happened_often()
    stage.happened("root-without-mfa", minutes_ago=45)  # on the last page
    with no_time_for_a_second_page():
        assert stage.check() == []
    assert len(stage.check()) == 1
    assert stage.check() == []


def test_what_is_more_than_one_run_can_hold_is_left_for_the_next_ones(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST", 50)
    stage.happened_often()
    stage.happened("root-without-mfa", minutes_ago=45)  # on the last page
    stage.happened("switch-role-in-home-account", minutes_ago=46)
    # In the second run what matters, and that the region is still unread; in the third the rest.
    assert [len(stage.check()) for _ in range(2)] == [0, 3]
    assert "event history in us-east-1 could not be read to its end" in shown(stage)
    assert [len(stage.check()) for _ in range(2)] == [1, 0]


def test_what_was_left_waits_for_as_long_as_its_region_refuses(stage: Stage) -> None:
    stage.happened_often()
    stage.happened("root-without-mfa", minutes_ago=45)  # on the last page
    with no_time_for_a_second_page():
        stage.check()
    stage.happened("root-with-mfa", minutes_ago=16)
    cloudtrail.refuse(stage.aws.url, "us-east-1", "AccessDeniedException")
    for reports in (1, 0, 0):  # that it may not be read is said once
        stage.now += timedelta(hours=2)
        assert len(stage.check()) == reports
    cloudtrail.refuse(stage.aws.url, "us-east-1", None)
    assert len(stage.check()) == 3  # and that it can be read again
    assert stage.check() == []


def test_what_is_older_than_the_logs_is_given_up_and_said_once(stage: Stage) -> None:
    stage.happened_often()
    with no_time_for_a_second_page():
        stage.check()
    stage.now += 7 * DAY
    (report,) = stage.check()
    assert "event history in us-east-1 was never read from" in report
    stage.now += timedelta(hours=1)
    assert stage.check() == []


def test_what_grew_too_old_while_its_region_refused_is_said_once_the_rest_is_read(
    stage: Stage,
) -> None:
    cloudtrail.refuse(stage.aws.url, "eu-west-1", "AccessDeniedException")
    for days in (0, 5, 3):
        stage.now += days * DAY
        assert "was never read from" not in "".join(stage.check())
    cloudtrail.refuse(stage.aws.url, "eu-west-1", None)
    refuse_and_delete_the_queue(stage)
    with pytest.raises(DeliveryError):
        stage.check()
    stage.check()
    assert "event history in eu-west-1 was never read from" in shown(stage)
    assert "was never read from" not in "".join(stage.check()) + shown(stage)


def test_a_sign_in_that_there_is_no_time_to_post_is_the_next_runs(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    assert stage.check(seconds=15) == []
    assert len(stage.check()) == 1


def test_without_its_logs_it_posts_what_matters_as_unverified(stage: Stage) -> None:
    stage.decided("on_sign_in", stage.happened("root-without-mfa"), "posted")
    with denied(stage, "logs", "FilterLogEvents"):
        late, *_, report = stage.check()
    assert late.startswith("[Critical] Root user signed in")
    assert any("It may have been posted before" in text for text in footers(stage))
    assert "logs:FilterLogEvents gives AccessDenied" in json.dumps(
        stage.receiver.messages[-1].payload
    )
    assert report


def test_a_sign_in_cannot_say_of_itself_in_the_log_that_it_was_posted(stage: Stage) -> None:
    sign_in = stage.happened("root-without-mfa")
    lie = json.dumps({"decision": "posted", "event_id": sign_in["detail"]["eventID"]})
    sign_in["detail"]["userAgent"] = f"{lie}\n{lie}"
    received = {"message": "Received event", "event": sign_in}
    stage.log("on_sign_in", json.dumps(received))
    assert len(stage.check()) == 1


def test_a_line_that_is_no_object_says_nothing(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    stage.log("on_sign_in", '["decision", "posted"]')
    (posted,) = stage.check()
    assert posted.startswith("[Critical] Root user signed in")


def deploy_again(stage: Stage, handler: str) -> None:
    functions = get_backend("lambda")[stage.deployment.account_id][stage.aws.region]
    function = functions.get_function(stage.deployment.function(handler))
    function.last_modified = datetime.now(UTC).isoformat()  # moto leaves it as it was


def test_before_its_webhook_was_rotated_a_function_is_believed_but_for_criticals(
    stage: Stage,
) -> None:
    stage.forget_runs()  # they bear the other webhook's MAC as well
    for name in ("iam-user-with-mfa", "root-without-mfa"):
        stage.decided("on_sign_in", stage.happened(name), "posted", key=b"another")
    stage.decided("on_sign_in", stage.happened("iam-user-without-mfa"), "failed", key=b"another")
    deploy_again(stage, "on_sign_in")
    found = [text.partition(" ")[0] for text in stage.check()]
    assert found == ["[Critical]", "[Warning]", "signin-monitor"]  # the last is the heartbeat
    assert any("It may have been posted before" in text for text in footers(stage))


def test_the_last_run_of_release_1_0_is_remembered(stage: Stage) -> None:
    stage.happened("iam-user-with-mfa", minutes_ago=300)
    stage.forget_runs()
    at = stage.now.isoformat()
    line = {"self_check": "ran", "regions": {"us-east-1": [at]}, "faults": [], "heartbeat": at}
    stage.log("self_check", json.dumps(line))
    deploy_again(stage, "self_check")
    assert stage.check() == []


def test_without_its_webhook_it_reports_and_posts_no_sign_in_until_it_has_it(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    variables = deployed_stage.variables(stage.aws, stage.deployment)
    stage.notifier = notifier({**variables, "UNDELIVERED_QUEUE": ""})  # which is cold
    stage.aws.fail("kms:Decrypt", "DisabledException")
    with pytest.raises(DeliveryError):
        stage.check()
    decided = [json.loads(line) for line in stage.logged("self_check") if '"failed"' in line]
    assert [line["event_name"] for line in decided] == ["SelfCheck"]
    stage.aws.clear()
    assert stage.check()[0].startswith("[Critical] Root user signed in")


@pytest.mark.parametrize("more", [{}, {"regions": []}, {"regions": {"us-east-1": ["now"]}}])
def test_a_line_of_another_release_is_no_memory(stage: Stage, more: dict[str, Any]) -> None:
    stage.happened("root-without-mfa")
    stage.log("self_check", json.dumps({"self_check": "ran", **more}))
    posted, forged = stage.check()
    assert posted.startswith("[Critical] Root user signed in")
    assert "were not written by signin-monitor" in forged
    assert stage.check() == []


def test_without_the_names_of_the_regions_the_home_region_is_read(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    with denied(stage, "ec2", "DescribeRegions"):
        assert len(stage.check()) == 2  # and that the regions may not be listed


def test_a_handler_that_never_ran_has_decided_nothing(stage: Stage) -> None:
    for handler in ("on_sign_in", "on_undelivered"):
        stage.aws.client("logs").delete_log_group(logGroupName=stage.deployment.log_group(handler))
    stage.happened("root-without-mfa")
    assert stage.check()[0].startswith("[Critical] Root user signed in")


def test_it_runs_by_the_variables_and_the_name_of_its_function(stage: Stage) -> None:
    stage.happened("root-without-mfa")
    variables = deployed_stage.variables(stage.aws, stage.deployment)
    line = self_check(
        notifier(variables),
        {"id": "by hand", "time": stage.now.isoformat()},
        stage.deployment.function_arn("self_check"),
        stage.deployment.pattern,
        variables,
        60,
    )
    assert line["self_check"] == "ran"
    assert line["found"] == {"unknown": 1}


def test_what_was_left_so_long_ago_that_no_log_knows_of_it_is_not_read_again() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    old = now - timedelta(days=30), now - timedelta(days=29)
    progress = Progress(until=now - timedelta(hours=1), gaps=(old,))
    memory = Checkpoint(regions={"us-east-1": progress})
    (window,) = windows(["us-east-1"], memory, now)
    assert window.start > now - timedelta(days=6)


def test_a_run_of_the_same_moment_reads_what_was_left_and_nothing_else() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    left = now - timedelta(hours=3), now - timedelta(hours=2)
    memory = Checkpoint(regions={"us-east-1": Progress(until=now - DELAY, gaps=(left,))})
    wanted = [window for window in windows(["us-east-1"], memory, now) if not window.attribute]
    assert [(window.start, window.end) for window in wanted] == [left]


def test_spans_that_touch_are_read_as_one() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    hours = [now + timedelta(hours=hour) for hour in range(6)]
    progress = Progress(now, ((hours[0], hours[1]), (hours[4], hours[5])))
    assert progress.with_gap(hours[1], hours[2]).gaps == (
        (hours[0], hours[2]),
        (hours[4], hours[5]),
    )
