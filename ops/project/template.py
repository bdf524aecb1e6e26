"""A stage as a plain CloudFormation template, made from the resources that Chalice would deploy.

Every resource has the name that Chalice gives it: the policies, the alarms, `doctor` and the
self-check look for these names, and `chalice package` leaves them to CloudFormation.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from chalice.deploy import models

from chalicelib import __version__
from chalicelib.signin.events import ALL_EVENTS
from ops.project.deployed_resources import VERSION_TAG

Properties = dict[str, Any]

_TARGET_ID: Final = "1"  # Chalice's own, so that a rule can pass between the two


def stage_template(
    resources: Iterable[models.Model],
    *,
    package: str,
    tags: Mapping[str, str],
    boundary: str,
    description: str,
) -> Properties:
    """Return the template of a stage's resources.

    `package` is the path of the functions' archive, beside the template: `aws cloudformation
    package` uploads it and puts the object's place there. `tags` go on everything, on the functions
    with the release. `boundary` bounds the roles, unless it is empty.
    """
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    release = {"Key": VERSION_TAG, "Value": __version__}
    made: dict[str, Properties] = {}
    for resource in resources:
        match resource:
            case models.ManagedIAMRole():
                bounded = {"PermissionsBoundary": boundary} if boundary else {}
                made[_id(resource)] = _resource("IAM::Role", _role(resource) | bounded, listed)
            case models.LogGroup():
                made[_id(resource)] = _resource("Logs::LogGroup", _log_group(resource), listed)
            case models.LambdaFunction():
                properties = _function(resource) | {"Code": package}
                made[_id(resource)] = _resource("Lambda::Function", properties, [*listed, release])
                if resource.log_group:  # else the function's first line makes it, untagged
                    made[_id(resource)]["DependsOn"] = _id(resource.log_group)
            case models.CloudWatchEventBase():
                made[_id(resource)] = _resource("Events::Rule", _rule(resource), listed)
                made[f"{_id(resource)}Permission"] = _resource(
                    "Lambda::Permission", _permission(resource)
                )
            case models.SQSEventSource():
                made[_id(resource)] = _resource(
                    "Lambda::EventSourceMapping", _mapping(resource), listed
                )
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
        # W3002 says that a path needs `aws cloudformation package`, which is how it is deployed.
        "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["W3002"]}}},
        "Resources": made,
    }


def _id(resource: models.ManagedModel) -> str:
    return "".join(word.title() for word in re.split("[-_]", resource.resource_name))


def _resource(
    kind: str, properties: Properties, tags: list[dict[str, str]] | None = None
) -> Properties:
    return {
        "Type": f"AWS::{kind}",
        "Properties": properties | ({"Tags": tags} if tags else {}),
    }


def _role(role: models.ManagedIAMRole) -> Properties:
    return {
        "RoleName": role.role_name,
        "AssumeRolePolicyDocument": role.trust_policy,
        "Policies": [{"PolicyName": role.role_name, "PolicyDocument": role.policy.document}],
    }


def _log_group(group: models.LogGroup) -> Properties:
    return {"LogGroupName": group.log_group_name, "RetentionInDays": group.retention_in_days}


def _function(function: models.LambdaFunction) -> Properties:
    role = function.role
    properties: Properties = {
        "FunctionName": function.function_name,
        "Handler": function.handler,
        "Runtime": function.runtime,
        "Architectures": [function.architecture],
        "Role": role.role_arn
        if isinstance(role, models.PreCreatedIAMRole)
        else {"Fn::GetAtt": [_id(cast("models.ManagedIAMRole", role)), "Arn"]},
        "Timeout": function.timeout,
        "MemorySize": function.memory_size,
        "Environment": {"Variables": function.environment_variables},
        "TracingConfig": {"Mode": "Active" if function.xray else "PassThrough"},
    }
    if function.subnet_ids:
        properties["VpcConfig"] = {
            "SubnetIds": function.subnet_ids,
            "SecurityGroupIds": function.security_group_ids,
        }
    if function.reserved_concurrency is not None:
        properties["ReservedConcurrentExecutions"] = function.reserved_concurrency
    return properties


def _rule(rule: models.CloudWatchEventBase) -> Properties:
    asks: Properties
    match rule:
        case models.CloudWatchEvent():
            asks = {"EventPattern": json.loads(rule.event_pattern), "State": ALL_EVENTS}
        case models.ScheduledEvent():
            asks = {"ScheduleExpression": rule.schedule_expression, "State": "ENABLED"}
        case _:
            raise TypeError(rule)
    target = {"Id": _TARGET_ID, "Arn": {"Fn::GetAtt": [_id(rule.lambda_function), "Arn"]}}
    return {"Name": rule.rule_name, **asks, "Targets": [target]}


def _permission(rule: models.CloudWatchEventBase) -> Properties:
    return {
        "FunctionName": {"Ref": _id(rule.lambda_function)},
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": [_id(rule), "Arn"]},
    }


def _mapping(source: models.SQSEventSource) -> Properties:
    queue = f"arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:{source.queue}"
    return {
        "EventSourceArn": {"Fn::Sub": queue},
        "FunctionName": {"Ref": _id(source.lambda_function)},
        "BatchSize": source.batch_size,
        "MaximumBatchingWindowInSeconds": source.maximum_batching_window_in_seconds,
        "ScalingConfig": {"MaximumConcurrency": source.maximum_concurrency},
    }
