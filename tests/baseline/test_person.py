"""Who a person is to the baseline."""

from typing import Any

import pytest

from chalicelib.baseline.person import is_named, name_of, person_of
from chalicelib.signin.reader import read_sign_in
from tests.support.records import changed, event, without

ARN = ("detail", "userIdentity", "arn")
ISSUER_ARN = ("detail", "userIdentity", "sessionContext", "sessionIssuer", "arn")
ROLE = "AWSReservedSSO_AdministratorAccess_3f9ac1d2e4b57086"
BREAK_GLASS = "arn:aws:iam::111122223333:role/BreakGlass"
SSO = event("identity-center-permission-set")
SAML = event("saml-role")


def person(event: dict[str, Any]) -> str | None:
    return person_of(read_sign_in(event))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("root-with-mfa", "root 111122223333"),
        ("iam-user-with-mfa", "arn:aws:iam::111122223333:user/alice"),
        ("identity-center-permission-set", "sso carol.jones@example.com"),
        ("identity-center-external-idp", "sso carol.jones@example.com"),
        ("saml-role", "saml arn:aws:iam::444455556666:saml-provider/Okta minjun.kim@example.com"),
        ("saml-user", "saml arn:aws:iam::444455556666:saml-provider/ADFS emeka.obi@example.com"),
        ("custom-federation", BREAK_GLASS),
        ("federated-user", "federated arn:aws:iam::111122223333:user/machines/build-server"),
        ("iam-user-unknown-name", None),
        ("web-identity-user", None),
    ],
)
def test_a_person_is_named_by_what_they_cannot_choose(name: str, key: str | None) -> None:
    assert person(event(name)) == key


def test_a_user_of_identity_center_is_one_person_in_every_account() -> None:
    role = "AWSReservedSSO_Developers_0123456789abcdef"
    issuer = f"arn:aws:iam::444455556666:role/aws-reserved/sso.amazonaws.com/{role}"
    session = f"arn:aws:sts::444455556666:assumed-role/{role}/carol.jones@example.com"
    elsewhere = changed(changed(SSO, *ARN, to=session), *ISSUER_ARN, to=issuer)
    portal = event("identity-center-external-idp")
    assert person(SSO) == person(elsewhere) == person(portal) == "sso carol.jones@example.com"


@pytest.mark.parametrize(
    "imitation",
    [
        changed(SSO, *ISSUER_ARN, to=f"arn:aws:iam::111122223333:role/{ROLE}"),
        changed(SSO, *ISSUER_ARN, to=f"arn:aws:iam::111122223333:role/sso.amazonaws.com/{ROLE}"),
        without(SSO, "detail", "userIdentity", "sessionContext"),
    ],
)
def test_a_role_that_imitates_a_permission_set_is_no_person_of_identity_center(
    imitation: dict[str, Any],
) -> None:
    assert person(imitation) not in (None, person(SSO))
    assert "carol" not in str(person(imitation))


def test_a_session_that_calls_itself_by_a_name_of_another_is_its_role() -> None:
    arn = "arn:aws:sts::111122223333:assumed-role/BreakGlass/carol.jones@example.com"
    assert person(changed(event("custom-federation"), *ARN, to=arn)) == BREAK_GLASS


def test_the_same_name_at_another_identity_provider_is_another_person() -> None:
    provider = ("detail", "additionalEventData", "SamlProviderArn")
    evil = changed(SAML, *provider, to="arn:aws:iam::444455556666:saml-provider/evil")
    assert person(evil) not in (None, person(SAML))


def test_the_same_name_in_a_directory_of_an_application_is_another_person() -> None:
    portal = event("identity-center-external-idp")
    target = ("detail", "additionalEventData", "LoginTo")
    workspaces = changed(portal, *target, to="https://clients.amazonaws.com/workspaces")
    assert person(workspaces) not in (None, person(portal))


def test_a_name_too_long_for_a_key_is_nobody_s() -> None:
    name = ("detail", "additionalEventData", "UserName")
    assert person(changed(event("identity-center-external-idp"), *name, to="x" * 2_000)) is None


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("arn:aws:iam::111122223333:user/machines/build-server", "build-server"),
        ("sso carol.jones@example.com", "carol.jones@example.com"),
        ("saml arn:aws:iam::444455556666:saml-provider/Okta minjun.kim@example.com", "Minjun.Kim"),
        ("root 111122223333", "111122223333"),
    ],
)
def test_an_operator_finds_a_person_by_the_name(key: str, name: str) -> None:
    assert is_named(key, name)
    assert is_named(key, key)
    assert not is_named(key, name_of(key)[1:])
