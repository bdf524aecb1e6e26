"""Attempts to pass for somebody else: by a session's name, a role's, a provider's, an address."""

from typing import Any

import pytest

from chalicelib.messages.sign_in import sign_in_message
from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import Reason, Severity, assess
from tests.support.records import changed, event
from tests.support.slack_validator import texts
from tests.support.stage import stage

IDENTITY = ("detail", "userIdentity")
CONTEXT = (*IDENTITY, "sessionContext")
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
SESSION = "arn:aws:sts::111122223333:assumed-role/{}/{}"


def text(event: dict[str, Any]) -> str:
    return str(sign_in_message(assess(read_sign_in(event)), stage(), None).payload["text"])


def everything(event: dict[str, Any]) -> str:
    settings = stage(MESSAGE_DETAIL="full")
    message = sign_in_message(assess(read_sign_in(event)), settings, None)
    return "\n".join(texts(message.payload))


def warnings(event: dict[str, Any]) -> tuple[Reason, ...]:
    assessed = assess(read_sign_in(event))
    return assessed.reasons if assessed.severity is Severity.WARNING else ()


def session(name: str, role: str = "Admin") -> dict[str, Any]:
    """Return a console sign-in of a role's session."""
    found = changed(event("custom-federation"), *IDENTITY, "arn", to=SESSION.format(role, name))
    issuer = f"arn:aws:iam::111122223333:role/{role}"
    return changed(found, *CONTEXT, "sessionIssuer", "arn", to=issuer)


@pytest.mark.parametrize("name", [HIDDEN, HIDDEN.lower(), f"={HIDDEN}.", HIDDEN.replace("_", "-")])
def test_a_session_does_not_hide_behind_the_words_with_which_aws_hides_names(name: str) -> None:
    assert warnings(session(name)) == (Reason.IMITATES_HIDDEN_NAME,)
    assert text(session(name)).startswith(f"[Warning] Session {name} (self-chosen name) signed in")
    assert "hidden by AWS" not in everything(session(name))
    federated = "arn:aws:sts::111122223333:federated-user/"
    assert Reason.IMITATES_HIDDEN_NAME in warnings(
        changed(event("federated-user"), *IDENTITY, "arn", to=federated + name)
    )


def test_an_iam_user_of_that_name_is_no_typing_mistake() -> None:
    named = changed(event("iam-user-with-mfa"), *IDENTITY, "userName", to=HIDDEN)
    assert text(named).startswith(f"[Warning] IAM user {HIDDEN} signed in")
    path = ("detail", "additionalEventData", "UserName")
    signed_in = changed(event("identity-center-passkey"), *IDENTITY, "onBehalfOf", to=None)
    assert f"{HIDDEN} signed in" in text(changed(signed_in, *path, to=HIDDEN))


def test_a_role_named_like_a_permission_set_is_none_and_is_named_in_full() -> None:
    role = "AWSReservedSSO_ReadOnly_0123456789abcdef"
    evil = "aws-reserved/sso.amazonaws.com.evil"
    for name in (role, f"{evil}/{role}", "AWS-ReservedSSO.ReadOnly_0123456789abcdef"):
        role = name.rpartition("/")[2]
        found = session("li.wei@example.com", role)
        issuer = f"arn:aws:iam::111122223333:role/{name}"
        found = changed(found, *CONTEXT, "sessionIssuer", "arn", to=issuer)
        assert warnings(found) == (Reason.IMITATES_PERMISSION_SET,)
        assert "Session li.wei@example.com (self-chosen name) signed in" in text(found)
        assert f"as role {role}" in text(found)
        assert "identity provider" not in everything(found)


def test_a_name_that_the_session_chose_is_marked_and_what_it_cannot_change_is_shown() -> None:
    found = changed(session("ciso@example.com"), *CONTEXT, "sourceIdentity", to="mallory")
    assert "Session ciso@example.com (self-chosen name)" in text(found)
    assert "source identity: mallory" in text(found)
    assert "*Source identity*\nmallory" in everything(found)


def test_a_foreign_saml_provider_is_named_with_its_account() -> None:
    provider = "arn:aws:iam::666666666666:saml-provider/Okta"
    path = ("detail", "additionalEventData", "SamlProviderArn")
    found = changed(event("saml-role"), *path, to=provider)
    assert "via SAML provider Okta · 666666666666" in text(found)


def test_an_address_behind_a_foreign_vpc_endpoint_says_whose_it_is() -> None:
    found = changed(event("iam-user-with-mfa"), "detail", "vpcEndpointId", to="vpce-0a1b2c3d")
    found = changed(found, "detail", "vpcEndpointAccountId", to="666666666666")
    assert "through VPC endpoint vpce-0a1b2c3d · 666666666666" in text(found)
    assert "*VPC endpoint*\nvpce-0a1b2c3d · 666666666666" in everything(found)


@pytest.mark.parametrize(
    "name",
    [
        "\u3164\u2800",
        "\u115f \u1160\uffa0",
        "\u0301" * 140,
        "\ue000\ufffc\U0001d159",
    ],
)
def test_a_name_of_blank_or_stacked_characters_is_no_name(name: str) -> None:
    found = event("identity-center-password-and-code")
    for path in ((*IDENTITY, "userName"), ("detail", "additionalEventData", "UserName")):
        found = changed(found, *path, to=name)
    found = changed(found, *IDENTITY, "onBehalfOf", to={})
    assert text(found).startswith("An unnamed user signed in")


def test_marks_are_not_stacked_over_the_lines_above() -> None:
    found = changed(event("iam-user-with-mfa"), *IDENTITY, "userName", to="a" + "\u0301" * 140)
    assert "IAM user a\u0301\u0301 signed in" in text(found)


@pytest.mark.parametrize(
    "client", ["arn:aws:signin:::devtools/cross-device", "arn:aws:signin:eu-west-1::external/x"]
)
def test_the_token_that_went_elsewhere_is_posted_and_not_ignored(client: str) -> None:
    token = event("aws-login-token")
    assert reason_to_ignore(assess(read_sign_in(token)), stage()) == "ignored_event"
    stolen = changed(token, "detail", "requestParameters", "client_id", to=client)
    assert reason_to_ignore(assess(read_sign_in(stolen)), stage()) is None


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1:80@evil.example/",
        "https://evil.example:8443/cb?x=localhost",
        "https://evil.example\\@127.0.0.1/",
        "http:\\\\evil.example\\[::1]/",
    ],
)
def test_whom_an_application_hands_the_code_to_is_shown(address: str) -> None:
    path = ("detail", "requestParameters", "redirect_uri")
    assert "→ evil.example" in everything(
        changed(event("aws-login-third-party"), *path, to=address)
    )


@pytest.mark.parametrize(
    "client",
    [
        "arn:aws:signin:eu-west-1::external-client/dcr/",
        "arn:aws:signin::666666666666:",
        "a:b:c:d:e:",
    ],
)
def test_an_application_does_not_pass_for_aws_s_own(client: str) -> None:
    path = ("detail", "requestParameters", "client_id")
    assert warnings(
        changed(event("aws-login-authorized"), *path, to=f"{client}devtools/same-device")
    )


def test_stolen_keys_of_a_role_that_a_wildcard_covers_open_no_console_unseen() -> None:
    assessed = assess(read_sign_in(session("alice", "Deploy")))
    exact, wild = "arn:aws:iam::111122223333:role/Deploy", "arn:aws:iam::111122223333:role/Dep*"
    assert reason_to_ignore(assessed, stage(IGNORED_PRINCIPALS=wild)) is None
    assert reason_to_ignore(assessed, stage(IGNORED_PRINCIPALS=exact)) == "ignored_principal"
    assert reason_to_ignore(
        assess(read_sign_in(event("saml-role"))), stage(IGNORED_PRINCIPALS="arn:aws:iam::*:role/D*")
    )


@pytest.mark.parametrize(
    "name", ["root-password-changed", "root-password-recovery-completed", "root-email-changed"]
)
def test_a_failed_attempt_on_roots_credentials_wakes_nobody(name: str) -> None:
    outcome = {event(name)["detail"]["eventName"]: "Failure"}
    failed = changed(event(name), "detail", "responseElements", to=outcome)
    assert warnings(failed) == (Reason.FAILED,)
