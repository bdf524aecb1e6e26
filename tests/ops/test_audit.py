"""`python -m ops audit`, as an auditor meets it."""

import csv
import io
import json

import pytest

from playground.aws.embedded import ACCOUNT_ID, EmbeddedAws
from tests.support.cli import Cli

pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def people(aws: EmbeddedAws) -> None:
    """Four users: with and without MFA, with a name that a spreadsheet would compute, a robot."""
    iam = aws.client("iam")
    for name in ("careful", "careless", "=sum", "robot"):
        iam.create_user(UserName=name)
    for name in ("careful", "careless", "=sum"):
        iam.create_login_profile(UserName=name, Password="fake")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam.enable_mfa_device(UserName="careful", SerialNumber=device["SerialNumber"], **codes)


def test_it_names_those_without_mfa_and_says_what_it_covers(cli: Cli) -> None:
    answer = cli.ops("audit")
    assert answer.status == 0, answer.text
    first, _, heading, *lines = answer.text.splitlines()
    assert first == f"Account {ACCOUNT_ID}: 2 of 3 console users have no MFA."
    assert heading.split() == ["USER", "LAST", "SIGN-IN", "PASSWORD", "SINCE"]
    assert [line.split()[:2] for line in lines[:2]] == [["=sum", "never"], ["careless", "never"]]
    assert "not IAM Identity Center (SSO) users" in answer.text
    assert "no row for root" in answer.text
    assert "careful " not in answer.text


def test_csv_holds_everyone_who_can_sign_in(cli: Cli) -> None:
    answer = cli.ops("audit", "--csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["user"]: row["mfa"] for row in rows} == {
        "'=sum": "no",
        "careful": "yes",
        "careless": "no",
    }
    assert {(row["account_id"], row["last_sign_in"]) for row in rows} == {(ACCOUNT_ID, "never")}
    assert all(row["password_since"] and row["report_time"] for row in rows)
    as_json = json.loads(cli.ops("audit", "--json").text)
    assert [list(row) for row in as_json] == [list(row) for row in rows]
    assert {row["user"]: row["mfa"] for row in as_json}["=sum"] == "no"


def test_it_needs_no_stage_and_no_deployment(cli: Cli) -> None:
    cli.config_file.unlink()
    assert cli.ops("audit").status == 0


def test_without_credentials_it_says_so_in_a_sentence(cli: Cli) -> None:
    cli.shell |= {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_SESSION_TOKEN": "",
    }
    answer = cli.ops("audit")
    assert answer.status == 2
    assert "No AWS credentials were found." in answer.text
    assert "Traceback" not in answer.text
