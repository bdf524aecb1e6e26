"""`package`: the template deployed as `aws cloudformation package` and `deploy` would, and used."""

import ast
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from playground.aws.deployment import ProjectCopy
from playground.aws.embedded import EmbeddedAws
from playground.aws.runtime import LambdaFunction
from playground.aws.settings import provision
from playground.catalogue import renewed
from playground.slack.certificates import Certificates
from playground.slack.receiver import Receiver
from tests.support.cli import Cli
from tests.support.records import event

SCHEDULES = {"SELF_CHECK_SCHEDULE": "rate(1 hour)", "MFA_AUDIT_SCHEDULE": "cron(0 9 ? * MON *)"}
STACK = "signin-monitor-prod"
BOUNDARY = "arn:aws:iam::123456789012:policy/signin-monitor-boundary"

# moto leaves out what it cannot make, and says so
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


@pytest.fixture
def receiver(certificates: Certificates) -> Iterator[Receiver]:
    with Receiver(tls=certificates.good) as receiver:
        yield receiver


@pytest.fixture
def team(cli: Cli, receiver: Receiver) -> Cli:
    """Return an operator whose stage has every handler, and has been packaged into `build`."""
    settings = provision("prod", aws=cli.aws, receiver=receiver) | SCHEDULES
    cli.project.configure("prod", settings)
    cli.edit_stage(setup={"permissions_boundary": BOUNDARY})
    answer = cli.ops("package", "--stage", "prod")
    assert answer.status == 0, answer.text
    return cli


def template(project: ProjectCopy) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project.path / "build/template.json").read_text())
    return document


def deploy_stack(team: Cli) -> None:
    """Upload what the template names beside itself, and make a stack of it."""
    document = template(team.project)
    storage = team.aws.client("s3")
    storage.create_bucket(Bucket="artifacts")
    for resource in document["Resources"].values():
        if name := resource["Properties"].get("Code"):
            body = (team.project.path / "build" / name).read_bytes()
            storage.put_object(Bucket="artifacts", Key=name, Body=body)
            resource["Properties"]["Code"] = {"S3Bucket": "artifacts", "S3Key": name}
    team.aws.client("cloudformation").create_stack(
        StackName=STACK, TemplateBody=json.dumps(document), Capabilities=["CAPABILITY_NAMED_IAM"]
    )


def deployed(aws: EmbeddedAws) -> dict[str, Any]:
    """Return what is deployed, by kind and name, as whoever relies on names sees it."""
    functions, events, iam = aws.client("lambda"), aws.client("events"), aws.client("iam")
    return {
        "functions": {
            function["FunctionName"]: [
                function[key] for key in ("Handler", "Role", "Timeout", "MemorySize")
            ]
            + [function["Environment"]["Variables"], function["Runtime"]]
            for function in functions.list_functions()["Functions"]
        },
        "roles": {
            name: [
                ast.literal_eval(str(policy["PolicyDocument"])),  # moto quotes a stack's
                iam.get_role(RoleName=name)["Role"]["PermissionsBoundary"],
            ]
            for name in (role["RoleName"] for role in iam.list_roles()["Roles"])
            for policy in [iam.get_role_policy(RoleName=name, PolicyName=name)]
        },
        "rules": {
            rule["Name"]: [rule.get("EventPattern"), rule.get("ScheduleExpression")]
            + [
                (target["Id"], target["Arn"])
                for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
            ]
            for rule in events.list_rules()["Rules"]
        },
        "mappings": [
            [
                mapping[key]
                for key in ("EventSourceArn", "FunctionArn", "BatchSize", "ScalingConfig")
            ]
            for mapping in functions.list_event_source_mappings()["EventSourceMappings"]
        ],
        "logs": {
            group["logGroupName"]: group["retentionInDays"]
            for group in aws.client("logs").describe_log_groups()["logGroups"]
        },
    }


def test_the_template_makes_what_chalice_deploy_makes(team: Cli) -> None:
    deploy_stack(team)
    by_stack = deployed(team.aws)
    team.aws.client("cloudformation").delete_stack(StackName=STACK)
    assert not any(deployed(team.aws).values())
    assert team.chalice("deploy", "--stage", "prod").status == 0
    assert by_stack == deployed(team.aws)


def test_any_sign_in_passes_through_the_stack(
    team: Cli, receiver: Receiver, certificates: Certificates, tmp_path: Path
) -> None:
    deploy_stack(team)
    name = "signin-monitor-prod-on_sign_in"
    rule = team.aws.client("events").describe_rule(Name=f"{name}-event")
    assert rule["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    function = team.aws.client("lambda").get_function_configuration(FunctionName=name)
    zipfile.ZipFile(io.BytesIO(team.aws.package_of(name))).extractall(tmp_path / "package")
    environment = {
        **function["Environment"]["Variables"],
        **team.aws.environment,
        "REQUESTS_CA_BUNDLE": str(certificates.ca_file),
    }
    happened = renewed(event("root-without-mfa"), datetime.now(UTC))
    with LambdaFunction(tmp_path / "package", function["Handler"], environment) as running:
        assert running.invoke(happened).value["decision"] == "posted"
    assert len(receiver.messages) == 1


def test_cfn_lint_has_nothing_to_say(team: Cli) -> None:
    team.edit_stage(
        tags={"team": "security"},
        subnet_ids=["subnet-0123456789abcdef0"],
        security_group_ids=["sg-0123456789abcdef0"],
        reserved_concurrency=5,
        iam_role_arn="arn:aws:iam::123456789012:role/of-the-operator",
        manage_iam_role=False,
    )
    assert team.ops("package", "--stage", "prod", "--out", "own").status == 0
    lint = str(Path(sys.executable).with_name("cfn-lint"))
    files = [str(team.project.path / folder / "template.json") for folder in ("build", "own")]
    regions = ("-r", "us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1")
    run = subprocess.run(
        [lint, *regions, "-t", *files], capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.returncode) == ("", 0)


def test_a_stage_that_cannot_work_is_not_packaged(cli: Cli) -> None:
    cli.project.configure("prod", {"MESSAGE_LANGUAGE": "fr"})
    answer = cli.ops("package", "--stage", "prod")
    assert answer.status == 2
    assert "MESSAGE_LANGUAGE must be one of en, ja, ko." in answer.text
    assert "WEBHOOK_URL_ENCRYPTED is missing" in answer.text
    assert not (cli.project.path / "build").exists()


def test_chalice_package_is_refused_in_favour_of_ours(cli: Cli) -> None:
    answer = cli.chalice("package", "--stage", "prod", "--pkg-format", "terraform", "out")
    assert answer.status == 1
    assert answer.text.rstrip().endswith("python -m ops package --stage prod --out build")
    assert len(answer.text.splitlines()) == 1
