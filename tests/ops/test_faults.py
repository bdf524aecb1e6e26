"""What an operator reads when AWS says no."""

import signal
import time

import click
import pytest
from botocore.exceptions import ClientError, MissingDependencyException, TokenRetrievalError

from ops.__main__ import main
from ops.errors import sentence
from tests.support.cli import WEBHOOK, Cli
from tests.support.raw_server import RawServer
from tests.support.strict_aws import StrictAws

NOBODY = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}
REGIONS = ("regions", "--stage", "prod")


def output(cli: Cli, *arguments: str) -> str:
    answer = cli.ops(*(arguments or REGIONS), stdin=f"{WEBHOOK}\n")
    assert answer.status == 2
    assert "Traceback" not in answer.text
    return answer.text


def test_no_credentials(cli: Cli) -> None:
    cli.shell |= NOBODY
    assert "No AWS credentials were found." in output(cli)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ExpiredToken", "The AWS credentials have expired."),
        ("ExpiredTokenException", "The AWS credentials have expired."),
        ("RequestExpired", "The AWS credentials have expired."),
        ("InvalidClientTokenId", "AWS does not know these credentials"),
        ("SignatureDoesNotMatch", "AWS does not know these credentials"),
        ("ServiceUnavailable", "AWS refused GetCallerIdentity: in AWS's words"),
    ],
)
def test_credentials_that_aws_refuses(cli: Cli, aws: StrictAws, code: str, sentence: str) -> None:
    aws.fail("sts:GetCallerIdentity", code, "in AWS's words")
    assert sentence in output(cli)


def test_a_profile_that_is_not_there(cli: Cli) -> None:
    assert "aws configure list-profiles" in output(cli, *REGIONS, "--profile", "nobody")


@pytest.mark.parametrize("action", ["kms:DescribeKey", "sqs:GetQueueUrl", "ec2:DescribeRegions"])
def test_a_denied_action_is_named(cli: Cli, aws: StrictAws, action: str) -> None:
    aws.deny(action)
    text = output(cli, "setup", "--stage", "prod", "--yes")
    assert f"AWS denies {action} to these credentials." in text
    assert "ops/deployer-policy.json" in text
    assert "fake" not in text


def test_an_endpoint_that_does_not_answer(cli: Cli) -> None:
    cli.shell["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    cli.shell["AWS_MAX_ATTEMPTS"] = "1"
    assert "AWS cannot be reached" in output(cli)


@pytest.mark.parametrize(
    "line",
    [
        "audit --csv --json",
        "baseline --stage prod --show alice --forget alice",
        "doctor --stage prod --wait --json",
        "history --since 1d --csv --full",
        "history --since 1d --post",
        "history --since 1d --region eu-west-1 --all-regions",
        "policies --stage prod --diff --deployer",
        "regions --stage prod --apply --json",
        "regions --stage prod --apply --organization example.com",
        "regions --stage prod --apply --remove",
        "regions --stage prod --organization o-a1b2c3d4e5",
        "setup --stage prod --alarm-email nobody",
    ],
)
def test_options_that_contradict_each_other_are_refused_before_aws_is_asked(
    cli: Cli, aws: StrictAws, line: str
) -> None:
    assert output(cli, *line.split()).startswith("Usage: python -m ops")
    assert aws.calls == []


def test_a_command_that_is_not_there_names_a_command_like_it(cli: Cli) -> None:
    assert "No such command 'setp'. Did you mean 'setup'?" in output(cli, "setp")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TokenRetrievalError(provider="sso", error_msg="expired"), "Sign in again: aws sso login"),
        (MissingDependencyException(msg="Install botocore[crt].."), "Install botocore[crt]."),
        (KeyError("Account"), "Something failed that should not (KeyError)."),
    ],
)
def test_what_goes_wrong_on_the_way_is_put_into_a_sentence(error: Exception, said: str) -> None:
    assert said in sentence(error)
    assert ".." not in sentence(error)


@pytest.mark.parametrize("action", ["PutTargets", "PutRule"])
def test_a_refusal_without_a_word_may_be_for_want_of_pass_role(action: str) -> None:
    error = ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, action)
    assert ("(or iam:PassRole for its role)" in sentence(error)) == (action == "PutTargets")


def test_an_account_that_is_not_the_stages(cli: Cli) -> None:
    record = cli.project.path / ".chalice" / "deployed" / "prod.json"
    record.parent.mkdir()
    arn = "arn:aws:lambda:us-east-1:444455556666:function:signin-monitor-prod-on_sign_in"
    record.write_text(f'{{"resources": [{{"lambda_arn": "{arn}"}}]}}')
    post = ("history", "--since", "1d", "--post")
    for command in (("setup",), ("regions",), ("teardown",), ("doctor",), post):
        text = output(cli, *command, "--stage", "prod")
        assert "the stage prod is deployed in 444455556666" in text
        assert "--profile NAME" in text


def test_who_interrupts_a_command_is_asked_to_run_it_again(cli: Cli, aws: StrictAws) -> None:
    aws.hang("sts:GetCallerIdentity")
    # What runs in the background ignores the key, and so would its children.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    with cli.terminal(*REGIONS) as terminal:
        signal.signal(signal.SIGINT, ours)
        while not aws.calls:
            time.sleep(0.05)
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait() == 130
    assert terminal.screen.strip() == (
        "Interrupted. What was done stays; run it again to continue."
    )


def test_a_fault_of_our_own_shows_its_traceback_only_with_debug(cli: Cli, aws: StrictAws) -> None:
    aws.fail("sts:GetCallerIdentity", "ServiceUnavailable", "busy")
    assert "Traceback" in cli.ops(*REGIONS, "--debug").text
    assert "Traceback" in cli.ops("--debug", *REGIONS).text


def test_a_place_without_the_project_is_reported(cli: Cli) -> None:
    cli.config_file.unlink()
    assert "where app.py is" in output(cli)


@pytest.mark.parametrize("command", main.list_commands(click.Context(main)))
def test_each_commands_help_teaches_by_examples(cli: Cli, command: str) -> None:
    answer = cli.ops(command, "--help")
    assert answer.status == 0
    assert f"  python -m ops {command}" in answer.text
    assert max(map(len, answer.text.splitlines())) <= 80
    assert "--debug" in answer.text


def test_a_pipe_gets_no_colour_and_a_terminal_does(cli: Cli) -> None:
    assert "\x1b[" not in cli.ops(*REGIONS).text
    with cli.terminal(*REGIONS) as terminal:
        assert terminal.wait() == 0
    assert "\x1b[" in terminal.screen


@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_a_portal_that_answers_in_html_is_named_in_one_sentence(cli: Cli, status: str) -> None:
    page = "<html>Sign in to the guest network</html>"
    answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(page)}\r\n\r\n{page}"
    with RawServer(answer.encode()) as portal:
        cli.shell |= {"AWS_ENDPOINT_URL": f"http://{portal.host}", "AWS_MAX_ATTEMPTS": "1"}
        assert "What answered is not AWS, but a proxy or a portal on the way." in output(cli)
