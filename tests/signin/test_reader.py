"""What a SignIn says of each kind of event, and of events that are not as they should be."""

import json
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chalicelib.signin.model import Mfa, Outcome, Principal, PrincipalType, SignIn
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.redaction import redact
from tests.support.records import EVENTS, changed, event, paths, without

GOLDEN = Path(__file__).with_name("sign_ins.json")
COPIED = ("event_id", "event_name", "event_time", "region", "source_ip", "user_agent", "excerpt")
HERE = "111122223333"
THERE = "444455556666"

ROOT = PrincipalType.ROOT
IAM_USER = PrincipalType.IAM_USER
ROLE = PrincipalType.ASSUMED_ROLE
PERMISSION_SET = PrincipalType.PERMISSION_SET
SSO_USER = PrincipalType.IDENTITY_CENTER_USER
OTHER = PrincipalType.OTHER


def read(name: str) -> SignIn:
    return read_sign_in(event(name))


@pytest.fixture
def local_time_of_seoul() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as shell:
        shell.setenv("TZ", "Asia/Seoul")
        time.tzset()
        yield
    time.tzset()


def known(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what is known, without what stands in the event in the same words."""
    return {
        key: known(value) if isinstance(value, dict) else value
        for key, value in fields.items()
        if value and key not in COPIED
    }


def test_every_sign_in_is_read_as_in_the_golden_file(pytestconfig: pytest.Config) -> None:
    found = {name: known(asdict(read(name))) for name in EVENTS}
    if pytestconfig.getoption("--rewrite-golden"):
        GOLDEN.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(GOLDEN.read_text())


def test_a_name_that_aws_hides_is_hidden() -> None:
    of_center = changed(
        event("identity-center-without-details"),
        *("detail", "userIdentity", "userName"),
        to="HIDDEN_DUE_TO_SECURITY_REASONS",
    )
    for step, is_hidden in {"CredentialChallenge": True, "UserAuthentication": False}.items():
        happened = changed(of_center, "detail", "eventName", to=step)
        assert read_sign_in(happened).principal.name_hidden == is_hidden


def test_an_identity_that_calls_itself_root_without_an_arn_is_not_root() -> None:
    assert not read("external-idp-login-failed").is_root
    console = changed(event("root-with-mfa"), "detail", "userIdentity", "arn", to="")
    assert not read_sign_in(console).is_root


def test_the_account_is_found_wherever_the_event_names_it() -> None:
    forwarded = changed(event("iam-user-with-mfa"), "account", to=THERE)
    assert read_sign_in(forwarded).account_id == HERE
    trimmed = without(event("iam-user-with-mfa"), "detail", "recipientAccountId")
    assert read_sign_in(trimmed).account_id == HERE
    bare = without(trimmed, "account")
    assert read_sign_in(bare).account_id == HERE
    assert read_sign_in(without(bare, "detail", "userIdentity")).account_id is None


def test_whoever_chooses_a_session_name_never_chooses_the_arn() -> None:
    assert not [name for name in EVENTS if "assumed-role" in (read(name).principal.arn or "")]


@pytest.mark.parametrize("said", ["", "somewhere", f"arn:aws:iam::{HERE}:root", "arn:a:b:c:d:x/y"])
def test_a_switch_from_nobody_that_can_be_read_is_none(said: str) -> None:
    strange = changed(
        event("switch-role-in-role-account"), "detail", "additionalEventData", "SwitchFrom", to=said
    )
    assert read_sign_in(strange).switched_from is None


@pytest.mark.parametrize(
    ("resource", "principal"),
    [
        ("role/team/Admin", Principal(type=ROLE, role="Admin")),
        ("user/team/bob", Principal(type=IAM_USER, name="bob")),
        ("federated-user/eve", Principal(type=PrincipalType.FEDERATED_USER, name="eve")),
    ],
)
def test_a_switch_from_is_read_by_its_arn(resource: str, principal: Principal) -> None:
    arn = f"arn:aws:iam::{THERE}:{resource}"
    path = "detail", "additionalEventData", "SwitchFrom"
    found = read_sign_in(changed(event("switch-role-in-role-account"), *path, to=arn)).switched_from
    assert found
    assert replace(found, arn=None) == replace(principal, account_id=THERE)


def test_a_visible_name_comes_before_a_hidden_name() -> None:
    hidden = changed(
        event("identity-center-password-only"),
        *("detail", "additionalEventData", "UserName"),
        to="HIDDEN_DUE_TO_SECURITY_REASONS",
    )
    named = changed(hidden, "detail", "userIdentity", "userName", to="alice")
    assert read_sign_in(named).principal.name == "alice"


def test_whose_keys_made_a_federated_session_is_unknown_without_its_issuer() -> None:
    path = "detail", "userIdentity", "sessionContext", "sessionIssuer"
    assert read("federated-user").principal.keys_of
    assert read_sign_in(without(event("federated-user"), *path)).principal.keys_of is None


def test_an_oauth_client_is_read_in_either_spelling() -> None:
    login = event("aws-login-authorized")
    path = "detail", "requestParameters"
    renamed = {"clientId": login["detail"]["requestParameters"]["client_id"]}
    other = read_sign_in(changed(login, *path, to=renamed)).oauth_client
    assert other == read("aws-login-authorized").oauth_client
    shouted = changed(login, *path, "redirect_uri", to="HTTPS://evil.example/callback")
    client = read_sign_in(shouted).oauth_client
    assert client
    assert client.redirects_to == "evil.example"


def test_a_web_identitys_role_has_its_mfa_at_the_provider() -> None:
    path = "detail", "userIdentity", "sessionContext", "webIdFederationData"
    provider = {"federatedProvider": "accounts.google.com"}
    found = read_sign_in(changed(event("machine-session"), *path, to=provider))
    assert found.mfa_at_identity_provider
    assert not read("machine-session").mfa_at_identity_provider


def test_a_role_session_without_arn_is_named_by_its_issuer_and_id() -> None:
    bare = without(event("saml-role"), "detail", "userIdentity", "arn")
    issuer = "detail", "userIdentity", "sessionContext", "sessionIssuer", "arn"
    for found in (bare, without(bare, *issuer)):
        principal = read_sign_in(found).principal
        assert (principal.name, principal.role) == ("minjun.kim@example.com", "Developers")


def test_a_user_without_a_name_is_named_by_the_arn() -> None:
    nameless = without(event("iam-user-with-mfa"), "detail", "userIdentity", "userName")
    assert read_sign_in(nameless).principal.name == "alice"


def test_a_permission_set_is_known_without_arn_too() -> None:
    bare = without(event("identity-center-permission-set"), "detail", "userIdentity", "arn")
    principal = read_sign_in(bare).principal
    assert (principal.type, principal.role) == (PERMISSION_SET, "AdministratorAccess")


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("true", Outcome.SUCCESS),
        (True, Outcome.SUCCESS),
        ("false", Outcome.FAILURE),
        (False, Outcome.FAILURE),
        ("perhaps", Outcome.FAILURE),
        (None, Outcome.FAILURE),
    ],
)
def test_an_application_sign_in_says_its_outcome_as_true_or_false(
    said: object, outcome: Outcome
) -> None:
    login = changed(event("aws-login-authorized"), "detail", "errorCode", to="AccessDenied")
    stated = changed(login, "detail", "additionalEventData", "success", to=said)
    assert read_sign_in(stated).outcome is outcome


def test_only_an_api_call_has_failed_if_it_names_an_error_and_succeeded_if_it_names_none() -> None:
    call = event("sign-in-policy-changed")
    assert read_sign_in(call).outcome is Outcome.SUCCESS
    denied = changed(call, "detail", "errorCode", to="AccessDenied")
    assert read_sign_in(denied).outcome is Outcome.FAILURE
    console = changed(event("iam-user-with-mfa"), "detail", "responseElements", to=None)
    assert read_sign_in(console).outcome is Outcome.UNKNOWN


def test_an_error_code_stands_in_for_a_missing_message() -> None:
    failed = event("iam-user-wrong-password")
    coded = changed(failed, "detail", "errorMessage", to=None)
    coded = changed(coded, "detail", "errorCode", to="AccessDenied")
    assert read_sign_in(coded).failure_reason == "AccessDenied"


def test_no_federated_sign_in_is_said_to_be_without_mfa() -> None:
    without_mfa = {sign_in.principal.type for sign_in in map(read, EVENTS) if sign_in.mfa is Mfa.NO}
    assert without_mfa <= {ROOT, IAM_USER, SSO_USER}


@pytest.mark.parametrize(
    ("said", "mfa"), [("YES", Mfa.YES), ("no", Mfa.NO), ("", Mfa.UNKNOWN), (True, Mfa.UNKNOWN)]
)
def test_mfa_is_read_in_any_spelling_but_not_guessed(said: object, mfa: Mfa) -> None:
    stated = changed(event("root-with-mfa"), "detail", "additionalEventData", "MFAUsed", to=said)
    assert read_sign_in(stated).mfa is mfa


@pytest.mark.parametrize(
    ("said", "mfa"), [("true", Mfa.YES), (True, Mfa.YES), (False, Mfa.UNKNOWN)]
)
def test_the_mfa_of_a_roles_session_is_read_as_word_and_as_truth_value(
    said: object, mfa: Mfa
) -> None:
    path = "detail", "userIdentity", "sessionContext", "attributes", "mfaAuthenticated"
    stated = changed(event("role-with-mfa-in-session"), *path, to=said)
    assert read_sign_in(stated).mfa is mfa


@pytest.mark.parametrize(
    ("factors", "mfa"),
    [
        ("PASSWORD", Mfa.NO),
        ("PASSWORD,TOTP", Mfa.YES),
        ("PASSWORD, EMAIL_OTP", Mfa.YES),
        ("WEBAUTHN", Mfa.YES),
        ("SMARTCARD", Mfa.YES),
        ("PASSWORD,RESYNC_TOTP", Mfa.YES),
        ("EXTERNAL_IDP", Mfa.UNKNOWN),
        ("SOMETHING_NEW", Mfa.UNKNOWN),
        ("", Mfa.UNKNOWN),
        (["TOTP"], Mfa.UNKNOWN),
    ],
)
def test_identity_center_shows_mfa_by_the_factors_it_asked_for(factors: object, mfa: Mfa) -> None:
    portal = event("identity-center-password-only")
    stated = changed(portal, "detail", "additionalEventData", "CredentialType", to=factors)
    assert read_sign_in(stated).mfa is mfa


@pytest.mark.parametrize(
    ("led_to", "application"),
    [
        ("https://clients.amazonaws.com/workspaces/", "clients.amazonaws.com/workspaces"),
        ("https://chat.example/?auth_code=x&y=https://d-1.awsapps.com", "chat.example"),
        ("https://chat.example/X/", "chat.example/X"),
        ("https://çhat.example/", None),
        ("https://d-1234567890.awsapps.com/start/?state=x", None),
        ("https://start.us-gov-home.awsapps.com/directory/d-1234567890", None),
        ("https://start.home.awsapps.cn/directory/example", None),
        ("https://ssoins-1234.portal.us-east-1.app.aws", None),
        ("workspaces", None),
        (None, None),
    ],
)
def test_what_identity_center_let_somebody_into_is_named_unless_it_is_the_portal(
    led_to: object, application: str | None
) -> None:
    path = ("detail", "additionalEventData", "LoginTo")
    found = changed(event("identity-center-passkey"), *path, to=led_to)
    assert read_sign_in(found).application == application


def test_time_place_and_client_are_read() -> None:
    sign_in = read_sign_in(event("iam-user-regional-endpoint") | {"region": "us-east-1"})
    assert sign_in.event_time == datetime.fromisoformat(
        event("iam-user-regional-endpoint")["detail"]["eventTime"]
    )
    assert sign_in.region == "eu-west-3"
    assert sign_in.source_ip
    assert sign_in.user_agent
    assert sign_in.event_id


@pytest.mark.parametrize(
    ("said", "read_as"),
    [
        ("2026-05-04T02:22:47Z", datetime(2026, 5, 4, 2, 22, 47, tzinfo=UTC)),
        ("2026-05-04T02:22:47", datetime(2026, 5, 4, 2, 22, 47, tzinfo=UTC)),
        ("2026-05-04T04:22:47+02:00", datetime(2026, 5, 4, 2, 22, 47, tzinfo=UTC)),
    ],
)
@pytest.mark.usefixtures("local_time_of_seoul")
def test_times_are_utc_wherever_they_are_read(said: str, read_as: datetime) -> None:
    stated = changed(event("root-with-mfa"), "detail", "eventTime", to=said)
    found = read_sign_in(stated).event_time
    assert found
    assert (found, found.tzinfo) == (read_as, UTC)


@pytest.mark.parametrize("said", ["yesterday", "", None, 7, "0001-01-01T00:00:00+23:59"])
def test_the_envelopes_time_stands_in_for_a_records_that_cannot_be_read(said: object) -> None:
    stated = changed(event("root-with-mfa"), "detail", "eventTime", to=said)
    stated = changed(stated, "time", to="2026-05-04T02:22:47Z")
    assert read_sign_in(stated).event_time == datetime(2026, 5, 4, 2, 22, 47, tzinfo=UTC)


def test_without_any_time_there_is_none() -> None:
    assert read_sign_in({"detail": {"eventName": "ConsoleLogin"}}).event_time is None


def test_a_replay_is_known_by_its_envelope() -> None:
    replayed = event("root-with-mfa") | {"replay-name": "again"}
    assert read_sign_in(replayed).replayed
    assert not read("root-with-mfa").replayed


def test_what_the_self_check_found_says_so() -> None:
    found = event("root-with-mfa") | {"found-by": "self-check", "found-cause": "rule"}
    assert read_sign_in(found).found_by_self_check
    assert read_sign_in(found).found_cause == "rule"
    assert not read("root-with-mfa").found_by_self_check


@pytest.mark.parametrize("name", ["event-never-seen-before", "anomaly-alert", "trimmed-record"])
def test_an_event_that_is_not_understood_brings_its_own_json(name: str) -> None:
    sign_in = read(name)
    assert not sign_in.understood
    assert (sign_in.excerpt or "").startswith('{"')


def test_an_event_that_is_understood_brings_none() -> None:
    assert read("root-with-mfa").understood
    assert read("root-with-mfa").excerpt is None


def test_an_identity_of_an_unknown_kind_is_not_understood_but_named() -> None:
    strange = changed(event("iam-user-with-mfa"), "detail", "userIdentity", "type", to="Directory")
    sign_in = read_sign_in(strange)
    assert not sign_in.understood
    assert sign_in.principal.name == "alice"
    nameless = without(strange, "detail", "userIdentity", "userName")
    assert read_sign_in(nameless).principal.name == f"arn:aws:iam::{HERE}:user/alice"


def test_an_excerpt_has_every_script_as_it_is_read() -> None:
    named = changed(event("event-never-seen-before"), "detail", "eventSource", to="로그인")
    assert "로그인" in (read_sign_in(named).excerpt or "")


def test_an_excerpt_is_cut_and_carries_no_credentials() -> None:
    token = changed(event("get-signin-token"), "detail", "eventName", to="GetSigninTokenV2")
    huge = changed(token, "detail", "padding", to="x" * 100_000)
    secret = event("get-signin-token")["detail"]["responseElements"]["credentials"]
    excerpt = read_sign_in(huge).excerpt or ""
    assert len(excerpt) == 1_500
    assert not [value for value in secret.values() if str(value) in excerpt]


def test_credentials_are_redacted_wherever_they_are() -> None:
    token = event("get-signin-token")
    secret = token["detail"]["responseElements"]["credentials"]
    kept = json.dumps(redact([token, {"deep": [token]}]))
    assert not [value for value in secret.values() if str(value) in kept]
    assert kept.count("[redacted]") == 2


@pytest.mark.parametrize(
    "key",
    [
        *("password", "sessionToken", "session_token", "SAMLResponse", "SAML-Response", "code"),
        "Client-Secret",
        *("authCode", "device_code", "webIdentityToken"),
    ],
)
def test_a_credential_is_known_by_its_name_in_any_spelling(key: str) -> None:
    assert redact({key: "hush"}) == {key: "[redacted]"}


def test_what_is_no_credential_is_kept() -> None:
    assert redact(event("root-with-mfa")) == event("root-with-mfa")


def test_of_a_query_only_the_credentials_are_redacted() -> None:
    to = "https://portal.example/?isauthcode=true&code=a%2Fb==&country_code=jp#state=c;token=d"
    assert redact({"LoginTo": to}) == {
        "LoginTo": "https://portal.example/?isauthcode=true&code=[redacted]"
        "&country_code=jp#state=c;token=[redacted]"
    }


def test_of_a_record_without_end_only_the_beginning_is_copied_for_the_excerpt() -> None:
    inner = {"a": {"b": [1]}}
    detail = {"first": [inner] * 2_000, "second": [inner] * 8_000}
    tracemalloc.start()
    try:
        excerpt = read_sign_in({"detail": detail}).excerpt
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert excerpt == json.dumps(redact(detail))[:1_500]
    assert peak < 1_000_000


@pytest.mark.usefixtures("without_collector")
def test_nesting_without_end_is_cut() -> None:
    deep: dict[str, Any] = {}
    for _ in range(10_000):
        deep = {"deeper": deep}
    cut = json.dumps(redact(deep))
    assert (cut.count("deeper"), cut.count('"[too deep]"')) == (41, 1)
    listed: list[Any] = []
    for _ in range(10_000):
        listed = [listed]
    assert json.dumps(redact(listed)) == f'{"[" * 41}"[too deep]"{"]" * 41}'


WRONG: tuple[object, ...] = (
    None,
    "",
    "   ",
    7,
    1.5,
    True,
    [],
    ["x"],
    {},
    {"x": "y"},
    "x" * 100_000,
    "\ud800\u202e",
)


@pytest.mark.parametrize("name", ["root-with-mfa", "saml-role", "identity-center-external-idp"])
def test_a_field_that_is_missing_or_wrong_still_gives_a_sign_in(name: str) -> None:
    whole = event(name)
    for path in paths(whole):
        assert_readable(read_sign_in(without(whole, *path)))
    for path in paths(whole):
        for wrong in WRONG:
            assert_readable(read_sign_in(changed(whole, *path, to=wrong)))


def assert_readable(sign_in: SignIn) -> None:
    """A text is None or has something to show, and is not without end."""
    principal = sign_in.principal
    texts = [
        sign_in.event_id,
        sign_in.event_name,
        sign_in.account_id,
        sign_in.region,
        sign_in.source_ip,
        sign_in.user_agent,
        sign_in.failure_reason,
        sign_in.mfa_device,
        principal.name,
        principal.role,
        principal.arn,
        principal.account_id,
    ]
    for text in texts:
        assert text is None or 0 < len(text) <= 4_096


@pytest.mark.parametrize(
    "query",
    [
        "?state=a&auth_code=hidden",
        "?wdc_csrf_token=hidden&state=a",
        "?SAMLResponse=hidden&RelayState=a",
        "?user=a&password=hidden",
        "?authorization_code=hidden",
        "?a=b;code_verifier=hidden",
        "#id_token=hidden",
    ],
)
def test_what_lets_somebody_in_is_redacted_by_its_name(query: str) -> None:
    to = f"https://portal.example/{query}"
    assert "hidden" not in json.dumps(redact({"detail": {"LoginTo": to}}))


def test_an_outcome_under_an_events_name_is_no_credential() -> None:
    outcome = {"GetSigninToken": "Success", "PasswordUpdated": "Failure", "x": "?token=Success"}
    assert redact(outcome) == outcome
