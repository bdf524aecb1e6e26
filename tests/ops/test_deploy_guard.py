"""The deploy guard, met as an operator meets it: through Chalice's own command line."""

import json
import os
import zipfile
from contextlib import chdir
from pathlib import Path
from unittest import mock

import click
import pytest
from chalice.cli import cli as chalice_cli

from ops.project.deploy_guard import guard
from playground.aws.deployment import ChaliceFailed, ProjectCopy
from playground.aws.embedded import EmbeddedAws
from tests.support.cli import Cli

CIPHERTEXT = {"WEBHOOK_URL_ENCRYPTED": "AAAA"}
SHELL = "eu-west-3"


def refusal(project: ProjectCopy, aws: EmbeddedAws, *arguments: str, stage: str = "prod") -> str:
    """Return what the guard says to a command line, read by Chalice, in this process: quicker."""
    rest = [*(arguments or ("deploy",)), "--stage", stage]
    context = click.Context(chalice_cli, info_name="chalice", obj={})
    context.params["project_dir"] = str(project.path)
    while isinstance(context.command, click.Group):
        name, command, rest = context.command.resolve_command(context, rest)
        assert command
        context = command.make_context(name, rest, parent=context)
        rest = [*context._protected_args, *context.args]
    with (
        chdir(project.path),
        mock.patch.dict(os.environ, aws.environment | {"AWS_DEFAULT_REGION": SHELL}),
        context,
        pytest.raises(SystemExit) as refused,
    ):
        guard()
    return str(refused.value)


def nothing_was_made(aws: EmbeddedAws) -> bool:
    return not aws.client("iam").list_roles()["Roles"]


def edit_config(project: ProjectCopy, **changes: object) -> None:
    file = project.path / ".chalice" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture
def ready(project: ProjectCopy) -> ProjectCopy:
    project.configure("prod", CIPHERTEXT)
    return project


def test_deploy_and_delete_work_in_the_home_region_whatever_the_shell_says(
    ready: ProjectCopy, aws: EmbeddedAws
) -> None:
    home = "ap-northeast-2"
    ready.configure("prod", {"SIGN_IN_REGION": home})
    functions = aws.client("lambda", home)

    ready.chalice("deploy", "--stage", "prod", aws=aws, region=SHELL)
    made = [function["FunctionName"] for function in functions.list_functions()["Functions"]]
    assert made == ["signin-monitor-prod-on_sign_in"]
    assert not aws.client("lambda", SHELL).list_functions()["Functions"]
    rule = aws.client("events", home).describe_rule(Name="signin-monitor-prod-on_sign_in-event")
    assert rule["State"] == "ENABLED"

    ready.chalice("delete", "--stage", "prod", aws=aws, region=SHELL)
    assert not functions.list_functions()["Functions"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"app_name": "acme-signin"}, "app_name is acme-signin. Set it to signin-monitor"),
        ({"automatic_layer": True}, "automatic_layer gives the functions a layer"),
        (
            {"lambda_functions": {"self_check": {"environment_variables": {"LOG_EVENTS": "f"}}}},
            "lambda_functions.self_check.environment_variables sets LOG_EVENTS for one function",
        ),
    ],
)
def test_what_would_deploy_what_no_check_knows_is_refused(
    ready: ProjectCopy, aws: EmbeddedAws, change: dict[str, object], fault: str
) -> None:
    edit_config(ready, **change)
    assert fault in refusal(ready, aws)
    assert nothing_was_made(aws)


def test_functions_that_would_share_a_policy_are_refused_until_each_has_its_own(
    ready: ProjectCopy, aws: EmbeddedAws, cli: Cli
) -> None:
    aws.make_queue("parked", {"VisibilityTimeout": "420"})
    ready.configure("team", CIPHERTEXT | {"STAGE": "team", "UNDELIVERED_QUEUE": "parked"})
    text = refusal(ready, aws, stage="team")
    assert ".chalice/policy-team.json would serve several functions." in text
    assert cli.ops("policies", "--stage", "team").status == 0
    deployment = ready.deploy("team", aws=aws)
    assert set(deployment.functions) == {"on_sign_in", "on_undelivered"}


@pytest.mark.parametrize("command", [("deploy",), ("dev", "plan")])
def test_every_wrong_setting_is_named_at_once_and_nothing_is_made(
    project: ProjectCopy, aws: EmbeddedAws, command: tuple[str, ...]
) -> None:
    project.configure("prod", {"MESSAGE_LANGUAGE": "fr", "FAILURE": "digest"})
    with pytest.raises(ChaliceFailed) as refused:
        project.chalice(*command, "--stage", "prod", aws=aws)
    text = str(refused.value)
    assert "MESSAGE_LANGUAGE must be one of en, ja, ko." in text
    assert "FAILURE is not a setting of signin-monitor. Did you mean FAILURES?" in text
    assert "python -m ops setup --stage prod" in text
    assert "Traceback" not in text
    assert nothing_was_made(aws)


def test_a_setting_of_the_shell_repairs_nothing(
    project: ProjectCopy, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBHOOK_URL_ENCRYPTED", "AAAA")
    assert "WEBHOOK_URL_ENCRYPTED is missing" in refusal(project, aws)


def test_a_setting_of_the_shell_registers_nothing(
    ready: ProjectCopy, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MFA_AUDIT_SCHEDULE", "rate(1 day)")
    deployment = ready.deploy("prod", aws=aws)
    assert list(deployment.functions) == ["on_sign_in"]


def test_a_stage_that_is_not_in_the_file_is_refused_with_those_that_are(
    project: ProjectCopy, aws: EmbeddedAws
) -> None:
    text = refusal(project, aws, stage="pord")
    assert "has no stage pord, only local, dev, prod." in text
    assert "python -m ops setup --stage pord" in text


def test_the_stage_local_is_not_deployed(project: ProjectCopy, aws: EmbeddedAws) -> None:
    assert "The stage local is for `chalice local`" in refusal(project, aws, stage="local")


def test_a_stage_under_the_name_of_another_is_refused(ready: ProjectCopy, aws: EmbeddedAws) -> None:
    ready.configure("prod", {"STAGE": "dev"})
    assert "STAGE is dev. Set it to prod, the stage's own name." in refusal(ready, aws)


def test_settings_too_big_for_lambda_are_refused_with_the_way_out(
    ready: ProjectCopy, aws: EmbeddedAws
) -> None:
    accounts = {f"{number:012}": "an account's name" for number in range(100)}
    ready.configure("prod", {"ACCOUNT_NAMES": json.dumps(accounts)})
    assert "more than the 4 KB that Lambda allows" in refusal(ready, aws)


def test_a_stage_does_not_move_away_from_what_it_has_deployed(
    ready: ProjectCopy, aws: EmbeddedAws
) -> None:
    ready.chalice("deploy", "--stage", "prod", aws=aws)
    ready.configure("prod", {"SIGN_IN_REGION": "eu-west-1"})
    text = refusal(ready, aws)
    assert "SIGN_IN_REGION is eu-west-1, but the stage is deployed in us-east-1." in text
    assert "chalice delete --stage prod" in text
    ready.chalice("delete", "--stage", "prod", aws=aws, region=SHELL)
    assert not aws.client("lambda").list_functions()["Functions"]


def test_delete_works_whatever_is_wrong(ready: ProjectCopy, aws: EmbeddedAws) -> None:
    ready.chalice("deploy", "--stage", "prod", aws=aws)
    ready.configure("prod", {"WEBHOOK_URL_ENCRYPTED": "", "MESSAGE_LANGUAGE": "fr", "STAGE": "x"})
    ready.chalice("delete", "--stage", "prod", aws=aws, region=SHELL)
    assert nothing_was_made(aws)


def test_a_deploy_writes_the_policies_that_its_settings_ask_for(
    ready: ProjectCopy, aws: EmbeddedAws
) -> None:
    aws.make_queue("parked", {"VisibilityTimeout": "420"})
    ready.configure("prod", {"UNDELIVERED_QUEUE": "parked"})
    ready.deploy("prod", aws=aws)
    written = json.loads((ready.path / ".chalice/policy-prod.json").read_text())
    assert "arn:*:sqs:*:*:parked" in json.dumps(written)
    name = "signin-monitor-prod-on_sign_in"
    given = aws.client("iam").get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"]
    assert given == written


@pytest.mark.parametrize("by", ["option", "file"])
def test_chalices_own_policy_generator_is_refused(
    ready: ProjectCopy, aws: EmbeddedAws, by: str
) -> None:
    if by == "file":
        edit_config(ready, autogen_policy=True)
    option = ("--autogen-policy",) if by == "option" else ()
    assert "autogen_policy must be false" in refusal(ready, aws, "deploy", *option)


def test_a_role_of_the_operators_own_needs_no_policy_file(
    ready: ProjectCopy, aws: EmbeddedAws
) -> None:
    role = aws.client("iam").create_role(RoleName="own", AssumeRolePolicyDocument="{}")["Role"]
    edit_config(ready, manage_iam_role=False, iam_role_arn=role["Arn"])
    deployment = ready.deploy("prod", aws=aws)
    assert deployment.functions["on_sign_in"]["Role"] == role["Arn"]


def readable_by_lambda(archive: Path) -> list[str]:
    """Return an archive's entries that other users than the packing user may read."""
    with zipfile.ZipFile(archive) as content:
        return [entry.filename for entry in content.infolist() if entry.external_attr >> 16 & 0o004]


def test_a_strict_umask_hides_nothing_from_lambda(ready: ProjectCopy, aws: EmbeddedAws) -> None:
    packages = ready.path / ".chalice/deployments"
    for archive in packages.iterdir():
        archive.unlink()
    with zipfile.ZipFile(packages / "earlier.zip", "w") as content:
        content.writestr("hidden.py", "")  # 0600 is zipfile's own choice
    before = os.umask(0o077)
    try:
        for source in ready.path.glob("chalicelib/**/*.*"):
            source.chmod(0o600)
        ready.chalice("deploy", "--stage", "prod", aws=aws)
    finally:
        os.umask(before)
    (archive,) = packages.iterdir()
    with zipfile.ZipFile(archive) as content:
        everything = content.namelist()
    assert "requests/__init__.py" in everything
    assert "chalicelib/settings.py" in everything
    assert readable_by_lambda(archive) == everything
