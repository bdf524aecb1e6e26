"""Each part of a stage, broken in turn in an embedded account: exactly that part is named."""

import base64
import io
import json
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from itertools import chain
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.backends import get_backend

from chalicelib.aws.clients import clients_of
from chalicelib.health.checks import CHECKS, run_checks
from chalicelib.health.deployment import Deployment
from chalicelib.health.description import fold
from chalicelib.health.function import check_function
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import SELF_CHECK_ACTIONS
from chalicelib.signin.events import ALL_EVENTS, SIGN_IN_PATTERN
from playground.aws.embedded import EmbeddedAws
from tests.support import deployed_stage
from tests.support.deployed_stage import QUEUE, TRAIL

Break = Callable[[EmbeddedAws, Deployment], object]
BREAKS: list[Any] = []


@pytest.fixture
def deployment(aws: EmbeddedAws) -> Deployment:
    return deployed_stage.build(aws)


def faults(deployment: Deployment, aws: EmbeddedAws) -> list[CheckResult]:
    return [
        result
        for result in run_checks(deployment, deployed_stage.clients(aws))
        if result.status is Status.FAULT
    ]


def breaks(code: str, remedy: str) -> Callable[[Break], Break]:
    """Keep a way to break a stage, the fault that it must give, and a part of the remedy."""

    def keep(break_it: Break) -> Break:
        BREAKS.append(pytest.param(break_it, code, remedy, id=break_it.__name__))
        return break_it

    return keep


def select(aws: EmbeddedAws, **selectors: Any) -> None:  # noqa: ANN401 — moto takes any JSON
    aws.client("cloudtrail").put_event_selectors(TrailName=TRAIL, **selectors)


@breaks("trail_missing", "cloudtrailv2/home?region=us-east-1#/create")
def no_trail(aws: EmbeddedAws, _: Deployment) -> None:
    aws.client("cloudtrail").delete_trail(Name=TRAIL)


@breaks("trail_stopped", "aws cloudtrail start-logging --region us-east-1 --name all-regions")
def trail_does_not_log(aws: EmbeddedAws, _: Deployment) -> None:
    aws.client("cloudtrail").stop_logging(Name=TRAIL)


@breaks("trail_without_sign_ins", "/cloudtrailv2/home?region=us-east-1#/trails/arn:aws:cloudtrail:")
def trail_logs_no_management_events(aws: EmbeddedAws, _: Deployment) -> None:
    select(aws, EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": False}])


@breaks("trail_without_sign_ins", "/cloudtrailv2/home?region=us-east-1#/trails/arn:aws:cloudtrail:")
def trail_logs_reads_only(aws: EmbeddedAws, _: Deployment) -> None:
    select(aws, EventSelectors=[{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}])


@breaks("trail_without_sign_ins", "/cloudtrailv2/home?region=us-east-1#/trails/arn:aws:cloudtrail:")
def trail_logs_data_events_only(aws: EmbeddedAws, _: Deployment) -> None:
    category = {"Field": "eventCategory", "Equals": ["Data"]}
    kind = {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}
    select(aws, AdvancedEventSelectors=[{"Name": "objects", "FieldSelectors": [category, kind]}])


@breaks("trail_without_sign_ins", "/cloudtrailv2/home?region=us-east-1#/trails/arn:aws:cloudtrail:")
def trail_leaves_sign_ins_out(aws: EmbeddedAws, _: Deployment) -> None:
    category = {"Field": "eventCategory", "Equals": ["Management"]}
    source = {"Field": "eventSource", "NotStartsWith": ["signin."]}
    select(aws, AdvancedEventSelectors=[{"Name": "some", "FieldSelectors": [category, source]}])


@breaks("trail_without_sign_ins", "/cloudtrailv2/home?region=us-east-1#/trails/arn:aws:cloudtrail:")
def trail_logs_one_session_s_events(aws: EmbeddedAws, _: Deployment) -> None:
    category = {"Field": "eventCategory", "Equals": ["Management"]}
    identity = {"Field": "userIdentity.arn", "Equals": ["arn:aws:iam::111122223333:role/ci"]}
    select(aws, AdvancedEventSelectors=[{"Name": "some", "FieldSelectors": [category, identity]}])


@breaks("forward_missing", "python -m ops regions --stage prod --apply")
def forward_removed(aws: EmbeddedAws, _: Deployment) -> None:
    events = aws.client("events", "eu-west-1")
    events.remove_targets(Rule="forward", Ids=["home"])
    events.delete_rule(Name="forward")


@breaks("forward_disabled", "aws events enable-rule --region eu-west-1 --name forward")
def forward_disabled(aws: EmbeddedAws, _: Deployment) -> None:
    aws.client("events", "eu-west-1").disable_rule(Name="forward")


@breaks("forward_without_role", "python -m ops regions --stage prod --apply")
def forward_without_a_role(aws: EmbeddedAws, deployment: Deployment) -> None:
    events = aws.client("events", "eu-west-1")
    target = {"Id": "home", "Arn": deployment.bus_arn}
    events.put_targets(Rule="forward", Targets=[target])


@breaks("forward_changes_event", "python -m ops regions --stage prod --apply")
def forward_rewrites_the_event(aws: EmbeddedAws, _: Deployment) -> None:
    events = aws.client("events", "eu-west-1")
    (target,) = events.list_targets_by_rule(Rule="forward")["Targets"]
    events.put_targets(Rule="forward", Targets=[{**target, "Input": '{"nothing": 1}'}])


@breaks("forward_retries_less", "python -m ops regions --stage prod --apply")
def forward_gives_up_at_once(aws: EmbeddedAws, _: Deployment) -> None:
    events = aws.client("events", "eu-west-1")
    (target,) = events.list_targets_by_rule(Rule="forward")["Targets"]
    policy = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}
    events.put_targets(Rule="forward", Targets=[{**target, "RetryPolicy": policy}])


@breaks("role_missing", "python -m ops regions --stage prod --apply")
def forward_names_a_role_that_does_not_exist(aws: EmbeddedAws, deployment: Deployment) -> None:
    events = aws.client("events", "eu-west-1")
    role = f"arn:aws:iam::{deployment.account_id}:role/nobody"
    target = {"Id": "home", "Arn": deployment.bus_arn, "RoleArn": role}
    events.put_targets(Rule="forward", Targets=[target])


@breaks("role_untrusted", "python -m ops regions --stage prod --apply")
def forwards_role_trusts_events_of_another_account(aws: EmbeddedAws, _: Deployment) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam").update_assume_role_policy(
        RoleName=deployed_stage.FORWARD_ROLE, PolicyDocument=document
    )


@breaks("forward_without_reads", "aws events put-rule --region eu-west-1 --name forward --state")
def forward_without_read_only_events(aws: EmbeddedAws, _: Deployment) -> None:
    aws.client("events", "eu-west-1").enable_rule(Name="forward")


@breaks("forward_partial", "python -m ops regions --stage prod --apply")
def forward_of_some_sign_ins_only(aws: EmbeddedAws, _: Deployment) -> None:
    pattern = {**SIGN_IN_PATTERN, "detail": {"eventName": ["ConsoleLogin"]}}
    aws.client("events", "eu-west-1").put_rule(Name="forward", EventPattern=json.dumps(pattern))


@breaks("rule_missing", "chalice deploy --stage prod")
def rule_removed(aws: EmbeddedAws, deployment: Deployment) -> None:
    events = aws.client("events")
    events.remove_targets(Rule=deployment.rule("on_sign_in"), Ids=["1"])
    events.delete_rule(Name=deployment.rule("on_sign_in"))


@breaks("rule_disabled", "aws events enable-rule --region us-east-1")
def rule_disabled(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("events").disable_rule(Name=deployment.rule("on_sign_in"))


@breaks("rule_disabled", "aws events enable-rule --region us-east-1")
def schedule_disabled(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("events").disable_rule(Name=deployment.rule("self_check"))


@breaks("rule_pattern", "chalice deploy --stage prod")
def pattern_spelt_as_in_the_documentation(aws: EmbeddedAws, deployment: Deployment) -> None:
    pattern = {"source": ["aws.signin"], "detail-type": ["AWS Console Signin via CloudTrail"]}
    aws.client("events").put_rule(
        Name=deployment.rule("on_sign_in"), EventPattern=json.dumps(pattern)
    )


@breaks("rule_pattern", "chalice deploy --stage prod")
def rule_on_a_schedule_instead(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("events").put_rule(
        Name=deployment.rule("on_sign_in"), ScheduleExpression="rate(1 day)"
    )


@breaks("rule_schedule", "chalice deploy --stage prod")
def schedule_changed_by_hand(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("events").put_rule(
        Name=deployment.rule("self_check"), ScheduleExpression="rate(300 days)"
    )


READ_ONLY_RULE = "signin-monitor-prod-read-only"


@breaks("read_only_rule", "python -m ops setup --stage prod")
def no_read_only_rule(aws: EmbeddedAws, _: Deployment) -> None:
    aws.client("events").remove_targets(Rule=READ_ONLY_RULE, Ids=["on_sign_in"])
    aws.client("events").delete_rule(Name=READ_ONLY_RULE)


@breaks("read_only_rule", "python -m ops setup --stage prod")
def read_only_rule_in_another_state(aws: EmbeddedAws, _: Deployment) -> None:
    aws.client("events").enable_rule(Name=READ_ONLY_RULE)


@breaks("read_only_rule", "python -m ops setup --stage prod")
def read_only_rule_without_permission(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("lambda").remove_permission(
        FunctionName=deployment.function("on_sign_in"), StatementId="read-only-events"
    )


@breaks("target_missing", "chalice deploy --stage prod")
def target_removed(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("events").remove_targets(Rule=deployment.rule("on_sign_in"), Ids=["1"])


@breaks("target_changes_event", "chalice deploy --stage prod")
def target_gives_another_input(aws: EmbeddedAws, deployment: Deployment) -> None:
    target = {"Id": "1", "Arn": deployment.function_arn("on_sign_in"), "InputPath": "$.detail"}
    aws.client("events").put_targets(Rule=deployment.rule("on_sign_in"), Targets=[target])


@breaks("permission_missing", "chalice deploy --stage prod")
def permission_removed(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("lambda").remove_permission(
        FunctionName=deployment.function("on_sign_in"), StatementId="events"
    )


@breaks("target_changes_event", "aws events remove-targets --region us-east-1 --rule")
def second_target_gives_another_input(aws: EmbeddedAws, deployment: Deployment) -> None:
    target = {"Id": "by-hand", "Arn": deployment.function_arn("on_sign_in"), "Input": "{}"}
    aws.client("events").put_targets(Rule=deployment.rule("on_sign_in"), Targets=[target])


@breaks("target_differs", "aws events remove-targets --region us-east-1 --rule")
def target_is_given_up_at_once(aws: EmbeddedAws, deployment: Deployment) -> None:
    arn = deployment.function_arn("on_sign_in")
    target = {"Id": "1", "Arn": arn, "RetryPolicy": {"MaximumRetryAttempts": 0}}
    aws.client("events").put_targets(Rule=deployment.rule("on_sign_in"), Targets=[target])


@breaks("permission_missing", "chalice deploy --stage prod")
def permission_for_another_account(aws: EmbeddedAws, deployment: Deployment) -> None:
    permission_removed(aws, deployment)
    aws.client("lambda").add_permission(
        FunctionName=deployment.function("on_sign_in"),
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceAccount="999999999999",
    )


@breaks("permission_missing", "chalice deploy --stage prod")
def permission_for_another_rule(aws: EmbeddedAws, deployment: Deployment) -> None:
    permission_removed(aws, deployment)
    aws.client("lambda").add_permission(
        FunctionName=deployment.function("on_sign_in"),
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=deployment.arn("events", "rule/another"),
    )


@breaks("permission_missing", "chalice deploy --stage prod")
def permission_for_another_organisation(aws: EmbeddedAws, deployment: Deployment) -> None:
    permission_removed(aws, deployment)
    aws.client("lambda").add_permission(
        FunctionName=deployment.function("on_sign_in"),
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=deployment.arn("events", f"rule/{deployment.rule('on_sign_in')}"),
        PrincipalOrgID="o-a1b2c3d4e5",
    )


def configure(aws: EmbeddedAws, deployment: Deployment, **settings: object) -> None:
    aws.client("lambda").update_function_configuration(
        FunctionName=deployment.function("on_sign_in"), **settings
    )


@breaks("function_failed", "chalice deploy --stage prod")
def function_out_of_order(aws: EmbeddedAws, deployment: Deployment) -> None:
    functions = get_backend("lambda")[deployment.account_id][aws.region]
    functions.get_function(deployment.function("on_sign_in")).state = "Failed"


@breaks("runtime_unsupported", "chalice deploy --stage prod")
def runtime_out_of_support(aws: EmbeddedAws, deployment: Deployment) -> None:
    configure(aws, deployment, Runtime="python3.8")


@breaks("timeout_short", "chalice deploy --stage prod")
def timeout_of_three_seconds(aws: EmbeddedAws, deployment: Deployment) -> None:
    configure(aws, deployment, Timeout=3)


@breaks("settings_differ", "chalice deploy --stage prod")
def setting_changed_by_hand(aws: EmbeddedAws, deployment: Deployment) -> None:
    changed = {**deployed_stage.variables(aws, deployment), "MINIMUM_SEVERITY": "critical"}
    configure(aws, deployment, Environment={"Variables": changed})


@breaks("settings_differ", "chalice deploy --stage prod")
def function_runs_another_handler(aws: EmbeddedAws, deployment: Deployment) -> None:
    configure(aws, deployment, Handler="app.audit_mfa")


@breaks("settings_differ", "chalice deploy --stage prod")
def variable_that_is_no_setting(aws: EmbeddedAws, deployment: Deployment) -> None:
    variables = deployed_stage.variables(aws, deployment)
    changed = {**variables, "AWS_LAMBDA_EXEC_WRAPPER": "/opt/steal"}
    configure(aws, deployment, Environment={"Variables": changed})


@breaks("code_differs", "chalice deploy --stage prod")
def code_of_one_function_changed(aws: EmbeddedAws, deployment: Deployment) -> None:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "on_sign_in = lambda *_: {'decision': 'posted'}")
    aws.client("lambda").update_function_code(
        FunctionName=deployment.function("on_sign_in"), ZipFile=package.getvalue()
    )


@breaks("layers_added", "aws lambda update-function-configuration --region us-east-1")
def layer_added(aws: EmbeddedAws, deployment: Deployment) -> None:
    layer = aws.client("lambda").publish_layer_version(LayerName="opt", Content={"ZipFile": b"opt"})
    configure(aws, deployment, Layers=[layer["LayerVersionArn"]])


@breaks("retries_fewer", "aws lambda delete-function-event-invoke-config --region us-east-1")
def failures_not_tried_again(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=deployment.function("on_sign_in"),
        MaximumRetryAttempts=0,
        MaximumEventAgeInSeconds=60,
    )


@breaks("settings_differ", "chalice deploy --stage prod")
def setting_removed_by_hand(aws: EmbeddedAws, deployment: Deployment) -> None:
    changed = {**deployed_stage.variables(aws, deployment), "WEBHOOK_URL_ENCRYPTED": ""}
    configure(aws, deployment, Environment={"Variables": changed})


@breaks("concurrency_zero", "aws lambda delete-function-concurrency --region us-east-1")
def function_throttled_to_nothing(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("lambda").put_function_concurrency(
        FunctionName=deployment.function("on_sign_in"), ReservedConcurrentExecutions=0
    )


def measure(
    aws: EmbeddedAws, space: str, metric: str, value: float, ago: int = 5, **dimension: str
) -> None:
    dimensions = [{"Name": name, "Value": of} for name, of in dimension.items()]
    datum = {"MetricName": metric, "Dimensions": dimensions, "Value": value}
    aws.client("cloudwatch").put_metric_data(
        Namespace=space,
        MetricData=[{**datum, "Timestamp": datetime.now(UTC) - timedelta(minutes=ago)}],
    )


@breaks("errors_seen", "aws logs tail /aws/lambda/signin-monitor-prod-on_sign_in")
def function_failed_lately(aws: EmbeddedAws, deployment: Deployment) -> None:
    name = deployment.function("on_sign_in")
    measure(aws, "AWS/Lambda", "Errors", 3, FunctionName=name)


@breaks("throttles_seen", "aws logs tail /aws/lambda/signin-monitor-prod-on_undelivered")
def function_throttled_lately(aws: EmbeddedAws, deployment: Deployment) -> None:
    name = deployment.function("on_undelivered")
    measure(aws, "AWS/Lambda", "Throttles", 1, FunctionName=name)


def key_id(aws: EmbeddedAws, deployment: Deployment) -> str:
    found: str = aws.client("kms").describe_key(KeyId=deployment.key_alias)["KeyMetadata"]["KeyId"]
    return found


@breaks("key_disabled", "aws kms enable-key --region us-east-1 --key-id")
def key_disabled(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("kms").disable_key(KeyId=key_id(aws, deployment))


@breaks("key_pending_deletion", "aws kms cancel-key-deletion --region us-east-1 --key-id")
def key_about_to_be_deleted(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("kms").schedule_key_deletion(KeyId=key_id(aws, deployment))


@breaks("key_missing", "python -m ops setup --stage prod")
def alias_removed(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("kms").delete_alias(AliasName=deployment.key_alias)


@breaks(
    "ciphertext_of_other_key",
    "python -m ops setup --stage prod --rotate-webhook\nchalice deploy --stage prod",
)
def alias_moved_to_another_key(aws: EmbeddedAws, deployment: Deployment) -> None:
    kms = aws.client("kms")
    kms.update_alias(
        AliasName=deployment.key_alias, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"]
    )


@breaks("queue_missing", "python -m ops setup --stage prod")
def queue_removed(aws: EmbeddedAws, _: Deployment) -> None:
    sqs = aws.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"])


def park(aws: EmbeddedAws) -> None:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", DelaySeconds=900)  # else moto would run it


def held(aws: EmbeddedAws, *minutes: int) -> None:
    park(aws)
    for ago in minutes:
        for metric, value in (("Visible", 0), ("NotVisible", 1)):
            name = f"ApproximateNumberOfMessages{metric}"
            measure(aws, "AWS/SQS", name, value, ago, QueueName=QUEUE)


@breaks("queue_stuck", "aws logs tail /aws/lambda/signin-monitor-prod-on_undelivered")
def queue_was_never_empty_for_20_minutes(aws: EmbeddedAws, _: Deployment) -> None:
    held(aws, 6, 11, 16, 21)


def test_a_message_that_was_parked_a_minute_ago_is_no_fault(
    deployment: Deployment, aws: EmbeddedAws
) -> None:
    held(aws, 2, 6)
    assert faults(deployment, aws) == []


def mapping_id(aws: EmbeddedAws) -> str:
    found: str = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"][0]["UUID"]
    return found


@breaks("redelivery_disabled", "aws lambda update-event-source-mapping --region us-east-1 --uuid")
def redelivery_disabled(aws: EmbeddedAws, _: Deployment) -> None:
    aws.client("lambda").update_event_source_mapping(UUID=mapping_id(aws), Enabled=False)


@breaks("redelivery_filters", "aws lambda update-event-source-mapping --region us-east-1 --uuid")
def redelivery_of_nothing(aws: EmbeddedAws, _: Deployment) -> None:
    filters = [{"Pattern": '{"body": ["nothing"]}'}]
    aws.client("lambda").update_event_source_mapping(
        UUID=mapping_id(aws), FilterCriteria={"Filters": filters}
    )


@breaks("redelivery_missing", "chalice deploy --stage prod")
def redelivery_removed(aws: EmbeddedAws, _: Deployment) -> None:
    aws.client("lambda").delete_event_source_mapping(UUID=mapping_id(aws))


@breaks("logs_missing", "chalice deploy --stage prod")
def log_group_removed(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("logs").delete_log_group(logGroupName=deployment.log_group("on_sign_in"))


@breaks("logs_kept_for_ever", "aws logs put-retention-policy --region us-east-1 --log-group-name")
def logs_never_expire(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.client("logs").delete_retention_policy(logGroupName=deployment.log_group("on_sign_in"))


def test_a_whole_stage_has_no_fault_and_nothing_unknown(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    results = list(run_checks(deployment, deployed_stage.clients(aws)))
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
    aws: EmbeddedAws, deployment: Deployment, break_it: Break, code: str, remedy: str
) -> None:
    break_it(aws, deployment)
    (fault,) = fold(faults(deployment, aws))
    assert fault.code == code
    assert remedy in fault.remedy


def test_without_any_trail_each_region_is_named_and_one_remedy_given(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    no_trail(aws, deployment)
    found = faults(deployment, aws)
    assert {fault.region for fault in found} == {"us-east-1", "eu-west-1", "sa-east-1"}
    assert len({fault.remedy for fault in found}) == 1


def test_one_trail_stopped_is_reported_once_whatever_the_number_of_regions(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    aws.client("cloudtrail").stop_logging(Name=TRAIL)
    assert [fault.resource for fault in faults(deployment, aws)] == [TRAIL]


def test_a_trail_of_one_region_leaves_the_others_without(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    aws.client("cloudtrail").update_trail(Name=TRAIL, IsMultiRegionTrail=False)
    found = {fault.region: fault.code for fault in faults(deployment, aws)}
    assert found == {"eu-west-1": "trail_missing", "sa-east-1": "trail_missing"}


def test_a_trail_in_each_region_is_as_good_as_a_trail_for_all(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    aws.client("cloudtrail").update_trail(Name=TRAIL, IsMultiRegionTrail=False)
    for region in ("eu-west-1", "sa-east-1"):
        cloudtrail = aws.client("cloudtrail", region)
        cloudtrail.create_trail(Name=region, S3BucketName="trail")
        cloudtrail.start_logging(Name=region)
    assert not faults(deployment, aws)


def test_a_trail_that_selects_sign_ins_in_other_words_will_do(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    category = {"Field": "eventCategory", "Equals": ["Management"]}
    writes = {"Field": "readOnly", "Equals": ["false"]}
    source = {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"], "EndsWith": [".com"]}
    fields = [category, writes, source]
    select(aws, AdvancedEventSelectors=[{"Name": "some", "FieldSelectors": fields}])
    assert not faults(deployment, aws)


def test_a_forward_of_more_than_the_app_asks_for_will_do(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    events = aws.client("events", "eu-west-1")
    pattern = '{"source": ["aws.signin", "aws.iam"]}'
    events.put_rule(Name="forward", EventPattern=pattern, State=ALL_EVENTS)
    assert not faults(deployment, aws)


def test_one_rule_in_the_state_that_matches_all_events_will_do(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    """As a stage deployed by CloudFormation has it."""
    no_read_only_rule(aws, deployment)
    aws.client("events").put_rule(
        Name=deployment.rule("on_sign_in"),
        EventPattern=json.dumps(SIGN_IN_PATTERN),
        State=ALL_EVENTS,
    )
    assert not faults(deployment, aws)


def test_what_waits_in_the_queue_for_minutes_only_is_no_fault(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    park(aws)
    measure(aws, "AWS/SQS", "ApproximateAgeOfOldestMessage", 60, QueueName=QUEUE)
    assert not faults(deployment, aws)


def test_a_stage_without_a_queue_has_no_check_of_a_queue(aws: EmbeddedAws) -> None:
    deployment = deployed_stage.build(aws, UNDELIVERED_QUEUE="")
    results = list(run_checks(deployment, deployed_stage.clients(aws)))
    assert {result.status for result in results} == {Status.OK}
    assert not {"queue", "redelivery"} & {result.check for result in results}


def test_a_ciphertext_of_something_else_than_a_webhook_is_reported_and_stays_secret(
    aws: EmbeddedAws,
) -> None:
    deployment = deployed_stage.build(aws, "https://example.com/services/T0/B0/fake")
    (fault,) = faults(deployment, aws)
    assert fault.code == "webhook_unusable"
    assert "on another host than WEBHOOK_HOSTS names" in fault.facts["why"]
    assert "T0" not in str(fault)


def with_denied(
    aws: EmbeddedAws,
    deployment: Deployment,
    service: str,
    operation: str,
    region: str,
    message: str = "",
) -> CheckResult:
    """Check with an action denied in a region; return the one result that is not ok then."""

    def deny(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "AccessDeniedException", "Message": message}}, operation
        )

    calls = deployed_stage.clients(aws)(service, region).meta.events
    calls.register(f"before-call.*.{operation}", deny)
    results = list(run_checks(deployment, deployed_stage.clients(aws)))
    calls.unregister(f"before-call.*.{operation}", deny)
    (other,) = [result for result in results if result.status is not Status.OK]
    return other


def test_a_ciphertext_that_kms_knows_no_key_for_is_a_fault(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    said = (
        "The ciphertext refers to a customer master key that does not exist, does not exist in "
        "this region, or you are not allowed to access."
    )
    fault = with_denied(aws, deployment, "kms", "Decrypt", "us-east-1", said)
    assert (fault.status, fault.code) == (Status.FAULT, "ciphertext_wrong")


def test_a_region_where_an_action_is_denied_is_named(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    doubt = with_denied(aws, deployment, "events", "ListRuleNamesByTarget", "eu-west-1")
    assert (doubt.check, doubt.region) == ("forward", "eu-west-1")
    assert doubt.facts["action"] == "events:ListRuleNamesByTarget"


def test_a_trail_that_may_not_be_looked_at_is_unknown_and_reported_once(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    doubt = with_denied(aws, deployment, "cloudtrail", "GetEventSelectors", "us-east-1")
    assert (doubt.check, doubt.facts["action"]) == ("trail", "cloudtrail:GetEventSelectors")


def test_variables_that_a_key_hides_are_unknown_and_not_called_changed(
    deployment: Deployment, aws: EmbeddedAws
) -> None:
    def hide(parsed: dict[str, Any], **_: object) -> None:  # moto encrypts no variables
        if parsed["FunctionName"] == deployment.function("on_sign_in"):
            error = {"ErrorCode": "AccessDeniedException", "Message": "KMS access was denied."}
            parsed["Environment"] = {"Error": error}

    calls = deployed_stage.clients(aws)("lambda", deployed_stage.HOME).meta.events
    calls.register("after-call.*.GetFunctionConfiguration", hide)
    results = list(check_function(deployment, deployed_stage.clients(aws)))
    calls.unregister("after-call.*.GetFunctionConfiguration", hide)
    (hidden,) = (result for result in results if result.status is not Status.OK)
    assert (hidden.status, hidden.code, hidden.handler) == (Status.UNKNOWN, "denied", "on_sign_in")
    assert hidden.facts["action"] == "kms:Decrypt"


def test_what_there_is_no_time_for_is_unknown(deployment: Deployment, aws: EmbeddedAws) -> None:
    results = list(run_checks(deployment, aws.client, until=time.monotonic()))
    assert {(result.status, result.code) for result in results} == {(Status.UNKNOWN, "no_time")}
    assert len(results) == len(CHECKS)


def test_both_ciphertexts_are_opened(aws: EmbeddedAws, deployment: Deployment) -> None:
    blob = aws.encrypt("https://hooks.slack.com/services/T0/B1/fake", deployment.key_alias)
    settings = replace(deployment.settings, critical_webhook_url_encrypted=base64.b64decode(blob))
    results = run_checks(replace(deployment, settings=settings), deployed_stage.clients(aws))
    (wrong,) = [result for result in results if result.code == "ciphertext_wrong"]
    assert wrong.resource == "CRITICAL_WEBHOOK_URL_ENCRYPTED"  # bound to no context
    assert (
        wrong.remedy
        == "python -m ops setup --stage prod --critical-webhook\nchalice deploy --stage prod"
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_a_console_is_that_of_the_region_s_partition(
    deployment: Deployment, aws: EmbeddedAws, region: str, host: str
) -> None:
    aws.reset()
    settings = replace(deployment.settings, sign_in_region=region)
    trail, *_ = run_checks(replace(deployment, settings=settings), aws.client, [CHECKS[0]])
    assert trail.remedy == f"https://{host}/cloudtrailv2/home?region={region}#/create"


def test_an_empty_account_has_every_gap(aws: EmbeddedAws, deployment: Deployment) -> None:
    aws.reset()
    codes = {fault.code for fault in faults(deployment, aws)}
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


def check_rights(aws: EmbeddedAws, after: str) -> None:
    """Let moto check the rights of whoever calls, after so many calls."""
    with closing(HTTPConnection(aws.url.removeprefix("http://"))) as connection:
        connection.request("POST", "/moto-api/reset-auth", after)
        assert connection.getresponse().status == 200


def test_a_denied_action_is_named_and_says_nothing_of_the_link(
    aws: EmbeddedAws, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.client("iam").create_user(UserName="nobody")
    key = aws.client("iam").create_access_key(UserName="nobody")["AccessKey"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"])
    check_rights(aws, "0")
    results = list(run_checks(deployment, clients_of(session)))
    check_rights(aws, "inf")
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
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")  # nobody listens there
    session = boto3.Session("testing", "testing")
    results = list(run_checks(deployment, clients_of(session), CHECKS[:3]))
    assert {(result.status, result.code) for result in results} == {(Status.UNKNOWN, "no_answer")}


def test_looking_needs_no_right_but_those_listed_and_changes_nothing(
    aws: EmbeddedAws, deployment: Deployment
) -> None:
    with_mention = set()

    def clients(service: str, region: str) -> object:
        client = aws.client(service, region)
        client.meta.events.register(
            "before-call", lambda model, **_: with_mention.add(f"{service}:{model.name}")
        )
        return client

    list(run_checks(deployment, clients))
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
    aws: EmbeddedAws, deployment: Deployment, logging: dict[str, str], code: str, remedy: str
) -> None:
    def configure_logging(parsed: dict[str, Any], **_: object) -> None:  # which moto does not keep
        parsed["LoggingConfig"] = logging

    def clients(service: str, region: str) -> Any:  # noqa: ANN401 — any client
        client = aws.client(service, region)
        client.meta.events.register("after-call.lambda.GetFunctionConfiguration", configure_logging)
        return client

    result = next(check_function(deployment, clients))
    assert result.code == code
    assert result.remedy.endswith(remedy)


def test_a_bus_that_the_organisation_cannot_send_to_is_named(aws: EmbeddedAws) -> None:
    deployment = deployed_stage.build(aws, ORGANIZATION_ID="o-a1b2c3d4e5")
    check = [check for check in CHECKS if check.name == "bus"]
    (found,) = run_checks(deployment, deployed_stage.clients(aws), check)
    assert found.status is Status.FAULT
    assert found.remedy.endswith("regions --stage prod --apply --organization o-a1b2c3d4e5")
    statement = {
        "Sid": "signin-monitor-prod",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": deployment.bus_arn,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    aws.client("events").put_permission(Policy=policy)
    (found,) = run_checks(deployment, deployed_stage.clients(aws), check)
    assert found.status is Status.OK
