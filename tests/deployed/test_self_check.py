"""The self-check as AWS would run it: deployed, on its schedule, each link broken in turn."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from chalicelib.health import deployment as health
from chalicelib.health.checks import run_checks
from chalicelib.health.result import Status
from chalicelib.health.rights import SELF_CHECK_ACTIONS
from chalicelib.settings import Settings
from chalicelib.signin.events import ALL_EVENTS, SIGN_IN_PATTERN
from playground.aws import cloudtrail
from playground.aws.deployment import Deployment
from playground.aws.embedded import ACCOUNT_ID
from playground.aws.runtime import LambdaFunction
from playground.aws.settings import provision
from playground.slack.receiver import Receiver
from tests.support import deployed_stage
from tests.support.in_process import Project
from tests.support.records import event, happened
from tests.support.strict_aws import StrictAws

pytestmark = [
    pytest.mark.xdist_group("deployed self-check"),
    pytest.mark.usefixtures("quick_history"),
]
RULE = "signin-monitor-prod-on_sign_in-event"
FUNCTION = "signin-monitor-prod-on_sign_in"
LOG_GROUP = "/aws/lambda/signin-monitor-prod-self_check"


@pytest.fixture(scope="module")
def deployment(
    aws: StrictAws, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    project = Project(tmp_path_factory.mktemp("self-check"))
    settings = provision("prod", aws=aws, receiver=receiver)
    project.configure("prod", settings | {"SELF_CHECK_SCHEDULE": "rate(1 hour)"})
    return project.deploy("prod", aws=aws)


@pytest.fixture(scope="module")
def whole_stage(aws: StrictAws, deployment: Deployment) -> health.Deployment:
    whole = health.Deployment(
        settings=Settings.from_environment(deployment.environment("self_check")),
        account_id=ACCOUNT_ID,
        pattern=SIGN_IN_PATTERN,
    )
    deployed_stage.trail(aws)
    deployed_stage.read_only_rule(aws, whole)
    deployed_stage.forwards(aws, whole)
    return whole


class SelfCheck:
    """The deployed function, run by hand; what it logs goes to its log group."""

    def __init__(self, function: LambdaFunction, aws: StrictAws, receiver: Receiver) -> None:
        self._function = function
        self._aws = aws
        self._receiver = receiver

    def run(self) -> list[str]:
        """Return what was posted to the channel."""
        self._receiver.forget()
        schedule = {
            "version": "0",
            "id": f"run-{time.time_ns()}",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": ACCOUNT_ID,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": "us-east-1",
            "resources": [],
            "detail": {},
        }
        result = self._function.invoke(schedule)
        assert result.error is None, result.log
        logs, stream = self._aws.client("logs"), f"2026/11/27/[$LATEST]{time.time_ns():032x}"
        logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
        at = int(time.time() * 1000)
        lines = [{"timestamp": at, "message": line} for line in result.log if line]
        logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=lines)
        return [str(post.payload["text"]) for post in self._receiver.messages]


@pytest.fixture(scope="module")
def self_check(
    aws: StrictAws, deployment: Deployment, whole_stage: health.Deployment, receiver: Receiver
) -> Iterator[SelfCheck]:
    assert whole_stage
    environment = aws.function_environment("signin-monitor-prod-self_check")
    with LambdaFunction(deployment.package, "app.self_check", environment) as function:
        made = SelfCheck(function, aws, receiver)
        made.run()  # the first run says that it has begun
        yield made


def sign_in(aws: StrictAws, region: str) -> None:
    """Let root sign in, half an hour ago, and EventBridge never hear of it."""
    at, event_id = datetime.now(UTC) - timedelta(minutes=30), f"{region}-{time.time_ns()}"
    root = happened(event("root-without-mfa"), at, awsRegion=region, eventID=event_id)
    cloudtrail.remember(aws.url, root)


def test_a_real_deployment_has_no_fault(aws: StrictAws, whole_stage: health.Deployment) -> None:
    results = list(run_checks(whole_stage, deployed_stage.clients(aws)))
    assert [result for result in results if result.status is not Status.OK] == []


def test_it_has_the_memory_and_processor_to_speak_to_every_region(deployment: Deployment) -> None:
    assert deployment.functions["self_check"]["MemorySize"] == 512


def test_its_role_may_read_what_it_looks_at_and_write_nothing_but_its_log_and_queue(
    aws: StrictAws, deployment: Deployment
) -> None:
    role = deployment.functions["self_check"]["Role"].rpartition("/")[2]
    policy = aws.client("iam").get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    unset = ("Bus", "Table")  # the stage has neither an organization nor a baseline
    of_the_stage = (actions for at, actions in SELF_CHECK_ACTIONS.items() if at not in unset)
    read = set(chain(*of_the_stage))
    assert read <= allowed
    assert allowed - read == {
        "kms:Decrypt",
        "logs:CreateLogGroup",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:GetQueueUrl",
        "sqs:SendMessage",
    }


Change = Callable[[StrictAws], object]


def rule(verb: str, name: str, region: str) -> Change:
    return lambda aws: getattr(aws.client("events", region), f"{verb}_rule")(Name=name)


def forward_everything(aws: StrictAws) -> None:
    """Switch Ireland's forward on as `regions --apply` does: EnableRule would lose the state."""
    pattern = json.dumps(SIGN_IN_PATTERN)
    aws.client("events", "eu-west-1").put_rule(
        Name="forward", EventPattern=pattern, State=ALL_EVENTS
    )


@pytest.mark.parametrize(
    ("break_it", "repair_it", "region", "fault", "cause"),
    [
        (
            rule("disable", RULE, "us-east-1"),
            rule("enable", RULE, "us-east-1"),
            "us-east-1",
            f"The rule {RULE} is disabled.",
            "The rule in the home region is missing or disabled, or has a different event pattern.",
        ),
        (
            rule("disable", "forward", "eu-west-1"),
            forward_everything,
            "eu-west-1",
            "The rule forward, which forwards the sign-ins in eu-west-1, is disabled.",
            "Its region does not forward sign-ins to the home region.",
        ),
    ],
    ids=["rule", "forward"],
)
def test_a_sign_in_lost_on_its_way_is_posted_once_with_the_cause_and_so_is_the_fault(
    aws: StrictAws,
    self_check: SelfCheck,
    receiver: Receiver,
    break_it: Change,
    repair_it: Change,
    region: str,
    fault: str,
    cause: str,
) -> None:
    break_it(aws)
    sign_in(aws, region)
    late, new = self_check.run()
    assert late.startswith("<!here> [Critical] Root user signed in to prod (111122223333)")
    assert cause in str(receiver.messages[0].payload)
    assert fault in new
    assert self_check.run() == []
    repair_it(aws)
    (resolved,) = self_check.run()
    assert resolved.startswith("Fixed in account 123456789012: ")
    assert self_check.run() == []
