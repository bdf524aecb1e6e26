"""What an MFA audit finds, and how it is posted."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import create_autospec

import boto3
import pytest
from moto import mock_aws

from chalicelib.errors import AWSReadError
from chalicelib.messages.payload import Payload
from chalicelib.mfa_audit import run
from chalicelib.mfa_audit.credential_report import CredentialReport, Person
from chalicelib.mfa_audit.findings import NAMED, MfaFindings
from chalicelib.mfa_audit.message import audit_message
from chalicelib.notifier import Notifier
from chalicelib.reports import report_in
from chalicelib.signin.severity import Severity
from playground.slack.rules import refusal
from tests.support.stage import LANGUAGES, stage

ACCOUNT = "111122223333"
ROOT_NAME = "<root_account>"
MADE_AT = datetime(2026, 6, 1, 9, tzinfo=UTC)
SCHEDULE = {"id": "fake-id", "time": "2026-06-01T09:00:30Z", "account": ACCOUNT}
LONG_AGO = datetime(2021, 2, 3, tzinfo=UTC)


def person(name: str, **changes: Any) -> Person:  # noqa: ANN401 — any field's
    usual: dict[str, Any] = {
        "name": name,
        "is_root": name == ROOT_NAME,
        "can_sign_in": True,
        "has_mfa": False,
        "password_since": LONG_AGO,
        "last_used": MADE_AT,
        "never_used": False,
    }
    return Person(**{**usual, **changes})


def audit(*people: Person) -> MfaFindings:
    return MfaFindings.of(CredentialReport(made_at=MADE_AT, people=people), ACCOUNT)


def message(found: MfaFindings, **changes: str) -> Payload:
    return audit_message(found, stage(**changes)).payload


def shown(payload: Payload) -> str:
    """Everything that the channel shows below the sentence, a line a text."""
    lines = []
    for block in payload["attachments"][0]["blocks"]:
        lines += [element["text"] for element in block.get("elements", [])]
        lines += [block["text"]["text"]] if "text" in block else []
    return "\n".join(lines)


ROOT = person(ROOT_NAME)
SAFE_ROOT = person(ROOT_NAME, has_mfa=True)


def test_whoever_cannot_sign_in_needs_no_mfa() -> None:
    assert audit(
        person(ROOT_NAME, can_sign_in=False), person("robot", can_sign_in=False)
    ) == MfaFindings(
        account_id=ACCOUNT, made_at=MADE_AT, able=0, without_mfa=0, named=(), root_listed=True
    )


def test_root_leads_the_list_and_the_last_to_sign_in_follow() -> None:
    people = [
        person("never", last_used=None, never_used=True),
        person("unknown", last_used=None),
        person("earlier", last_used=MADE_AT - timedelta(days=1)),
        person("b-later"),
        person("a-later"),
        person(ROOT_NAME, last_used=None, never_used=True),
    ]
    names = [person.name for person in audit(*people).named]
    assert names == [ROOT_NAME, "a-later", "b-later", "earlier", "unknown", "never"]


def test_root_alone_without_mfa_is_named() -> None:
    alone = message(audit(ROOT, person("alice", has_mfa=True)))["text"]
    assert alone.endswith("The root user of prod (111122223333) has no MFA: 1 of 2 console users.")


def test_a_warning_mentions_nobody() -> None:
    text = message(audit(SAFE_ROOT, person("alice")), CRITICAL_MENTION="here")["text"]
    assert text == "[Warning] 1 of 2 console users in prod (111122223333) has no MFA."


def test_an_only_console_user_with_mfa_is_named_so() -> None:
    text = message(audit(SAFE_ROOT))["text"]
    assert text == "The only console user in prod (111122223333) has MFA."


def test_a_report_of_unknown_age_is_posted_without_it() -> None:
    found = MfaFindings.of(CredentialReport(made_at=None, people=(ROOT,)), ACCOUNT)
    assert "credential report of" not in shown(message(found))


def test_the_age_of_a_password_may_be_unknown() -> None:
    assert "password set: unknown" in shown(message(audit(person("dave", password_since=None))))


def test_a_list_that_fits_counts_nobody_else() -> None:
    people = [person(f"user-{number:04}") for number in range(NAMED)]
    assert "more" not in shown(message(audit(*people)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_names_do_no_harm(language: str) -> None:
    people = [person(f"<!everyone>\n`{'&' * 5_000}") for _ in range(100)]
    payload = message(audit(*people), MESSAGE_LANGUAGE=language)
    assert refusal(payload) is None
    assert "<!everyone" not in shown(payload)


@pytest.fixture
def _mocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.mark.usefixtures("_mocked")
def test_the_audit_of_an_account_is_a_report_that_reads_as_its_findings_do() -> None:
    iam = boto3.client("iam")
    iam.create_user(UserName="alice")
    iam.create_login_profile(UserName="alice", Password="fake")
    iam.generate_credential_report()
    notifier = create_autospec(Notifier, instance=True)
    run.audit(notifier, SCHEDULE, seconds_left=60)
    report, event, seconds_left = notifier.notify_report.call_args.args
    assert 50 < seconds_left <= 60
    assert report == report_in(event)
    assert report.severity is Severity.WARNING
    posted = report.message(stage()).payload
    assert posted == message(MfaFindings.from_event(event))
    assert "IAM user alice · last sign-in: never" in shown(posted)


@pytest.mark.usefixtures("_mocked")
def test_the_audit_waits_no_longer_than_half_of_what_is_left() -> None:
    with pytest.raises(AWSReadError, match="has not finished its credential report in 1 seconds"):
        run.audit(create_autospec(Notifier), SCHEDULE, seconds_left=1.9)


def through_the_queue(event: dict[str, Any]) -> MfaFindings:
    return MfaFindings.from_event(json.loads(json.dumps(event)))


@pytest.mark.parametrize(
    "found",
    [
        audit(),
        audit(SAFE_ROOT),
        audit(ROOT, person("alice", last_used=None, never_used=True, password_since=None)),
        audit(*(person(f"user-{number}") for number in range(100))),
        MfaFindings.of(CredentialReport(made_at=None, people=(ROOT,)), None),
    ],
)
def test_an_audit_comes_back_from_the_queue_as_it_went_in(found: MfaFindings) -> None:
    assert through_the_queue(found.to_event(SCHEDULE)) == found


def test_an_audit_stays_small_in_the_queue_however_large_the_account() -> None:
    people = [person("u" * 64) for _ in range(5_000)]
    assert len(json.dumps(audit(*people).to_event(SCHEDULE))) < 10_000


@pytest.mark.parametrize(
    "detail",
    [
        None,
        "text",
        [],
        {},
        {"able": "12", "without_mfa": None, "named": "alice", "made_at": 5, "root_listed": "no"},
        {"able": -1, "without_mfa": 1.5, "named": [None, "alice", {}, {"name": 5}]},
        {"named": [{"name": "", "last_used": "soon", "is_root": "yes", "never_used": 1}]},
        {"able": 10**100, "without_mfa": 10**100, "named": [{"name": "x" * 9_000}] * 9_000},
        {"without_mfa": 0, "named": [{"name": "root", "is_root": True}]},
        {"made_at": "0001-01-01T00:00:00+23:59"},
    ],
)
@pytest.mark.parametrize("account", [None, 5, "", "x" * 9_000])
def test_whatever_lies_in_the_queue_becomes_a_message(detail: object, account: object) -> None:
    found = through_the_queue({"account": account, "detail": detail})
    assert refusal(message(found)) is None
