"""How the parts of a sign-in are said."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.messages.wording import Wording, mfa_kind
from chalicelib.signin.model import Principal, PrincipalType, SignIn
from chalicelib.signin.reader import read_sign_in
from tests.support.records import changed, event, without
from tests.support.stage import stage

ENGLISH = Wording(stage())
UA = ("detail", "userAgent")
MFA = ("detail", "additionalEventData")


def read(name: str) -> SignIn:
    return read_sign_in(event(name))


def read_with(name: str, *path: str, to: object) -> SignIn:
    return read_sign_in(changed(event(name), *path, to=to))


@pytest.mark.parametrize(
    ("name", "who"),
    [
        ("root-with-account-alias", "the root user"),
        ("iam-user-with-mfa", "IAM user alice"),
        ("saml-role", "minjun.kim@example.com (role Developers)"),
        (
            "identity-center-permission-set",
            "carol.jones@example.com (permission set AdministratorAccess)",
        ),
        ("saml-user", "SAML user emeka.obi@example.com"),
        ("web-identity-user", "web identity user 104862195730026481937"),
        ("identity-center-password-and-code", "june.park"),
        ("identity-center-without-details", "an unnamed user"),
        ("switch-role-in-home-account", "IAM user alice (role Admin)"),
        ("switch-role-in-role-account", "IAM user alice (role Admin)"),
        ("exit-role", "IAM user alice (role Admin)"),
    ],
)
def test_people_are_named_by_what_they_are_and_their_role(name: str, who: str) -> None:
    assert ENGLISH.who_with_role(read(name)) == who


def test_a_name_of_invisible_characters_is_no_name() -> None:
    principal = Principal(type=PrincipalType.IAM_USER, name="\u200b\u2060", role="\u200b")
    assert ENGLISH.who(principal) == "an unnamed user"
    assert ENGLISH.role(principal) is None


@pytest.mark.parametrize(
    ("language", "subject"),
    [
        (
            "en",
            [
                "Root user",
                "IAM user alice",
                "carol",
                "Session i-0abc (self-chosen name)",
                "An unnamed user",
            ],
        ),
        (
            "ko",
            [
                "루트 사용자가",
                "IAM 사용자 alice 님이",
                "carol 님이",
                "i-0abc(임의 지정 이름) 세션이",
                "이름이 기록되지 않은 사용자가",
            ],
        ),
        (
            "ja",
            [
                "ルートユーザーが",
                "IAMユーザー alice が",
                "carol が",
                "i-0abc と名乗るセッションが",
                "名前の記録がないユーザーが",
            ],
        ),
    ],
)
def test_who_begins_a_sentence_as_its_language_wants(language: str, subject: list[str]) -> None:
    wording = Wording(stage(MESSAGE_LANGUAGE=language))
    people = [
        Principal(type=PrincipalType.ROOT),
        Principal(type=PrincipalType.IAM_USER, name="alice"),
        Principal(type=PrincipalType.PERMISSION_SET, name="carol"),
        Principal(type=PrincipalType.ASSUMED_ROLE, name="i-0abc"),
        Principal(type=PrincipalType.IDENTITY_CENTER_USER),
    ]
    assert [wording.subject(principal) for principal in people] == subject


def test_a_reader_other_than_slack_sees_names_as_they_are() -> None:
    principal = Principal(type=PrincipalType.PERMISSION_SET, name="*A&B*\n")
    assert Wording(stage(), markup=False).who(principal) == "*A&B*"
    assert ENGLISH.who(principal) == "`*A&amp;B*`"


def test_an_account_has_its_name_where_the_stage_names_it() -> None:
    assert ENGLISH.account("111122223333") == "prod (111122223333)"
    assert ENGLISH.account("999999999999") == "account 999999999999"
    assert ENGLISH.account(None) == "an account that AWS does not name"


@pytest.mark.parametrize(
    ("name", "accounts"),
    [
        ("iam-user-with-mfa", "prod (111122223333)"),
        ("switch-role-in-home-account", "dev (444455556666) → prod (111122223333)"),
        ("switch-role-in-role-account", "dev (444455556666) → prod (111122223333)"),
        ("exit-role", "prod (111122223333) → dev (444455556666)"),
    ],
)
def test_a_switch_shows_the_account_it_leaves_and_the_account_it_enters(
    name: str, accounts: str
) -> None:
    assert ENGLISH.accounts(read(name)) == accounts


def test_a_switch_within_one_account_shows_it_once() -> None:
    arn = "arn:aws:iam::444455556666:role/Admin"
    switch = read_with("switch-role-in-home-account", *MFA, "SwitchTo", to=arn)
    assert ENGLISH.accounts(switch) == "dev (444455556666)"


def test_an_account_that_the_stage_does_not_name_is_its_number() -> None:
    other = read_with("iam-user-with-mfa", "detail", "recipientAccountId", to="999999999999")
    assert ENGLISH.accounts(other) == "999999999999"
    nameless = without(without(event("trimmed-record"), "account"), "detail", "userIdentity")
    assert ENGLISH.accounts(read_sign_in(nameless)) == "unknown"


def test_an_event_has_a_name_for_people_or_aws_s_own() -> None:
    assert ENGLISH.event(read("iam-user-with-mfa")) == "Console sign-in"
    assert ENGLISH.event(read("event-never-seen-before")) == "DeviceTrustEstablished"
    assert ENGLISH.event(read("anomaly-alert")) == "Sign-in anomaly alert"
    unnamed = read_with("iam-user-with-mfa", "detail", "eventName", to=None)
    assert ENGLISH.event(unnamed) == "an event without a name"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("iam-user-with-mfa", "Yes (authenticator app)"),
        ("iam-user-from-phone", "Yes (security key)"),
        ("identity-center-passkey", "Yes (passkey or security key)"),
        ("role-with-mfa-in-session", "Yes"),
        ("iam-user-without-mfa", "No"),
        ("identity-center-password-only", "No"),
        ("saml-role", "Decided by your identity provider"),
        ("identity-center-external-idp", "Decided by your identity provider"),
        ("custom-federation", "Unknown (AWS does not say)"),
        ("credential-challenge", "Not at this step (password)"),
        ("credential-verified-password", "Not at this step (password)"),
        ("credential-failed-password", "Not at this step (password)"),
        ("iam-user-wrong-password", "Not reached"),
        ("iam-user-wrong-mfa-code", "Failed"),
    ],
)
def test_mfa_has_an_answer_for_each_step_and_attempt_and_names_the_device(
    name: str, answer: str
) -> None:
    assert ENGLISH.mfa(read(name)) == answer


def test_a_device_that_we_have_no_word_for_keeps_aws_s() -> None:
    other = read_with("check-mfa-virtual", *MFA, to={"MfaType": "Retina scan"})
    assert ENGLISH.mfa(other) == "Yes (Retina scan)"
    blank = read_with("check-mfa-virtual", *MFA, to={"MfaType": "\u200b"})
    assert ENGLISH.mfa(blank) == "Yes"


def test_mfa_that_was_only_asked_for_says_so() -> None:
    challenge = read_with("credential-challenge", *MFA, "CredentialType", to="TOTP")
    assert ENGLISH.mfa(challenge) == "Asked for (authenticator app)"


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("iam-user-with-mfa", "yes"),
        ("iam-user-without-mfa", "no"),
        ("saml-role", "identity_provider"),
        ("custom-federation", None),
        ("iam-user-wrong-password", None),
        ("iam-user-wrong-mfa-code", None),
    ],
)
def test_a_sentence_says_of_mfa_only_what_aws_knows(name: str, note: str | None) -> None:
    assert mfa_kind(read(name)) == note


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("iam-user-wrong-mfa-code", "MFA was not passed"),
        ("credential-failed-password", None),
        ("iam-user-with-mfa", None),
    ],
)
def test_a_failure_has_its_reason_where_aws_gives_a_reason(name: str, reason: str | None) -> None:
    assert ENGLISH.failure_reason(read(name)) == reason


def test_a_reason_of_invisible_characters_is_none() -> None:
    blank = read_with("external-idp-login-failed", "detail", "errorMessage", to="\u200b")
    assert ENGLISH.failure_reason(blank) is None


def test_what_the_self_check_found_says_why_aws_did_not_bring_it() -> None:
    found = {**event("root-with-mfa"), "found-by": "self-check", "found-cause": "trail"}
    said = ENGLISH.found(read_sign_in(found))
    assert said == "Found by the self-check. No trail delivered it to EventBridge."


@pytest.mark.parametrize(
    ("user_agent", "client"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Firefox/149.0", "Firefox 149 on Linux"),
        ("aws-cli/2.35.1", "AWS CLI 2.35"),
        ("[S3Console/0.4, aws-internal/3]", "[S3Console/0.4, aws-internal/3]"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_client_is_named_or_says_of_itself_what_it_says(
    user_agent: str | None, client: str
) -> None:
    assert ENGLISH.client(user_agent) == client


@pytest.mark.parametrize(
    ("late", "said"),
    [
        (timedelta(seconds=5), "1 min"),
        (timedelta(minutes=6, seconds=59), "6 min"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(minutes=120), "2 hours"),
        (timedelta(hours=47, minutes=59), "47 hours"),
        (timedelta(hours=48), "2 days"),
        (timedelta(days=14), "14 days"),
    ],
)
def test_a_delay_is_shown_in_the_unit_that_fits(late: timedelta, said: str) -> None:
    assert ENGLISH.duration(late) == said


MORNING = datetime(2026, 6, 1, 10, 2, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([], "time unknown"),
        ([None], "time unknown"),
        ([MORNING], "2026-06-01 10:02 UTC"),
        ([MORNING, None, MORNING + timedelta(seconds=5)], "2026-06-01 10:02 UTC"),
        ([MORNING + timedelta(minutes=15), MORNING], "2026-06-01 10:02 UTC – 10:17 UTC"),
        ([MORNING, MORNING + timedelta(days=1)], "2026-06-01 10:02 UTC – 2026-06-02 10:02 UTC"),
    ],
)
def test_a_period_names_its_day_once(times: list[datetime | None], said: str) -> None:
    assert re.sub(r"<!date.*?\|(.*?)>", r"\1", ENGLISH.period(times)) == said
