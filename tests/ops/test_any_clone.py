"""A stage that several clones deploy, change and delete, none of which has the others' record."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib import __version__
from playground.aws.deployment import ProjectCopy
from playground.aws.settings import provision
from playground.slack.receiver import Receiver
from tests.support.cli import Cli
from tests.support.strict_aws import StrictAws

PROD = ("--stage", "prod")
FUNCTION = "signin-monitor-prod-on_sign_in"
Clone = Callable[..., Cli]


@pytest.fixture
def clone(aws: StrictAws, tmp_path: Path) -> Clone:
    """Make a clone of the project with the stage's settings, some of them changed."""
    with Receiver() as receiver:
        settings = provision("prod", aws=aws, receiver=receiver)

    def make(**changes: str) -> Cli:
        project = ProjectCopy(tmp_path / str(len(list(tmp_path.iterdir()))))
        project.configure("prod", settings | changes)
        return Cli(project, aws)

    return make


def deployed(aws: StrictAws) -> dict[str, int]:
    functions, events, iam = aws.client("lambda"), aws.client("events"), aws.client("iam")
    return {
        "functions": len(functions.list_functions()["Functions"]),
        "mappings": len(functions.list_event_source_mappings()["EventSourceMappings"]),
        "rules": len(events.list_rules()["Rules"]),
        "roles": len(iam.list_roles()["Roles"]),
    }


def do(cli: Cli, *arguments: str) -> str:
    answer = cli.chalice(*arguments, *PROD)
    assert answer.status == 0, answer.text
    return answer.text


def test_any_clone_deploys_changes_and_deletes(clone: Clone, aws: StrictAws) -> None:
    checked = {"SELF_CHECK_SCHEDULE": "rate(1 hour)"}
    whole = {"functions": 3, "mappings": 1, "rules": 2, "roles": 3}
    do(clone(**checked), "deploy")
    assert deployed(aws) == whole
    do(clone(**checked), "deploy")
    assert deployed(aws) == whole
    do(clone(), "deploy")  # without the schedule
    assert deployed(aws) == {"functions": 2, "mappings": 1, "rules": 1, "roles": 2}
    do(clone(), "delete")
    assert not any(deployed(aws).values())


def test_another_queue_replaces_the_mapping_whoever_deploys(clone: Clone, aws: StrictAws) -> None:
    do(clone(), "deploy")
    aws.make_queue("other", {"VisibilityTimeout": "420"})
    do(clone(UNDELIVERED_QUEUE="other"), "deploy")
    (mapping,) = aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"].endswith(":other")


def test_the_record_is_read_again_in_the_same_command(clone: Clone) -> None:
    do(clone(), "deploy")
    second = clone()
    (second.project.path.parent / "elsewhere").mkdir()
    answer = second.chalice(
        "--project-dir", f"../{second.project.path.name}", "dev", "plan", *PROD, cwd="../elsewhere"
    )
    assert answer.status == 0, answer.text
    assert "create_event_source" not in answer.text
    assert "update_lambda_event_source" in answer.text


def test_nothing_is_changed_while_aws_does_not_say_what_is_deployed(
    clone: Clone, aws: StrictAws
) -> None:
    cli = clone()
    do(cli, "deploy")
    before = deployed(aws)
    aws.deny("lambda:ListEventSourceMappings")
    for command in ("deploy", "delete"):
        answer = cli.chalice(command, *PROD)
        assert answer.status == 1
        assert len(answer.text.splitlines()) == 1
        assert "AWS denies lambda:ListEventSourceMappings" in answer.text
    assert deployed(aws) == before


def test_an_older_release_is_deployed_only_if_agreed_to(
    clone: Clone, aws: StrictAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(clone(), "deploy")
    older = clone()
    monkeypatch.setattr("ops.project.deploy_guard.__version__", "0.9.12")
    aws.calls.clear()

    refused = older.chalice("deploy", *PROD, stdin="n\n")
    assert refused.status == 1
    assert re.search(r"runs release [0-9.]+, newer than this one, 0.9.12", refused.text)
    assert "echo y | chalice deploy --stage prod" in refused.text
    assert "lambda:UpdateFunctionCode" not in aws.actions()

    assert older.chalice("deploy", *PROD, stdin="y\n").status == 0
    doctor = json.loads(clone().ops("doctor", *PROD, "--json").text)
    (release,) = [check for check in doctor["checks"] if check["check"] == "release"]
    assert release["facts"] == {"deployed": "0.9.12", "here": __version__}


def test_a_stage_of_a_stack_is_left_to_cloudformation(clone: Clone, aws: StrictAws) -> None:
    cli = clone()
    do(cli, "deploy")
    functions = aws.client("lambda")
    arn = functions.get_function(FunctionName=FUNCTION)["Configuration"]["FunctionArn"]
    functions.tag_resource(Resource=arn, Tags={"aws:cloudformation:stack-name": "theirs"})
    for command in ("deploy", "delete"):
        answer = cli.chalice(command, *PROD)
        assert answer.status == 1
        assert "belongs to the CloudFormation stack theirs" in answer.text
        assert "delete-stack --region us-east-1 --stack-name theirs" in answer.text
    teardown = cli.ops("teardown", *PROD)
    assert "First: aws cloudformation delete-stack --region us-east-1" in teardown.text
