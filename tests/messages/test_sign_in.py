"""What a message says of a sign-in: the sentence, the reasons, the fields, the links."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.messages.message import Message
from chalicelib.messages.sign_in import plain_alert, sign_in_message
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import Severity, assess
from tests.support.records import EVENTS, changed, event, without
from tests.support.slack_validator import faults, texts
from tests.support.stage import LANGUAGES, stage

EXTRA = ("detail", "additionalEventData")
SOURCE = ("detail", "sourceIPAddress")
RUNBOOK = "https://wiki.example/on-call?page=aws&tab=1"


def built(found: dict[str, Any], late: timedelta | None = None, **settings: str) -> Message:
    return sign_in_message(assess(read_sign_in(found)), stage(**settings), late)


def sentence(found: dict[str, Any], late: timedelta | None = None, **settings: str) -> str:
    return str(built(found, late, **settings).payload["text"])


def shown(found: dict[str, Any], **settings: str) -> str:
    return "\n".join(list(texts(built(found, None, **settings).payload))[1:])


def test_every_warning_and_critical_has_its_word_its_title_and_its_fields() -> None:
    labels = ["User", "Account", "Event", "Outcome", "MFA", "Source address", "Client"]
    facts = [f"*{label}*\n" for label in [*labels, "Region", "Time"]]
    for name in set(EVENTS) - {"anomaly-alert"}:
        message = built(event(name))
        is_full = "header" in str(message.payload)
        assert is_full == (message.severity is not Severity.INFO), name
        if is_full:
            assert message.payload["text"].startswith(f"[{message.severity.name.capitalize()}] ")
            assert [fact for fact in facts if fact not in shown(event(name))] == [], name


def test_a_stage_may_want_every_message_in_full() -> None:
    assert "*User*\nIAM user alice" in shown(event("iam-user-with-mfa"), MESSAGE_DETAIL="full")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("root-wrong-password", "Failed root user sign-in"),
        ("root-email-changed", "Root user email address changed"),
        ("check-mfa-virtual", "MFA check"),
    ],
)
def test_the_title_says_what_happened(name: str, title: str) -> None:
    assert next(iter(shown(event(name), MESSAGE_DETAIL="full").split("\n"))) == title


def test_a_critical_message_links_the_runbook_and_what_else_the_identity_did() -> None:
    links = shown(event("root-email-changed"), RUNBOOK_URL=RUNBOOK).split("\n")[-1]
    assert "#/events/" in links
    assert "#/events?Username=root|Activity of this identity>" in links
    assert "|AWS account recovery>" in links
    assert links.endswith("<https://wiki.example/on-call?page=aws&amp;tab=1|Runbook>")


def test_a_warning_links_the_runbook_and_a_routine_sign_in_does_not() -> None:
    warning, routine = event("iam-user-without-mfa"), event("iam-user-with-mfa")
    assert "|Runbook>" in shown(warning, RUNBOOK_URL=RUNBOOK)
    assert "Username=" not in shown(warning, RUNBOOK_URL=RUNBOOK)
    assert "Runbook" not in shown(routine, RUNBOOK_URL=RUNBOOK)


def test_the_two_records_of_a_switch_differ_in_who_recorded_them() -> None:
    home, there = (event(f"switch-role-in-{account}-account") for account in ("home", "role"))
    said = "IAM user alice of dev (444455556666) switched to role Admin in prod (111122223333)"
    assert sentence(home) == f"{said} from 203.0.113.5 (seen from dev)."
    assert sentence(there) == f"{said} from 203.0.113.5 (seen from prod)."


def test_a_switch_within_one_account_does_not_say_who_recorded_it() -> None:
    arn = "arn:aws:iam::444455556666:role/Admin"
    switch = changed(event("switch-role-in-home-account"), *EXTRA, "SwitchTo", to=arn)
    assert "seen from" not in sentence(switch)


@pytest.mark.parametrize("name", ["switch-role-in-home-account", "exit-role"])
def test_a_switch_whose_role_aws_does_not_name_claims_nothing_of_it(name: str) -> None:
    said = sentence(changed(event(name), *EXTRA, to=None))
    assert "by IAM user alice in dev (444455556666) from 203.0.113.5." in said


def test_a_role_that_was_entered_from_nobody_known_names_itself() -> None:
    said = sentence(changed(event("switch-role-in-role-account"), *EXTRA, to=None))
    assert said.startswith(
        "Role switch by session alice (self-chosen name) in prod (111122223333) as role"
    )


@pytest.mark.parametrize(
    ("change", "factor"),
    [("TOTP", "a second factor"), ("EXTERNAL_IDP", "a credential")],
)
def test_a_step_names_the_factor_it_is_about(change: str, factor: str) -> None:
    step = changed(event("credential-challenge"), *EXTRA, "CredentialType", to=change)
    assert f"was asked for {factor} at the AWS access portal of prod" in sentence(step)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", ["Success", "Failure", "?"])
@pytest.mark.parametrize("name", ["switch-role-in-home-account", "exit-role"])
def test_however_a_switch_went_the_user_is_of_one_account_and_the_role_of_the_other(
    name: str, outcome: str, language: str
) -> None:
    event_name = read_sign_in(event(name)).event_name
    found = changed(event(name), "detail", "responseElements", to={event_name: outcome})
    said = sentence(found, MESSAGE_LANGUAGE=language)
    assert "Admin" in said
    assert said.index("444455556666") < said.index("111122223333")


@pytest.mark.parametrize("outcome", ["Success", "Failure", "?"])
def test_a_request_to_reset_roots_password_is_never_said_to_be_roots_own(outcome: str) -> None:
    asked = changed(
        event("root-password-recovery-requested"),
        *("detail", "responseElements"),
        to={"PasswordRecoveryRequested": outcome},
    )
    assert "by root" not in sentence(asked)
    assert "reset the root user password in prod (111122223333)" in sentence(asked)


def test_a_change_of_a_password_is_roots_only_if_root_caused_it() -> None:
    user = event("iam-user-with-mfa")["detail"]["userIdentity"]
    found = changed(event("root-password-changed"), "detail", "userIdentity", to=user)
    assert sentence(found).startswith("Password change by IAM user alice in prod")
    assert "Root" not in shown(found, MESSAGE_DETAIL="full")


def test_a_sign_in_to_workspaces_is_not_said_to_be_to_the_access_portal() -> None:
    found = event("identity-center-password-and-code")
    led_to = "https://clients.amazonaws.com/workspaces"
    assert sentence(changed(found, *EXTRA, "LoginTo", to=led_to)).startswith(
        "june.park signed in to clients.amazonaws.com/workspaces in prod (111122223333)"
    )


def test_a_bare_account_number_stands_apart_from_japanese() -> None:
    switch = sentence(event("switch-role-in-home-account"), ACCOUNT_NAMES="", MESSAGE_LANGUAGE="ja")
    assert "アカウント 444455556666 の" in switch
    assert "アカウント 111122223333 の" in switch


def test_an_outcome_that_aws_does_not_state_is_shown_as_unknown() -> None:
    silent = changed(event("iam-user-with-mfa"), "detail", "responseElements", to=None)
    assert "AWS does not say how it went" in sentence(silent)


def test_a_failure_without_words_of_its_own_is_named_by_its_event() -> None:
    failed = changed(event("renew-role"), "detail", "responseElements", to={"RenewRole": "Failure"})
    assert sentence(failed).startswith("[Warning] Role session renewal by session alice ")


def test_an_unfamiliar_event_shows_its_own_json_and_how_it_went() -> None:
    failure = {"DeviceTrustEstablished": "Failure"}
    found = changed(event("event-never-seen-before"), "detail", "responseElements", to=failure)
    assert "outcome: Failure" in sentence(found)
    assert '"eventVersion": "1.11"' in shown(found)


def test_the_json_of_an_unfamiliar_event_is_escaped_too() -> None:
    found = changed(event("event-never-seen-before"), "detail", "a", to="<!channel>" * 1_000)
    found["detail"] = {"a": found["detail"]["a"]}
    message = built(found)
    assert "&lt;!channel&gt;" in shown(found)
    assert faults(message.payload) == []


@pytest.mark.parametrize("detail", [["<!channel>"], {"a": "x" * 5_000}, {}, None])
def test_aws_s_alert_may_be_anything(detail: object) -> None:
    message = built(event("anomaly-alert") | {"detail": detail})
    assert faults(message.payload) == []
    assert "#/events|CloudTrail event history>" in "\n".join(texts(message.payload))


def test_an_event_without_a_name_is_shown_as_such() -> None:
    nameless = changed(event("iam-user-with-mfa"), "detail", "eventName", to=None)
    assert "*Event*\nan event without a name\n" in shown(nameless)


@pytest.mark.parametrize(
    ("language", "source", "said"),
    [
        ("en", "AWS Internal", "from an AWS service (address hidden by AWS)."),
        ("en", "sso.amazonaws.com", "from sso.amazonaws.com (address hidden by AWS)."),
        ("ko", "AWS Internal", "접속 위치: AWS 서비스(IP는 AWS가 비공개)"),
        ("ja", "sso.amazonaws.com", "接続元: sso.amazonaws.com（IPアドレスはAWSが非公開）"),
        ("ko", "2001:db8::1", "접속 IP: 2001:db8::1"),
        ("ja", "beef.example", "接続元: beef.example（IPアドレスはAWSが非公開）"),
    ],
)
def test_a_name_in_place_of_an_address_is_said_to_hide_it(
    language: str, source: str, said: str
) -> None:
    found = changed(event("iam-user-with-mfa"), *SOURCE, to=source)
    assert said in sentence(found, MESSAGE_LANGUAGE=language)


def test_what_is_late_or_replayed_or_found_later_says_so() -> None:
    found = {**event("iam-user-with-mfa"), "replay-name": "june", "found-by": "self-check"}
    assert sentence(found, timedelta(minutes=6)).endswith("(posted 6 min late; replayed).")
    assert shown(found).endswith("or its log line was deleted after it was posted.")


def test_what_aws_does_not_say_is_left_out_of_the_small_line() -> None:
    found = event("iam-user-with-mfa")
    for path in (("eventID",), ("userAgent",), ("awsRegion",), ("eventTime",)):
        found = without(found, "detail", *path)
    del found["region"], found["time"]
    assert "attachments" not in built(found).payload


def test_a_source_of_invisible_characters_is_left_out_of_the_sentence() -> None:
    found = changed(event("iam-user-with-mfa"), *SOURCE, to="\u202e")
    assert sentence(found) == "IAM user alice signed in to prod (111122223333) with MFA."


def test_a_sign_in_without_a_time_says_so() -> None:
    found = changed(event("iam-user-without-mfa"), "detail", "eventTime", to=None)
    found["time"] = None
    assert "*Time*\nunknown" in shown(found)


def test_only_a_critical_message_mentions_whom_the_stage_has_set() -> None:
    for name in EVENTS:
        message = built(event(name), CRITICAL_MENTION="here")
        critical = message.severity is Severity.CRITICAL
        for payload in (message.payload, message.fallback):
            assert faults(payload, mention="<!here>" if critical else None) == []


def test_the_plain_alert_of_a_record_without_time_or_id_says_unknown() -> None:
    alert = plain_alert(assess(read_sign_in({})), stage()).payload
    assert "Unknown, unknown. Look for event unknown" in alert["text"]
