"""The tests' own AWS refuses what real AWS refuses."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from playground.aws import cloudtrail
from playground.catalogue import read
from tests.support import event_bridge
from tests.support.aws_rules import RULES
from tests.support.strict_aws import StrictAws

ROLE = "arn:aws:iam::123456789012:role/role"


def trust(**principal: object) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TRUST = trust(Service=[f"{name}.amazonaws.com" for name in ("events", "lambda")])
OTHER_TRUST = trust(AWS=f"{ROLE}-2")
READ_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@pytest.fixture(scope="module")
def running() -> Iterator[StrictAws]:
    with StrictAws() as aws:
        yield aws


@pytest.fixture
def aws(running: StrictAws, monkeypatch: pytest.MonkeyPatch) -> StrictAws:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    running.reset()
    return running


def put_role(aws: StrictAws, actions: tuple[str, ...]) -> None:
    iam = aws.client("iam")
    iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="role", PolicyName="role", PolicyDocument=policy)


def put_function(aws: StrictAws, *actions: str, **more: object) -> None:
    put_role(aws, actions)
    package = io.BytesIO()
    zipfile.ZipFile(package, "w").close()
    aws.client("lambda", caller="deployer").create_function(
        FunctionName="function",
        Role=ROLE,
        Runtime="python3.13",
        Handler="app.function",
        Timeout=60,
        Code={"ZipFile": package.getvalue()},
        **more,
    )


def map_queue(
    aws: StrictAws, *, hidden: int = 60, times: int = 1, rights: tuple[str, ...] = READ_QUEUE
) -> None:
    put_function(aws, *rights)
    aws.make_queue("queue", {"VisibilityTimeout": str(hidden)})
    for _ in range(times):
        aws.client("lambda", caller="deployer").create_event_source_mapping(
            EventSourceArn="arn:aws:sqs:us-east-1:123456789012:queue", FunctionName="function"
        )


def permit(aws: StrictAws, principal: str) -> None:
    put_function(aws, "events:PutEvents")
    aws.client("lambda", caller="deployer").add_permission(
        FunctionName="function",
        StatementId="1",
        Action="lambda:InvokeFunction",
        Principal=principal,
        SourceArn="arn:aws:events:us-east-1:123456789012:rule/rule",
    )


def look_up(aws: StrictAws, *looks: dict[str, Any]) -> None:
    trail = aws.client("cloudtrail", caller="app")
    token: dict[str, str] = {}
    for parameters in looks:
        answer = trail.lookup_events(**parameters, **token)
        token = {key: answer[key] for key in ("NextToken",) if key in answer}


def as_deployer(
    service: str, operation: str, **parameters: object
) -> Callable[[StrictAws], object]:
    return lambda aws: getattr(aws.client(service, caller="deployer"), operation)(**parameters)


def remembering(*looks: dict[str, Any]) -> Callable[[StrictAws], object]:
    def attempt(aws: StrictAws) -> None:
        for name in ("root-with-mfa", "saml-role"):
            cloudtrail.remember(aws.url, read(name), region="us-east-1")
        look_up(aws, *looks)

    return attempt


ATTEMPTS: dict[str, Callable[[StrictAws], object]] = {
    "a second event source mapping": lambda aws: map_queue(aws, times=2),
    "a mapping whose queue hides": lambda aws: map_queue(aws, hidden=59),
    "a mapping whose function's role": lambda aws: map_queue(aws, rights=READ_QUEUE[1:]),
    "a function in a VPC": lambda aws: put_function(
        aws,
        "ec2:CreateNetworkInterface",
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    ),
    "a queue's policy": as_deployer(
        "sqs", "create_queue", QueueName="queue", Attributes={"Policy": OTHER_TRUST}
    ),
    "a key's policy": as_deployer("kms", "create_key", Policy=OTHER_TRUST),
    "a bus's policy": as_deployer("events", "put_permission", Policy=OTHER_TRUST),
    "a function's policy": lambda aws: permit(aws, f"{ROLE}-2"),
    "a role's trust": as_deployer(
        "iam", "create_role", RoleName="role", AssumeRolePolicyDocument=OTHER_TRUST
    ),
    "a ciphertext whose key is gone": as_deployer(
        "kms", "decrypt", CiphertextBlob=b"0" * 36 + b"sealed"
    ),
    "more than two look-ups": remembering({}, {}, {}),
    "a page of more than 50": as_deployer("cloudtrail", "lookup_events", MaxResults=51),
    "a token that came with": remembering({"MaxResults": 1}, {"MaxResults": 2}),
}


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.code], ids=lambda rule: rule.code)
def test_it_refuses_what_aws_refuses_with_aws_s_own_code(rule: Any, aws: StrictAws) -> None:  # noqa: ANN401
    (attempt,) = (do for what, do in ATTEMPTS.items() if rule.refuses.startswith(what))
    with pytest.raises(ClientError) as refused:
        attempt(aws)
    assert refused.value.response["Error"]["Code"] == rule.code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == rule.status


def test_it_lets_a_right_deployment_pass_and_records_it(aws: StrictAws) -> None:
    map_queue(aws)
    assert aws.actions() == ["lambda:CreateFunction", "lambda:CreateEventSourceMapping"]
    assert aws.calls[0].parameters["FunctionName"] == "function"
    assert (aws.calls[0].caller, aws.calls[0].region) == ("deployer", "us-east-1")


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("kms", "ListKeys", "AccessDeniedException"),
        ("sqs", "ListQueues", "AccessDenied"),
        ("iam", "ListRoles", "AccessDenied"),
        ("ec2", "DescribeRegions", "UnauthorizedOperation"),
        ("lambda", "ListFunctions", "AccessDeniedException"),
        ("cloudwatch", "ListMetrics", "AccessDeniedException"),
    ],
)
def test_a_denied_action_is_refused_in_the_service_s_own_protocol(
    service: str, operation: str, code: str, aws: StrictAws
) -> None:
    aws.deny(f"{service}:{operation}", region="us-east-1")
    client = aws.client(service, caller="operator")
    with pytest.raises(ClientError, match="operator is not authorized to perform") as refused:
        client._make_api_call(operation, {})
    assert refused.value.response["Error"]["Code"] == code


def test_a_fault_ends_and_spares_the_test_s_own_calls(aws: StrictAws) -> None:
    aws.throttle("kms:ListKeys")
    with pytest.raises(ClientError, match="Rate exceeded"):
        aws.client("kms", caller="app").list_keys()
    assert aws.client("kms").list_keys()["Keys"] == []
    aws.clear()
    assert aws.client("kms", caller="app").list_keys()["Keys"] == []


def test_a_caller_with_a_policy_is_held_to_it(aws: StrictAws) -> None:
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["sqs:SendMessage", "sqs:GetQueueUrl"],
                "Resource": "arn:*:sqs:*:*:ours",
            }
        ]
    }
    aws.limit("app", policy)
    sqs = aws.client("sqs", caller="app")
    aws.make_queue("theirs")
    url = aws.make_queue("ours")
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "x"}])
    with pytest.raises(ClientError, match="is not authorized"):
        sqs.get_queue_url(QueueName="theirs")
    with pytest.raises(ClientError, match="is not authorized"):
        sqs.receive_message(QueueUrl=url)


def test_look_ups_are_limited_by_a_clock_that_a_test_may_set(
    aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter(range(0, 36_000, 3600))
    monkeypatch.setattr(cloudtrail, "clock", lambda: next(hours))
    look_up(aws, {}, {}, {}, {})


FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:function"
HOME_BUS = "arn:aws:events:us-east-1:123456789012:event-bus/default"
READS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"


def put_rule(aws: StrictAws, region: str, state: str = "ENABLED", **more: str) -> None:
    """Make a rule that calls the function at home, or forwards there."""
    target = {"Arn": FUNCTION} if region == "us-east-1" else {"Arn": HOME_BUS, "RoleArn": ROLE}
    events = aws.client("events", region)
    events.put_rule(
        Name="rule", State=state, **{"EventPattern": '{"source": ["aws.signin"]}', **more}
    )
    events.put_targets(Rule="rule", Targets=[{"Id": "1", **target}])


@pytest.fixture
def bus(aws: StrictAws) -> StrictAws:
    permit(aws, "events.amazonaws.com")
    for region in ("us-east-1", "eu-west-1"):
        put_rule(aws, region, READS)
    return aws


def invoked(aws: StrictAws, name: str = "aws-login-authorized") -> list[str]:
    """Return what an event that happened in Ireland invokes."""
    return event_bridge.invoked(aws.client, read(name), "eu-west-1")


def test_an_event_passes_a_forward_and_a_rule_to_the_function(bus: StrictAws) -> None:
    assert invoked(bus) == [FUNCTION]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_read_only_event_does_not_pass_a_rule_that_is_merely_enabled(
    bus: StrictAws, region: str
) -> None:
    put_rule(bus, region)
    assert invoked(bus) == []
    assert invoked(bus, "saml-role") == [FUNCTION]


BREAKS: dict[str, Callable[[StrictAws], object]] = {
    "a disabled rule": lambda aws: put_rule(aws, "us-east-1", "DISABLED"),
    "another pattern": lambda aws: put_rule(aws, "eu-west-1", EventPattern='{"source": ["a"]}'),
    "no permission": lambda aws: aws.client("lambda").remove_permission(
        FunctionName="function", StatementId="1"
    ),
    "a role without the right": lambda aws: aws.client("iam").delete_role_policy(
        RoleName="role", PolicyName="role"
    ),
    "a role that EventBridge may not assume": lambda aws: aws.client(
        "iam"
    ).update_assume_role_policy(RoleName="role", PolicyDocument=OTHER_TRUST),
}


@pytest.mark.parametrize("what", BREAKS)
def test_an_event_is_lost_by(what: str, bus: StrictAws) -> None:
    BREAKS[what](bus)
    assert invoked(bus, "saml-role") == []
