"""What IAM's credential report says, in every way in which it says it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

from chalicelib.errors import AWSReadError
from chalicelib.mfa_audit.credential_report import CredentialReport, Person, fetch
from tests.support.clock import Clock
from tests.support.report_rows import ALICE, HEADER, ROOT, changed

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

MADE_AT = datetime(2026, 6, 1, tzinfo=UTC)


def read(*rows: str) -> tuple[Person, ...]:
    return CredentialReport.parse("\n".join((HEADER, *rows)).encode(), made_at=MADE_AT).people


def person(row: str, **values: str) -> Person:
    (found,) = read(changed(row, **values))
    return found


def test_a_user_is_read_with_password_and_mfa_and_times() -> None:
    assert read(ALICE) == (
        Person(
            name="alice",
            is_root=False,
            can_sign_in=True,
            has_mfa=False,
            password_since=datetime(2021, 2, 3, 4, 5, 6, tzinfo=UTC),
            last_used=datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC),
            never_used=False,
        ),
    )


@pytest.mark.parametrize("zone", ["Z", ""])
def test_a_time_is_utc_with_z_as_in_newer_reports_and_without_a_zone(zone: str) -> None:
    alice = person(ALICE, password_last_used=f"2026-05-06T07:08:09{zone}")
    assert alice.last_used == datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize("said", ["false", "FALSE", "N/A", " false "])
def test_a_password_that_is_denied_is_none(said: str) -> None:
    assert not person(ALICE, password_enabled=said).can_sign_in


@pytest.mark.parametrize("said", ["true", "TRUE", "not_supported", "no_information", "", "yes?"])
def test_a_password_that_is_not_denied_counts(said: str) -> None:
    assert person(ALICE, password_enabled=said).can_sign_in


@pytest.mark.parametrize("said", ["true", "TRUE", " true"])
def test_mfa_that_is_confirmed_counts(said: str) -> None:
    assert person(ALICE, mfa_active=said).has_mfa


@pytest.mark.parametrize("said", ["FALSE", "N/A", "not_supported", "", "maybe"])
def test_mfa_that_is_not_confirmed_is_none(said: str) -> None:
    assert not person(ALICE, mfa_active=said).has_mfa


@pytest.mark.parametrize("said", ["never", "no_information"])
def test_a_password_without_any_use_was_never_used(said: str) -> None:
    alice = person(ALICE, password_last_used=said)
    assert (alice.last_used, alice.never_used) == (None, True)


@pytest.mark.parametrize("created", ["2014-10-19T00:00:00+00:00", "N/A", ""])
def test_no_use_known_is_not_never_where_iam_did_not_watch_from_the_start(created: str) -> None:
    alice = person(ALICE, password_last_used="no_information", user_creation_time=created)
    assert (alice.last_used, alice.never_used) == (None, False)


@pytest.mark.parametrize(
    "said", ["N/A", "not_supported", "", "soon", "0000-00-00", "0001-01-01T00:00:00+23:59"]
)
def test_a_last_use_that_is_no_time_is_unknown(said: str) -> None:
    alice = person(ALICE, password_last_used=said)
    assert (alice.last_used, alice.never_used) == (None, False)


@pytest.mark.parametrize("said", ["N/A", "not_supported", "no_information", ""])
def test_the_age_of_a_password_may_be_unknown(said: str) -> None:
    assert person(ALICE, password_last_changed=said).password_since is None


def test_root_is_known_by_its_row() -> None:
    root, alice = read(ROOT, ALICE)
    assert (root.name, root.is_root, root.can_sign_in) == ("<root_account>", True, True)
    assert not alice.is_root


def test_root_is_known_by_its_arn_alone() -> None:
    assert person(ROOT, user="the owner").is_root


def test_an_older_report_does_not_say_that_root_has_a_password_but_it_has() -> None:
    assert person(ROOT, password_enabled="not_supported").can_sign_in


def test_root_of_a_member_account_without_root_credentials_cannot_sign_in() -> None:
    assert not person(ROOT, password_enabled="false", password_last_used="N/A").can_sign_in


def test_to_the_console_of_govcloud_an_iam_user_can_sign_in_and_root_cannot() -> None:
    account = "arn:aws-us-gov:iam::111122223333"
    assert person(ALICE, arn=f"{account}:user/alice").can_sign_in
    root = person(ROOT, password_enabled="not_supported", arn=f"{account}:root")
    assert not root.can_sign_in


@pytest.mark.parametrize(
    "quoted",
    [
        '"doe,john","arn:aws:iam::111122223333:user/doe,john"',
        "doe,john,arn:aws:iam::111122223333:user/doe,john",
    ],
)
def test_a_name_with_a_comma_is_read_whole_whether_quoted_or_not(quoted: str) -> None:
    rest = ALICE.partition("user/alice,")[2]
    (john,) = read(f"{quoted},{rest}")
    assert john.name == "doe,john"
    assert (john.can_sign_in, john.has_mfa) == (True, False)
    assert john.last_used == datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def test_a_row_that_is_cut_off_counts_against_the_person() -> None:
    (alice,) = read("alice,arn:aws:iam::111122223333:user/alice,2020-01-02T03:04:05+00:00")
    assert (alice.name, alice.can_sign_in, alice.has_mfa) == ("alice", True, False)


def test_a_row_without_a_name_still_counts() -> None:
    assert person(ALICE, user="").name == "?"


def test_columns_in_another_order_and_new_columns_do_no_harm() -> None:
    content = b"mfa_active,new,user,password_enabled\ntrue,7,alice,true\n"
    (alice,) = CredentialReport.parse(content, made_at=None).people
    assert (alice.name, alice.can_sign_in, alice.has_mfa) == ("alice", True, True)


@pytest.mark.parametrize("column", ["user", "password_enabled", "mfa_active"])
def test_a_report_without_a_column_that_it_takes_is_refused_by_its_name(column: str) -> None:
    content = HEADER.replace(column, "other").encode()
    with pytest.raises(AWSReadError, match=f"no column {column}"):
        CredentialReport.parse(content, made_at=None)


def test_an_empty_report_is_refused() -> None:
    with pytest.raises(AWSReadError, match="no column user, password_enabled, mfa_active"):
        CredentialReport.parse(b"", made_at=None)


def test_a_report_that_is_no_csv_is_refused() -> None:
    with pytest.raises(AWSReadError, match="cannot be read as CSV"):
        CredentialReport.parse(b"x" * 200_000, made_at=None)


def test_a_byte_order_mark_windows_lines_and_blank_lines_do_no_harm() -> None:
    content = "\ufeff" + f"{HEADER}\r\n\r\n{ALICE}\r\n"
    assert CredentialReport.parse(content.encode(), made_at=None).people == read(ALICE)


def test_bytes_that_are_no_text_do_no_harm() -> None:
    content = f"{HEADER}\n{ALICE}".encode().replace(b"alice", b"al\xffce", 1)
    (found,) = CredentialReport.parse(content, made_at=None).people
    assert found.name == "al\ufffdce"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def iam_client(key: str = "testing", secret: str = "testing", **more: Any) -> "IAMClient":  # noqa: ANN401
    return boto3.Session(key, secret, region_name="us-east-1").client("iam", **more)


@pytest.fixture
def iam() -> Iterator["IAMClient"]:
    with mock_aws():
        yield iam_client()


def test_users_of_a_real_account_are_read(iam: "IAMClient", clock: Clock) -> None:
    for name in ("with-mfa", "without-mfa", "no-password"):
        iam.create_user(UserName=name)
    for name in ("with-mfa", "without-mfa"):
        iam.create_login_profile(UserName=name, Password="fake")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    iam.enable_mfa_device(
        UserName="with-mfa",
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1="123456",
        AuthenticationCode2="654321",
    )
    people = {person.name: person for person in fetch(iam, clock=clock, sleep=clock.sleep).people}
    able = {name for name, person in people.items() if person.can_sign_in}
    assert able == {"with-mfa", "without-mfa"}
    assert {name for name, person in people.items() if person.has_mfa} == {"with-mfa"}
    assert people["without-mfa"].never_used


def test_an_account_without_users_has_an_empty_report(iam: "IAMClient", clock: Clock) -> None:
    assert fetch(iam, clock=clock, sleep=clock.sleep).people == ()


class Answers:
    """IAM's answers to the two actions, in their order, where moto cannot give them."""

    def __init__(self, iam: "IAMClient", clock: Clock) -> None:
        self._iam = iam
        self._clock = clock
        self._stubber = Stubber(iam)

    def state(self, state: str) -> "Answers":
        self._stubber.add_response("generate_credential_report", {"State": state})
        return self

    def report(self, *rows: str) -> "Answers":
        content = "\n".join((HEADER, *rows)).encode()
        answer: dict[str, Any] = {"Content": content, "GeneratedTime": MADE_AT}
        self._stubber.add_response("get_credential_report", answer)
        return self

    def fault(self, action: str, code: str) -> "Answers":
        self._stubber.add_client_error(action, code, http_status_code=400)
        return self

    def fetch(self, patience: float = 30) -> CredentialReport:
        with self._stubber:
            report = fetch(self._iam, patience=patience, clock=self._clock, sleep=self._clock.sleep)
        self._stubber.assert_no_pending_responses()
        return report


@pytest.fixture
def answers(iam: "IAMClient", clock: Clock) -> Answers:
    return Answers(iam, clock)


def test_the_report_says_when_it_was_made(answers: Answers) -> None:
    assert answers.state("COMPLETE").report(ROOT).fetch().made_at == MADE_AT


def test_a_report_that_is_being_made_is_waited_for(answers: Answers, clock: Clock) -> None:
    answers.state("STARTED").state("INPROGRESS").state("COMPLETE").report(ROOT, ALICE)
    assert [person.is_root for person in answers.fetch().people] == [True, False]
    assert sum(clock.slept) == 2


@pytest.mark.parametrize("code", ["ReportExpired", "ReportNotPresent", "ReportInProgress"])
def test_a_report_that_is_gone_when_it_is_read_is_made_again(answers: Answers, code: str) -> None:
    answers.state("COMPLETE").fault("get_credential_report", code)
    answers.state("STARTED").state("COMPLETE").report(ALICE)
    assert [person.name for person in answers.fetch().people] == ["alice"]


def test_a_report_that_takes_too_long_ends_the_wait_and_says_that_the_next_try_finds_it(
    answers: Answers, clock: Clock
) -> None:
    for _ in range(4):
        answers.state("INPROGRESS")
    with pytest.raises(AWSReadError, match=r"not finished .* in 3 seconds.* the next try"):
        answers.fetch(patience=3)
    assert sum(clock.slept) == 3


@pytest.mark.parametrize(
    ("action", "right"),
    [
        ("generate_credential_report", "iam:GenerateCredentialReport"),
        ("get_credential_report", "iam:GetCredentialReport"),
    ],
)
def test_a_missing_right_is_named(answers: Answers, action: str, right: str) -> None:
    if action.startswith("get"):
        answers.state("COMPLETE")
    with pytest.raises(AWSReadError, match=f"The right {right} is missing"):
        answers.fault(action, "AccessDenied").fetch()


def test_any_other_refusal_is_named_with_its_code(answers: Answers) -> None:
    with pytest.raises(AWSReadError, match=r"iam:GenerateCredentialReport: ServiceFailure\."):
        answers.fault("generate_credential_report", "ServiceFailure").fetch()


def test_an_iam_that_cannot_be_reached_is_said_so(clock: Clock) -> None:
    once = Config(retries={"total_max_attempts": 1})
    iam = iam_client(endpoint_url="http://127.0.0.1:9", config=once)
    with pytest.raises(AWSReadError, match=r"did not answer .*EndpointConnectionError"):
        fetch(iam, clock=clock, sleep=clock.sleep)


def test_the_two_rights_of_the_audit_are_enough(iam: "IAMClient", clock: Clock) -> None:
    rights = ["iam:GenerateCredentialReport", "iam:GetCredentialReport"]
    statement = {"Effect": "Allow", "Action": rights, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(UserName="auditor")
    iam.put_user_policy(UserName="auditor", PolicyName="audit", PolicyDocument=policy)
    key = iam.create_access_key(UserName="auditor")["AccessKey"]
    auditor = iam_client(key["AccessKeyId"], key["SecretAccessKey"])
    with_rights_checked = set_initial_no_auth_action_count(0)(fetch)
    report = with_rights_checked(auditor, clock=clock, sleep=clock.sleep)
    assert [person.name for person in report.people] == ["auditor"]
