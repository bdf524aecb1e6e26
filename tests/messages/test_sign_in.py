"""What a message says of a sign-in: the sentence, the fields, the judgement, the link."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.messages.message import Message
from chalicelib.messages.sign_in import console_link, plain_alert, sign_in_message
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import Severity, assess
from tests.support.records import EVENTS, changed, event, without
from tests.support.slack_validator import faults, texts
from tests.support.stage import LANGUAGES, stage

EXTRA = ("detail", "additionalEventData")


def built(found: dict[str, Any], late: timedelta | None = None, **settings: str) -> Message:
    return sign_in_message(assess(read_sign_in(found)), stage(**settings), late)


def sentence(found: dict[str, Any], late: timedelta | None = None, **settings: str) -> str:
    return str(built(found, late, **settings).payload["text"])


def shown(found: dict[str, Any], late: timedelta | None = None, **settings: str) -> str:
    return "\n".join(list(texts(built(found, late, **settings).payload))[1:])


ROOT_WITHOUT_MFA = {
    "en": "root signed in to prod (111122223333) without MFA, from IP",
    "ja": "rootユーザがMFAなしでアカウント prod（111122223333）にログインしました（接続元IP",
    "ko": "루트 사용자가 MFA 없이 prod(111122223333) 계정에 로그인했습니다(접속 IP",
}


@pytest.mark.parametrize("language", ROOT_WITHOUT_MFA)
def test_root_without_mfa_is_said_first_and_plainly(language: str) -> None:
    said = sentence(event("root-without-mfa"), MESSAGE_LANGUAGE=language)
    assert ROOT_WITHOUT_MFA[language] in said


def test_every_message_shows_the_same_facts_in_the_same_places() -> None:
    labels = ["User", "Account", "Event", "Outcome", "MFA", "Source address", "Client"]
    facts = ["*Severity:*", "*Why:*", *(f"*{label}*" for label in [*labels, "Region", "Time"])]
    for name in EVENTS:
        said = shown(event(name))
        assert [fact for fact in facts if fact not in said] == [], name


def test_a_failure_shows_its_reason_where_there_is_one() -> None:
    explained = {name for name in EVENTS if "*Reason for failure*" in shown(event(name))}
    given = {name for name in EVENTS if read_sign_in(event(name)).failure_reason}
    assert explained == given | {"credential-failed-code"}


def test_both_records_of_a_switch_say_the_same_but_for_the_account_that_saw_it() -> None:
    home, there = (
        sentence(event(f"switch-role-in-{account}-account")) for account in ("home", "role")
    )
    assert "seen from dev (444455556666)" in home
    assert there == home.replace("seen from dev (444455556666)", "seen from prod (111122223333)")


@pytest.mark.parametrize("name", ["switch-role-in-home-account", "exit-role"])
def test_a_switch_whose_role_aws_does_not_name_claims_nothing_of_it(name: str) -> None:
    said = sentence(changed(event(name), *EXTRA, to=None))
    assert "by IAM user alice in dev (444455556666), from IP 203.0.113.5." in said


def test_a_role_that_was_entered_from_nobody_known_names_itself() -> None:
    said = sentence(changed(event("switch-role-in-role-account"), *EXTRA, to=None))
    assert said.startswith("Role switch by session alice (self-chosen name) in prod (1111")


def test_a_refused_switch_names_the_role_that_was_wanted() -> None:
    said = sentence(event("switch-role-refused"))
    assert "could not switch to the role Billing in prod (111122223333)" in said


@pytest.mark.parametrize(
    ("change", "verb"), [("PASSWORD", "password"), ("TOTP", "MFA"), ("EXTERNAL_IDP", "credential")]
)
def test_a_step_names_the_factor_it_is_about(change: str, verb: str) -> None:
    step = changed(event("credential-challenge"), *EXTRA, "CredentialType", to=change)
    assert f"reached the {verb} check at the SSO sign-in of prod" in sentence(step)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", ["Success", "Failure", "?"])
@pytest.mark.parametrize("name", ["switch-role-in-home-account", "exit-role"])
def test_however_a_switch_went_the_user_is_of_one_account_and_the_role_of_the_other(
    name: str, outcome: str, language: str
) -> None:
    event_name = read_sign_in(event(name)).event_name
    told = changed(event(name), "detail", "responseElements", to={event_name: outcome})
    said = sentence(told, MESSAGE_LANGUAGE=language)
    assert "Admin" in said
    assert said.index("444455556666") < said.index("111122223333")


def test_a_request_to_reset_roots_password_is_never_said_to_be_roots_own() -> None:
    asked = event("root-password-recovery-requested")
    for outcome in ("Success", "Failure", "?"):
        told = changed(
            asked, "detail", "responseElements", to={"PasswordRecoveryRequested": outcome}
        )
        assert "by root" not in sentence(told)
        assert "the password of root in prod (111122223333)" in sentence(told)


def test_a_sign_in_to_workspaces_is_not_said_to_be_one_to_the_access_portal() -> None:
    found = event("identity-center-password-and-code")
    led = {
        **found["detail"]["additionalEventData"],
        "LoginTo": "https://clients.amazonaws.com/workspaces",
    }
    assert sentence(changed(found, *EXTRA, to=led)).startswith(
        "SSO user june.park signed in to clients.amazonaws.com/workspaces in prod (111122223333)"
    )


def test_a_bare_account_number_stands_apart_from_japanese() -> None:
    switch = sentence(event("switch-role-in-home-account"), ACCOUNT_NAMES="", MESSAGE_LANGUAGE="ja")
    assert "アカウント 444455556666 の" in switch
    assert "アカウント 111122223333 の" in switch


def test_an_outcome_that_aws_does_not_tell_is_said_to_be_unknown() -> None:
    silent = changed(event("iam-user-with-mfa"), "detail", "responseElements", to=None)
    assert "but AWS does not say how it went" in sentence(silent)


def test_a_failure_without_words_of_its_own_is_named_by_its_event() -> None:
    failed = changed(event("renew-role"), "detail", "responseElements", to={"RenewRole": "Failure"})
    assert sentence(failed).startswith("[Warning] Role session renewal by session alice ")


def test_an_unfamiliar_event_shows_its_own_json_and_how_it_went() -> None:
    found = changed(
        event("event-never-seen-before"), "detail", "responseElements", "DeviceTrustEstablished",
        to="Failure",
    )  # fmt: skip
    assert "outcome: Failure" in sentence(found)
    assert '"eventVersion": "1.11"' in shown(found)


def test_the_json_of_an_unfamiliar_event_is_escaped_too() -> None:
    found = changed(event("event-never-seen-before"), "detail", "a", to="<!channel>" * 1_000)
    found["detail"] = {"a": found["detail"]["a"]}
    message = built(found)
    assert "&lt;!channel&gt;" in shown(found)
    assert faults(message.payload) == []


def test_an_event_is_shown_under_aws_s_name_as_well() -> None:
    assert "Console sign-in · ConsoleLogin" in shown(event("iam-user-with-mfa"))
    assert "*Event*\nDeviceTrustEstablished" in shown(event("event-never-seen-before"))
    nameless = changed(event("iam-user-with-mfa"), "detail", "eventName", to=None)
    assert "*Event*\nan event without a name" in shown(nameless)


def test_a_hidden_name_says_who_hides_it_and_why() -> None:
    said = shown(event("iam-user-unknown-name"))
    assert "hidden by AWS: people type passwords there by mistake" in said


def test_what_is_late_or_replayed_or_found_later_says_so() -> None:
    found = {**event("iam-user-with-mfa"), "replay-name": "june", "found-by": "self-check"}
    late = timedelta(minutes=6)
    assert sentence(found, late).endswith(", posted 6 min late, a replay.")
    said = shown(found, late)
    assert "Posted 6 min after it happened." in said
    assert "this event was sent again on purpose" in said
    assert "Found by the self-check" in said


def test_what_is_on_time_has_only_its_link_below() -> None:
    blocks = built(event("iam-user-with-mfa")).payload["attachments"][0]["blocks"]
    assert len(blocks[-1]["elements"]) == 1


def test_without_link_or_remark_there_is_no_last_line() -> None:
    found = without(event("iam-user-with-mfa"), "detail", "eventID")
    blocks = built(found).payload["attachments"][0]["blocks"]
    assert [block["type"] for block in blocks] == ["header", "section", "section"]


def test_a_source_of_invisible_characters_is_left_out_of_the_sentence() -> None:
    found = changed(event("iam-user-with-mfa"), "detail", "sourceIPAddress", to="\u202e")
    assert sentence(found) == "IAM user alice signed in to prod (111122223333), with MFA."


def test_a_sign_in_without_a_time_says_so() -> None:
    found = changed(event("iam-user-with-mfa"), "detail", "eventTime", to=None)
    found["time"] = None
    assert "*Time*\nunknown" in shown(found)


def test_only_a_critical_one_mentions_whom_the_stage_has_set() -> None:
    for name in EVENTS:
        message = built(event(name), CRITICAL_MENTION="here")
        critical = message.severity is Severity.CRITICAL
        for payload in (message.payload, message.fallback):
            assert faults(payload, mention="<!here>" if critical else None) == []
            assert ("[Critical] " in payload["text"]) == critical


def test_the_plain_alert_of_a_record_without_time_or_id_says_unknown() -> None:
    alert = plain_alert(assess(read_sign_in({})), stage()).payload
    assert "Unknown, unknown. Look for event unknown" in alert["text"]


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("global", "us-east-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_the_link_leads_to_the_event_in_its_partitions_console(region: str, console: str) -> None:
    found = changed(event("iam-user-with-mfa"), "detail", "awsRegion", to=region)
    result = console_link(read_sign_in(found))
    assert result
    assert result.startswith(f"https://{console}/cloudtrailv2/home?region=")
    assert result.endswith(f"#/events/{found['detail']['eventID']}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("awsRegion", "evil.example/"),
        ("awsRegion", "moon-1"),
        ("eventID", "x|click>"),
        ("eventID", "é"),
        ("eventID", None),
    ],
)
def test_no_link_is_made_of_what_could_lead_elsewhere(field: str, value: object) -> None:
    found = changed(event("iam-user-with-mfa"), "detail", field, to=value)
    assert console_link(read_sign_in(found)) is None
