"""How much each sign-in matters, and why: the rules, one a test."""

from typing import Any

import pytest

from chalicelib.signin.origin import Habits, Origin
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import Reason, Severity, assess
from tests.support.records import EVENTS, changed, event

Assessment = tuple[Severity, tuple[Reason, ...]]


def severity_and_reasons(event: dict[str, Any]) -> Assessment:
    assessed = assess(read_sign_in(event))
    return assessed.severity, assessed.reasons


def assessed(name: str) -> Assessment:
    return severity_and_reasons(event(name))


def with_outcome(event: dict[str, Any], outcome: str) -> Assessment:
    name = event["detail"]["eventName"]
    return severity_and_reasons(changed(event, "detail", "responseElements", to={name: outcome}))


CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
RULES: dict[str, tuple[Severity, str]] = {
    "root-with-mfa": (CRITICAL, "root_signed_in"),
    "root-without-mfa": (CRITICAL, "root_signed_in without_mfa"),
    "root-wrong-mfa-code": (CRITICAL, "root_failed_at_mfa"),
    "root-password-changed": (CRITICAL, "root_credentials_changed"),
    "root-password-recovery-completed": (CRITICAL, "root_credentials_changed"),
    "root-email-changed": (CRITICAL, "root_credentials_changed"),
    "root-access-keys": (CRITICAL, "made_from_root_keys"),
    "anomaly-alert": (CRITICAL, "anomaly"),
    "root-wrong-password": (WARNING, "failed"),
    "root-password-recovery-requested": (WARNING, "password_recovery_requested"),  # anyone can
    "iam-user-wrong-password": (WARNING, "failed"),
    "iam-user-unknown-name": (WARNING, "failed"),
    "switch-role-refused": (WARNING, "failed"),
    "external-idp-login-failed": (WARNING, "failed"),
    "credential-failed-password": (WARNING, "failed"),
    "iam-user-wrong-mfa-code": (WARNING, "failed_at_mfa"),
    "credential-failed-code": (WARNING, "failed_at_mfa"),
    "iam-user-without-mfa": (WARNING, "without_mfa"),
    "identity-center-password-only": (WARNING, "without_mfa"),
    "federated-user": (WARNING, "made_from_access_keys"),
    "aws-login-cross-device": (WARNING, "cross_device"),
    "aws-login-token-elsewhere": (WARNING, "cross_device"),
    "aws-login-third-party": (WARNING, "third_party_client"),
    "sign-in-policy-changed": (WARNING, "access_changed"),
    "event-never-seen-before": (WARNING, "not_understood outcome_unknown"),
    "trimmed-record": (WARNING, "not_understood outcome_unknown"),
    "iam-user-with-mfa": (INFO, "with_mfa"),
    "identity-center-passkey": (INFO, "with_mfa"),
    "saml-role": (INFO, "mfa_at_identity_provider"),
    "identity-center-permission-set": (INFO, "mfa_at_identity_provider"),
    "identity-center-external-idp": (INFO, "mfa_at_identity_provider"),
    "custom-federation": (INFO, "routine"),
    "exit-role": (INFO, "routine"),
    "renew-role": (INFO, "routine"),
}


@pytest.mark.parametrize("name", RULES)
def test_a_sign_in_matters_as_the_rule_of_its_kind_says(name: str) -> None:
    severity, reasons = assessed(name)
    assert (severity, " ".join(reasons)) == RULES[name]


def test_a_change_of_roots_credentials_is_critical_if_its_outcome_is_unknown() -> None:
    assert with_outcome(event("root-email-changed"), "?")[0] is CRITICAL


@pytest.mark.parametrize("name", ["credential-challenge", "credential-verified-password"])
def test_a_step_on_the_way_in_is_not_yet_a_sign_in_without_mfa(name: str) -> None:
    assert assessed(name)[0] is INFO


def test_a_machine_in_a_browser_is_a_warning() -> None:
    machine = event("machine-session")
    path = ("detail", "userIdentity", "arn")
    arn = "arn:aws:sts::111122223333:assumed-role/WebServer/"
    for name in (
        "i-0abcd1234ef567890",
        "i-0abcd123",
        "mi-0abcd1234ef567890",
        "botocore-session-1718244000",
        "aws-sdk-java-1718244000123",
        "aws-go-sdk-1718244000123456789",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "AWSCodeBuild-9f8e7d6c",
        "1718244000123456789",
        "eks-prod-api-7d9f-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
    ):
        found = severity_and_reasons(changed(machine, *path, to=arn + name))
        assert found == (WARNING, (Reason.MACHINE_SESSION,)), name
    for name in ("i-love-aws", "alice", "botocore-session-of-alice"):
        assert severity_and_reasons(changed(machine, *path, to=arn + name))[0] is INFO, name


def test_a_token_that_is_only_refreshed_is_routine_wherever_it_is() -> None:
    path = ("detail", "additionalEventData", "grant_type")
    refreshed = changed(event("aws-login-token-elsewhere"), *path, to="refresh_token")
    assert severity_and_reasons(refreshed)[0] is INFO


def test_root_who_may_have_signed_in_is_critical() -> None:
    reasons = (Reason.ROOT_MAY_HAVE_SIGNED_IN, Reason.WITHOUT_MFA)
    assert with_outcome(event("root-without-mfa"), "?") == (CRITICAL, reasons)


@pytest.mark.parametrize("name", ["iam-user-with-mfa", "saml-role"])
def test_an_outcome_that_aws_does_not_state_is_a_warning(name: str) -> None:
    assert with_outcome(event(name), "?") == (WARNING, (Reason.OUTCOME_UNKNOWN,))


def test_a_second_factor_that_was_only_asked_for_was_not_used() -> None:
    path = ("detail", "additionalEventData", "CredentialType")
    asked = changed(event("credential-challenge"), *path, to="TOTP")
    assert severity_and_reasons(asked) == (INFO, (Reason.ROUTINE,))


def test_every_judgement_has_a_reason() -> None:
    assert [name for name in EVENTS if not assessed(name)[1]] == []


def test_nothing_that_a_stranger_can_cause_is_critical() -> None:
    strangers = [name for name in EVENTS if "wrong-password" in name or "unknown" in name]
    assert CRITICAL not in {assessed(name)[0] for name in strangers}


def test_severities_have_an_order_and_a_word() -> None:
    assert INFO < WARNING < CRITICAL
    assert [severity.word for severity in Severity] == ["info", "warning", "critical"]


def from_origin(name: str, *, outside: bool = False, **new: bool) -> Assessment:
    habits = Habits(
        **{"is_first": False, "is_new_network": False, "is_new_client": False} | new,
        is_of_role=False,
        network="198.51.100.0/24",
        client="Firefox/Linux",
        usual_networks=("Seoul office",),
        usual_clients=("Chrome/macOS",),
    )
    origin = Origin(is_outside_known_networks=outside, habits=habits)
    assessed = assess(read_sign_in(event(name)), origin)
    return assessed.severity, assessed.reasons


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ({}, (INFO, (Reason.WITH_MFA, Reason.FAMILIAR))),
        ({"is_new_network": True}, (INFO, (Reason.WITH_MFA, Reason.NEW_NETWORK))),
        ({"is_new_client": True}, (INFO, (Reason.WITH_MFA, Reason.NEW_CLIENT))),
        (
            {"is_new_network": True, "is_new_client": True},
            (WARNING, (Reason.NEW_NETWORK, Reason.NEW_CLIENT)),
        ),
        (
            {"is_first": True, "is_new_network": True, "is_new_client": True},
            (WARNING, (Reason.FIRST_SIGN_IN,)),
        ),
        (
            {"is_new_network": True, "outside": True},
            (WARNING, (Reason.NEW_NETWORK, Reason.OUTSIDE_KNOWN_NETWORKS)),
        ),
    ],
)
def test_what_is_new_for_a_person_matters(new: dict[str, bool], expected: Assessment) -> None:
    assert from_origin("iam-user-with-mfa", **new) == expected


def test_outside_the_known_networks_is_a_warning_without_a_baseline() -> None:
    origin = Origin(is_outside_known_networks=True)
    outside = assess(read_sign_in(event("iam-user-with-mfa")), origin)
    assert outside.severity is WARNING
    assert outside.reasons == (Reason.OUTSIDE_KNOWN_NETWORKS,)
    assert outside.is_familiar is None


def test_what_matters_more_is_said_beside_what_is_new() -> None:
    reasons = (Reason.WITHOUT_MFA, Reason.NEW_NETWORK)
    assert from_origin("iam-user-without-mfa", is_new_network=True) == (WARNING, reasons)
    reasons = (Reason.ROOT_SIGNED_IN, Reason.NEW_CLIENT)
    assert from_origin("root-with-mfa", is_new_client=True) == (CRITICAL, reasons)


@pytest.mark.parametrize("name", ["root-with-mfa", "iam-user-without-mfa"])
def test_what_is_more_than_info_is_never_familiar(name: str) -> None:
    assert Reason.FAMILIAR not in from_origin(name)[1]
