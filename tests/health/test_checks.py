"""Each part of a stage, broken in turn in an embedded account: exactly that part is named."""

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend

from chalicelib.aws.clients import Clients, clients_of
from chalicelib.health.checks import CHECKS, Check, run_checks
from chalicelib.health.deployment import Deployment
from chalicelib.health.description import fold
from chalicelib.health.function import check_function
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import SELF_CHECK_ACTIONS
from chalicelib.signin.events import ALL_EVENTS, SIGN_IN_PATTERN
from playground.aws.embedded import EmbeddedAws
from tests.support import deployed_stage
from tests.support.deployed_stage import HOME, QUEUE, TRAIL
from tests.support.strict_aws import StrictAws


@dataclass(frozen=True)
class Stage:
    """A deployed stage in its account."""

    aws: EmbeddedAws
    deployment: Deployment

    @property
    def function(self) -> str:
        return self.deployment.function("on_sign_in")

    @property
    def rule(self) -> str:
        return self.deployment.rule("on_sign_in")

    @property
    def clients(self) -> Clients:
        return deployed_stage.clients(self.aws)

    def client(self, service: str, region: str = HOME) -> Any:  # noqa: ANN401 — any client
        return self.clients(service, region)

    def with_settings(self, **changes: Any) -> "Stage":  # noqa: ANN401 — any setting's
        settings = replace(self.deployment.settings, **changes)
        return replace(self, deployment=replace(self.deployment, settings=settings))

    def results(self, checks: Sequence[Check] = CHECKS) -> list[CheckResult]:
        return list(run_checks(self.deployment, self.clients, checks))

    def faults(self) -> list[CheckResult]:
        return [result for result in self.results() if result.status is Status.FAULT]


Break = Callable[[Stage], object]
BREAKS: list[Any] = []
REGIONS = "python -m ops regions --stage prod --apply"
SETUP = "python -m ops setup --stage prod"


@pytest.fixture
def stage(aws: StrictAws) -> Stage:
    return Stage(aws, aws.made_once("stage", lambda: deployed_stage.build(aws)))


def breaks(code: str, remedy: str = "chalice deploy --stage prod") -> Callable[[Break], Break]:
    """Keep a way to break a stage, the fault that it must give, and a part of the remedy."""

    def keep(break_it: Break) -> Break:
        BREAKS.append(pytest.param(break_it, code, remedy, id=break_it.__name__))
        return break_it

    return keep


def select(stage: Stage, **selectors: Any) -> None:  # noqa: ANN401 — moto takes any JSON
    stage.client("cloudtrail").put_event_selectors(TrailName=TRAIL, **selectors)


def select_fields(stage: Stage, category: str, **fields: dict[str, list[str]]) -> None:
    """Let the trail log a category of events whose fields are such; a `_` stands for a dot."""
    wanted = {"eventCategory": {"Equals": [category]}, **fields}
    selectors = [{"Field": name.replace("_", "."), **rule} for name, rule in wanted.items()]
    select(stage, AdvancedEventSelectors=[{"Name": "some", "FieldSelectors": selectors}])


@breaks("trail_missing", "cloudtrailv2/home?region=us-east-1#/create")
def no_trail(stage: Stage) -> None:
    stage.client("cloudtrail").delete_trail(Name=TRAIL)


@breaks("trail_stopped", "aws cloudtrail start-logging --region us-east-1 --name all-regions")
def trail_does_not_log(stage: Stage) -> None:
    stage.client("cloudtrail").stop_logging(Name=TRAIL)


without_sign_ins = breaks(
    "trail_without_sign_ins", "/cloudtrailv2/home?region=us-east-1#/trails/arn:aws:cloudtrail:"
)


@without_sign_ins
def trail_logs_no_management_events(stage: Stage) -> None:
    select(stage, EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": False}])


@without_sign_ins
def trail_logs_reads_only(stage: Stage) -> None:
    select(stage, EventSelectors=[{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}])


@without_sign_ins
def trail_logs_data_events_only(stage: Stage) -> None:
    select_fields(stage, "Data", resources_type={"Equals": ["AWS::S3::Object"]})


@without_sign_ins
def trail_leaves_sign_ins_out(stage: Stage) -> None:
    select_fields(stage, "Management", eventSource={"NotStartsWith": ["signin."]})


@without_sign_ins
def trail_logs_one_session_s_events(stage: Stage) -> None:
    arn = "arn:aws:iam::111122223333:role/ci"
    select_fields(stage, "Management", userIdentity_arn={"Equals": [arn]})


@breaks("forward_missing", REGIONS)
def forward_removed(stage: Stage) -> None:
    events = stage.client("events", "eu-west-1")
    events.remove_targets(Rule="forward", Ids=["home"])
    events.delete_rule(Name="forward")


@breaks("forward_disabled", "aws events enable-rule --region eu-west-1 --name forward")
def forward_disabled(stage: Stage) -> None:
    stage.client("events", "eu-west-1").disable_rule(Name="forward")


def change_forward(stage: Stage, **changes: object) -> None:
    """Change the target of a region's forward; None takes a field away."""
    events = stage.client("events", "eu-west-1")
    (target,) = events.list_targets_by_rule(Rule="forward")["Targets"]
    target = {name: value for name, value in {**target, **changes}.items() if value is not None}
    events.put_targets(Rule="forward", Targets=[target])


@breaks("forward_without_role", REGIONS)
def forward_without_a_role(stage: Stage) -> None:
    change_forward(stage, RoleArn=None)


@breaks("forward_changes_event", REGIONS)
def forward_rewrites_the_event(stage: Stage) -> None:
    change_forward(stage, Input='{"nothing": 1}')


@breaks("forward_retries_less", REGIONS)
def forward_gives_up_at_once(stage: Stage) -> None:
    policy = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    change_forward(stage, RetryPolicy=policy)


@breaks("role_missing", REGIONS)
def forward_names_a_role_that_does_not_exist(stage: Stage) -> None:
    change_forward(stage, RoleArn=f"arn:aws:iam::{stage.deployment.account_id}:role/nobody")


@breaks("role_untrusted", REGIONS)
def forwards_role_trusts_events_of_another_account(stage: Stage) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    stage.client("iam").update_assume_role_policy(
        RoleName=deployed_stage.FORWARD_ROLE, PolicyDocument=document
    )


@breaks("forward_without_reads", "aws events put-rule --region eu-west-1 --name forward --state")
def forward_without_read_only_events(stage: Stage) -> None:
    stage.client("events", "eu-west-1").enable_rule(Name="forward")


@breaks("forward_partial", REGIONS)
def forward_of_some_sign_ins_only(stage: Stage) -> None:
    pattern = {**SIGN_IN_PATTERN, "detail": {"eventName": ["ConsoleLogin"]}}
    stage.client("events", "eu-west-1").put_rule(Name="forward", EventPattern=json.dumps(pattern))


@breaks("rule_missing")
def rule_removed(stage: Stage) -> None:
    target_removed(stage)
    stage.client("events").delete_rule(Name=stage.rule)


@breaks("rule_disabled", "aws events enable-rule --region us-east-1")
def rule_disabled(stage: Stage) -> None:
    stage.client("events").disable_rule(Name=stage.rule)


@breaks("rule_disabled", "aws events enable-rule --region us-east-1")
def schedule_disabled(stage: Stage) -> None:
    stage.client("events").disable_rule(Name=stage.deployment.rule("self_check"))


@breaks("rule_pattern")
def pattern_spelt_as_in_the_documentation(stage: Stage) -> None:
    pattern = {"source": ["aws.signin"], "detail-type": ["AWS Console Signin via CloudTrail"]}
    stage.client("events").put_rule(Name=stage.rule, EventPattern=json.dumps(pattern))


@breaks("rule_pattern")
def rule_on_a_schedule_instead(stage: Stage) -> None:
    stage.client("events").put_rule(Name=stage.rule, ScheduleExpression="rate(1 day)")


@breaks("rule_schedule")
def schedule_changed_by_hand(stage: Stage) -> None:
    stage.client("events").put_rule(
        Name=stage.deployment.rule("self_check"), ScheduleExpression="rate(300 days)"
    )


READ_ONLY_RULE = "signin-monitor-prod-read-only"


@breaks("read_only_rule", SETUP)
def no_read_only_rule(stage: Stage) -> None:
    stage.client("events").remove_targets(Rule=READ_ONLY_RULE, Ids=["on_sign_in"])
    stage.client("events").delete_rule(Name=READ_ONLY_RULE)


@breaks("read_only_rule", SETUP)
def read_only_rule_in_another_state(stage: Stage) -> None:
    stage.client("events").enable_rule(Name=READ_ONLY_RULE)


@breaks("read_only_rule", SETUP)
def read_only_rule_without_permission(stage: Stage) -> None:
    stage.client("lambda").remove_permission(
        FunctionName=stage.function, StatementId="read-only-events"
    )


@breaks("target_missing")
def target_removed(stage: Stage) -> None:
    stage.client("events").remove_targets(Rule=stage.rule, Ids=["1"])


def put_target(stage: Stage, name: str, **changes: object) -> None:
    target = {"Id": name, "Arn": stage.deployment.function_arn("on_sign_in"), **changes}
    stage.client("events").put_targets(Rule=stage.rule, Targets=[target])


@breaks("target_changes_event")
def target_gives_another_input(stage: Stage) -> None:
    put_target(stage, "1", InputPath="$.detail")


@breaks("target_changes_event", "aws events remove-targets --region us-east-1 --rule")
def second_target_gives_another_input(stage: Stage) -> None:
    put_target(stage, "by-hand", Input="{}")


@breaks("target_differs", "aws events remove-targets --region us-east-1 --rule")
def target_is_given_up_at_once(stage: Stage) -> None:
    put_target(stage, "1", RetryPolicy={"MaximumRetryAttempts": 0})


@breaks("permission_missing")
def permission_removed(stage: Stage) -> None:
    stage.client("lambda").remove_permission(FunctionName=stage.function, StatementId="events")


def permit(stage: Stage, **whom: str) -> None:
    """Let EventBridge invoke the function for nobody but those."""
    permission_removed(stage)
    stage.client("lambda").add_permission(
        FunctionName=stage.function,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        **whom,
    )


@breaks("permission_missing")
def permission_for_another_account(stage: Stage) -> None:
    permit(stage, SourceAccount="999999999999")


@breaks("permission_missing")
def permission_for_another_rule(stage: Stage) -> None:
    permit(stage, SourceArn=stage.deployment.arn("events", "rule/another"))


@breaks("permission_missing")
def permission_for_another_organisation(stage: Stage) -> None:
    rule = stage.deployment.arn("events", f"rule/{stage.rule}")
    permit(stage, SourceArn=rule, PrincipalOrgID="o-a1b2c3d4e5")


def configure(stage: Stage, **settings: object) -> None:
    stage.client("lambda").update_function_configuration(FunctionName=stage.function, **settings)


def set_variables(stage: Stage, **changes: str) -> None:
    variables = {**deployed_stage.variables(stage.aws, stage.deployment), **changes}
    configure(stage, Environment={"Variables": variables})


@breaks("function_failed")
def function_out_of_order(stage: Stage) -> None:
    functions = get_backend("lambda")[stage.deployment.account_id][stage.aws.region]
    functions.get_function(stage.function).state = "Failed"


@breaks("runtime_unsupported")
def runtime_out_of_support(stage: Stage) -> None:
    configure(stage, Runtime="python3.8")


@breaks("timeout_short")
def timeout_of_three_seconds(stage: Stage) -> None:
    configure(stage, Timeout=3)


@breaks("settings_differ")
def setting_changed_by_hand(stage: Stage) -> None:
    set_variables(stage, MINIMUM_SEVERITY="critical")


@breaks("settings_differ")
def setting_removed_by_hand(stage: Stage) -> None:
    set_variables(stage, WEBHOOK_URL_ENCRYPTED="")


@breaks("settings_differ")
def variable_that_is_no_setting(stage: Stage) -> None:
    set_variables(stage, AWS_LAMBDA_EXEC_WRAPPER="/opt/steal")


@breaks("settings_differ")
def function_runs_another_handler(stage: Stage) -> None:
    configure(stage, Handler="app.audit_mfa")


@breaks("code_differs")
def code_of_one_function_changed(stage: Stage) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "on_sign_in = lambda *_: {'decision': 'posted'}")
    stage.client("lambda").update_function_code(
        FunctionName=stage.function, ZipFile=package.getvalue()
    )


@breaks("layers_added", "aws lambda update-function-configuration --region us-east-1")
def layer_added(stage: Stage) -> None:
    layer = stage.client("lambda").publish_layer_version(
        LayerName="opt", Content={"ZipFile": b"opt"}
    )
    configure(stage, Layers=[layer["LayerVersionArn"]])


@breaks("retries_fewer", "aws lambda delete-function-event-invoke-config --region us-east-1")
def failures_not_tried_again(stage: Stage) -> None:
    stage.client("lambda").put_function_event_invoke_config(
        FunctionName=stage.function, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60
    )


@breaks("concurrency_zero", "aws lambda delete-function-concurrency --region us-east-1")
def function_throttled_to_nothing(stage: Stage) -> None:
    stage.client("lambda").put_function_concurrency(
        FunctionName=stage.function, ReservedConcurrentExecutions=0
    )


def measure(
    stage: Stage, space: str, metric: str, value: float, ago: int = 5, **dimension: str
) -> None:
    dimensions = [{"Name": name, "Value": of} for name, of in dimension.items()]
    datum = {"MetricName": metric, "Dimensions": dimensions, "Value": value}
    stage.client("cloudwatch").put_metric_data(
        Namespace=space,
        MetricData=[{**datum, "Timestamp": datetime.now(UTC) - timedelta(minutes=ago)}],
    )


@breaks("errors_seen", "aws logs tail /aws/lambda/signin-monitor-prod-on_sign_in")
def function_failed_lately(stage: Stage) -> None:
    measure(stage, "AWS/Lambda", "Errors", 3, FunctionName=stage.function)


@breaks("throttles_seen", "aws logs tail /aws/lambda/signin-monitor-prod-on_undelivered")
def function_throttled_lately(stage: Stage) -> None:
    name = stage.deployment.function("on_undelivered")
    measure(stage, "AWS/Lambda", "Throttles", 1, FunctionName=name)


def key_id(stage: Stage) -> str:
    key = stage.client("kms").describe_key(KeyId=stage.deployment.key_alias)
    return str(key["KeyMetadata"]["KeyId"])


@breaks("key_disabled", "aws kms enable-key --region us-east-1 --key-id")
def key_disabled(stage: Stage) -> None:
    stage.client("kms").disable_key(KeyId=key_id(stage))


@breaks("key_pending_deletion", "aws kms cancel-key-deletion --region us-east-1 --key-id")
def key_about_to_be_deleted(stage: Stage) -> None:
    stage.client("kms").schedule_key_deletion(KeyId=key_id(stage))


@breaks("key_missing", SETUP)
def alias_removed(stage: Stage) -> None:
    stage.client("kms").delete_alias(AliasName=stage.deployment.key_alias)


@breaks("ciphertext_of_other_key", f"{SETUP} --rotate-webhook\nchalice deploy --stage prod")
def alias_moved_to_another_key(stage: Stage) -> None:
    kms = stage.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.update_alias(AliasName=stage.deployment.key_alias, TargetKeyId=key)


def queue_url(stage: Stage) -> str:
    return str(stage.client("sqs").get_queue_url(QueueName=QUEUE)["QueueUrl"])


@breaks("queue_missing", SETUP)
def queue_removed(stage: Stage) -> None:
    stage.client("sqs").delete_queue(QueueUrl=queue_url(stage))


def park(stage: Stage) -> None:
    stage.client("sqs").send_message(  # delayed, or moto would run it
        QueueUrl=queue_url(stage), MessageBody="{}", DelaySeconds=900
    )


def held(stage: Stage, *minutes: int) -> None:
    park(stage)
    for ago in minutes:
        for metric, value in (("Visible", 0), ("NotVisible", 1)):
            name = f"ApproximateNumberOfMessages{metric}"
            measure(stage, "AWS/SQS", name, value, ago, QueueName=QUEUE)


@breaks("queue_stuck", "aws logs tail /aws/lambda/signin-monitor-prod-on_undelivered")
def queue_was_never_empty_for_20_minutes(stage: Stage) -> None:
    held(stage, 6, 11, 16, 21)


def test_a_message_that_was_parked_a_minute_ago_is_no_fault(stage: Stage) -> None:
    held(stage, 2, 6)
    assert stage.faults() == []


def mapping_id(stage: Stage) -> str:
    found = stage.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return str(found[0]["UUID"])


def change_mapping(stage: Stage, **changes: object) -> None:
    stage.client("lambda").update_event_source_mapping(UUID=mapping_id(stage), **changes)


@breaks("redelivery_disabled", "aws lambda update-event-source-mapping --region us-east-1 --uuid")
def redelivery_disabled(stage: Stage) -> None:
    change_mapping(stage, Enabled=False)


@breaks("redelivery_filters", "aws lambda update-event-source-mapping --region us-east-1 --uuid")
def redelivery_of_nothing(stage: Stage) -> None:
    change_mapping(stage, FilterCriteria={"Filters": [{"Pattern": '{"body": ["nothing"]}'}]})


@breaks("redelivery_missing")
def redelivery_removed(stage: Stage) -> None:
    stage.client("lambda").delete_event_source_mapping(UUID=mapping_id(stage))


@breaks("logs_missing")
def log_group_removed(stage: Stage) -> None:
    group = stage.deployment.log_group("on_sign_in")
    stage.client("logs").delete_log_group(logGroupName=group)


@breaks("logs_kept_for_ever", "aws logs put-retention-policy --region us-east-1 --log-group-name")
def logs_never_expire(stage: Stage) -> None:
    group = stage.deployment.log_group("on_sign_in")
    stage.client("logs").delete_retention_policy(logGroupName=group)


def test_a_whole_stage_has_no_fault_and_nothing_unknown(stage: Stage) -> None:
    results = stage.results()
    assert {result.status for result in results} == {Status.OK}
    assert list(dict.fromkeys(result.check for result in results)) == [
        "trail",
        "forward",
        "role",
        "rule",
        "read_only_rule",
        "target",
        "permission",
        "function",
        "concurrency",
        "retries",
        "errors",
        "key",
        "ciphertext",
        "queue",
        "redelivery",
        "logs",
    ]


@pytest.mark.parametrize(("break_it", "code", "remedy"), BREAKS)
def test_a_broken_part_is_named_with_its_remedy_and_no_other(
    stage: Stage, break_it: Break, code: str, remedy: str
) -> None:
    break_it(stage)
    (fault,) = fold(stage.faults())
    assert fault.code == code
    assert remedy in fault.remedy


def test_without_any_trail_each_region_is_named_and_one_remedy_given(stage: Stage) -> None:
    no_trail(stage)
    found = stage.faults()
    assert {fault.region for fault in found} == {"us-east-1", "eu-west-1", "sa-east-1"}
    assert len({fault.remedy for fault in found}) == 1


def test_one_trail_stopped_is_reported_once_whatever_the_number_of_regions(stage: Stage) -> None:
    trail_does_not_log(stage)
    assert [fault.resource for fault in stage.faults()] == [TRAIL]


def test_a_trail_of_one_region_leaves_the_others_without(stage: Stage) -> None:
    stage.client("cloudtrail").update_trail(Name=TRAIL, IsMultiRegionTrail=False)
    found = {fault.region: fault.code for fault in stage.faults()}
    assert found == {"eu-west-1": "trail_missing", "sa-east-1": "trail_missing"}


def test_a_trail_in_each_region_is_as_good_as_a_trail_for_all(stage: Stage) -> None:
    stage.client("cloudtrail").update_trail(Name=TRAIL, IsMultiRegionTrail=False)
    for region in ("eu-west-1", "sa-east-1"):
        cloudtrail = stage.client("cloudtrail", region)
        cloudtrail.create_trail(Name=region, S3BucketName="trail")
        cloudtrail.start_logging(Name=region)
    assert not stage.faults()


def test_a_trail_that_selects_sign_ins_in_other_words_will_do(stage: Stage) -> None:
    source = {"NotEquals": ["kms.amazonaws.com"], "EndsWith": [".com"]}
    select_fields(stage, "Management", readOnly={"Equals": ["false"]}, eventSource=source)
    assert not stage.faults()


def test_a_forward_of_more_than_the_app_asks_for_will_do(stage: Stage) -> None:
    events = stage.client("events", "eu-west-1")
    pattern = '{"source": ["aws.signin", "aws.iam"]}'
    events.put_rule(Name="forward", EventPattern=pattern, State=ALL_EVENTS)
    assert not stage.faults()


def test_one_rule_in_the_state_that_matches_all_events_will_do(stage: Stage) -> None:
    """As a stage deployed by CloudFormation has it."""
    no_read_only_rule(stage)
    stage.client("events").put_rule(
        Name=stage.rule,
        EventPattern=json.dumps(SIGN_IN_PATTERN),
        State=ALL_EVENTS,
    )
    assert not stage.faults()


def test_what_waits_in_the_queue_for_minutes_only_is_no_fault(stage: Stage) -> None:
    park(stage)
    measure(stage, "AWS/SQS", "ApproximateAgeOfOldestMessage", 60, QueueName=QUEUE)
    assert not stage.faults()


def test_a_stage_without_a_queue_has_no_check_of_a_queue(aws: EmbeddedAws) -> None:
    results = Stage(aws, deployed_stage.build(aws, UNDELIVERED_QUEUE="")).results()
    assert {result.status for result in results} == {Status.OK}
    assert not {"queue", "redelivery"} & {result.check for result in results}


def test_a_ciphertext_of_something_else_than_a_webhook_is_reported_and_stays_secret(
    aws: EmbeddedAws,
) -> None:
    webhook = "https://example.com/services/T0/B0/fake"
    (fault,) = Stage(aws, deployed_stage.build(aws, webhook)).faults()
    assert fault.code == "webhook_unusable"
    assert "on another host than WEBHOOK_HOSTS names" in fault.facts["why"]
    assert "T0" not in str(fault)


@contextmanager
def hooked(
    stage: Stage, service: str, event: str, hook: Callable[..., object], region: str = HOME
) -> Iterator[None]:
    """Let a hook change what is asked of a service of AWS, or what it answers."""
    events = stage.client(service, region).meta.events
    events.register(event, hook)
    try:
        yield
    finally:
        events.unregister(event, hook)


def with_denied(
    stage: Stage, service: str, operation: str, region: str = HOME, message: str = ""
) -> CheckResult:
    """Check with an action denied in a region; return the one result that is not ok then."""

    def deny(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": message}}, operation
        )

    with hooked(stage, service, f"before-call.*.{operation}", deny, region):
        (other,) = [result for result in stage.results() if result.status is not Status.OK]
    return other


def test_a_ciphertext_that_kms_knows_no_key_for_is_a_fault(stage: Stage) -> None:
    said = (
        "The ciphertext refers to a customer master key that does not exist, does not exist in "
        "this region, or you are not allowed to access."
    )
    fault = with_denied(stage, "kms", "Decrypt", message=said)
    assert (fault.status, fault.code) == (Status.FAULT, "ciphertext_wrong")


def test_a_region_where_an_action_is_denied_is_named(stage: Stage) -> None:
    doubt = with_denied(stage, "events", "ListRuleNamesByTarget", "eu-west-1")
    assert (doubt.check, doubt.region) == ("forward", "eu-west-1")
    assert doubt.facts["action"] == "events:ListRuleNamesByTarget"


def test_a_trail_that_may_not_be_looked_at_is_unknown_and_reported_once(stage: Stage) -> None:
    doubt = with_denied(stage, "cloudtrail", "GetEventSelectors")
    assert (doubt.check, doubt.facts["action"]) == ("trail", "cloudtrail:GetEventSelectors")


def test_variables_that_a_key_hides_are_unknown_and_not_called_changed(stage: Stage) -> None:
    def hide(parsed: dict[str, Any], **_: object) -> None:  # moto encrypts no variables
        if parsed["FunctionName"] == stage.function:
            error = {"ErrorCode": "AccessDeniedException", "Message": "KMS access was denied."}
            parsed["Environment"] = {"Error": error}

    with hooked(stage, "lambda", "after-call.*.GetFunctionConfiguration", hide):
        results = list(check_function(stage.deployment, stage.clients))
    (hidden,) = (result for result in results if result.status is not Status.OK)
    assert (hidden.status, hidden.code, hidden.handler) == (Status.UNKNOWN, "denied", "on_sign_in")
    assert hidden.facts["action"] == "kms:Decrypt"


def test_what_there_is_no_time_for_is_unknown(stage: Stage) -> None:
    results = list(run_checks(stage.deployment, stage.clients, until=time.monotonic()))
    assert {(result.status, result.code) for result in results} == {(Status.UNKNOWN, "no_time")}
    assert len(results) == len(CHECKS)


def test_both_ciphertexts_are_opened(stage: Stage) -> None:
    webhook = "https://hooks.slack.com/services/T0/B1/fake"
    blob = base64.b64decode(stage.aws.encrypt(webhook, stage.deployment.key_alias))
    results = stage.with_settings(critical_webhook_url_encrypted=blob).results()
    (wrong,) = [result for result in results if result.code == "ciphertext_wrong"]
    assert wrong.resource == "CRITICAL_WEBHOOK_URL_ENCRYPTED"  # bound to no context
    assert wrong.remedy == f"{SETUP} --critical-webhook\nchalice deploy --stage prod"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_a_console_is_that_of_the_region_s_partition(stage: Stage, region: str, host: str) -> None:
    stage.aws.reset()
    trail, *_ = stage.with_settings(sign_in_region=region).results(CHECKS[:1])
    assert trail.remedy == f"https://{host}/cloudtrailv2/home?region={region}#/create"


def test_an_empty_account_has_every_gap(stage: Stage) -> None:
    stage.aws.reset()
    codes = {fault.code for fault in stage.faults()}
    assert codes == {
        "trail_missing",
        "forward_missing",
        "rule_missing",
        "read_only_rule",
        "function_missing",
        "key_missing",
        "queue_missing",
        "logs_missing",
    }


def test_a_denied_action_is_named_and_says_nothing_of_the_link(
    aws: StrictAws, stage: Stage
) -> None:
    aws.limit("nobody", {"Statement": []})
    nobody = partial(aws.client, caller="nobody")
    results = list(run_checks(stage.deployment, nobody))
    assert not [result for result in results if result.code != "denied"]
    assert {result.check: result.facts["action"] for result in results} == {
        "trail": "cloudtrail:DescribeTrails",
        "forward": "ec2:DescribeRegions",
        "rule": "events:DescribeRule",
        "read_only_rule": "events:DescribeRule",
        "target": "events:ListTargetsByRule",
        "permission": "lambda:GetPolicy",
        "function": "lambda:GetFunctionConfiguration",
        "concurrency": "lambda:GetFunctionConcurrency",
        "retries": "lambda:GetFunctionEventInvokeConfig",
        "errors": "cloudwatch:GetMetricData",
        "key": "kms:DescribeKey",
        "ciphertext": "kms:Decrypt",
        "queue": "sqs:GetQueueUrl",
        "redelivery": "lambda:GetFunctionConfiguration",
        "logs": "logs:DescribeLogGroups",
    }


def test_without_an_answer_everything_is_unknown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # nobody listens there
    session = boto3.Session("testing", "testing")
    results = list(run_checks(stage.deployment, clients_of(session), CHECKS[:3]))
    assert {(result.status, result.code) for result in results} == {(Status.UNKNOWN, "no_answer")}


def test_looking_needs_no_right_but_those_listed_and_changes_nothing(stage: Stage) -> None:
    with_mention = set()

    def clients(service: str, region: str) -> object:
        client = stage.aws.client(service, region)
        client.meta.events.register(
            "before-call", lambda model, **_: with_mention.add(f"{service}:{model.name}")
        )
        return client

    list(run_checks(stage.deployment, clients))
    assert with_mention <= {*chain(*SELF_CHECK_ACTIONS.values()), "kms:Decrypt", "sqs:GetQueueUrl"}


@pytest.mark.parametrize(
    ("logging", "code", "remedy"),
    [
        (
            {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"},
            "log_level_high",
            "--logging-config LogFormat=JSON,ApplicationLogLevel=INFO",
        ),
        (
            {"LogGroup": "elsewhere"},
            "logs_elsewhere",
            "--logging-config LogGroup=/aws/lambda/signin-monitor-prod-on_sign_in",
        ),
    ],
)
def test_logging_that_loses_decisions_is_named_with_its_remedy(
    stage: Stage, logging: dict[str, str], code: str, remedy: str
) -> None:
    def configure_logging(parsed: dict[str, Any], **_: object) -> None:  # which moto does not keep
        parsed["LoggingConfig"] = logging

    with hooked(stage, "lambda", "after-call.*.GetFunctionConfiguration", configure_logging):
        result = next(check_function(stage.deployment, stage.clients))
    assert result.code == code
    assert result.remedy.endswith(remedy)


def test_a_bus_that_the_organisation_cannot_send_to_is_named(aws: EmbeddedAws) -> None:
    stage = Stage(aws, deployed_stage.build(aws, ORGANIZATION_ID="o-a1b2c3d4e5"))
    check = [check for check in CHECKS if check.name == "bus"]
    (found,) = stage.results(check)
    assert found.status is Status.FAULT
    assert found.remedy.endswith("regions --stage prod --apply --organization o-a1b2c3d4e5")
    statement = {
        "Sid": "signin-monitor-prod",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": stage.deployment.bus_arn,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    stage.client("events").put_permission(Policy=policy)
    (found,) = stage.results(check)
    assert found.status is Status.OK
