"""Attempts to become familiar unseen, by another's name, or without signing in."""

from typing import Any

import pytest

from chalicelib.reports import report_in
from playground.aws.embedded import EmbeddedAws
from tests.support.notifier_harness import (
    FIREFOX,
    SECONDS,
    TABLE,
    MakeNotifier,
    NotifierHarness,
    alice,
    decided,
    event,
    severity_and_reasons,
)
from tests.support.records import changed

AWAY = "192.0.2.7"
IDENTITY = ("detail", "userIdentity")


# Nobody becomes familiar without a message that says they were new.


def test_one_step_at_a_time_below_the_minimum_severity_teaches_nothing(
    baseline: MakeNotifier, harness: NotifierHarness
) -> None:
    notifier = baseline(MINIMUM_SEVERITY="warning")
    notifier.notify(alice(), SECONDS)
    for _ in range(2):
        assert decided(notifier, alice(AWAY)) == ("ignored", "below_minimum_severity")
        assert decided(notifier, alice(agent=FIREFOX)) == ("ignored", "below_minimum_severity")
    assert decided(notifier, alice(AWAY, FIREFOX))[0] == "posted"
    assert "network 192.0.2.0/24, Firefox on Linux" in harness.texts[-1]


def test_a_principal_that_is_ignored_is_posted_where_it_is_new(baseline: MakeNotifier) -> None:
    pattern = "arn:aws:iam::111122223333:role/BreakGlass"
    notifier = baseline(IGNORED_PRINCIPALS=pattern, FAMILIAR_SIGN_INS="ignore")
    assert decided(notifier, event("custom-federation"))[0] == "posted"
    assert decided(notifier, event("custom-federation")) == ("ignored", "ignored_principal")
    elsewhere = changed(event("custom-federation"), "detail", "sourceIPAddress", to=AWAY)
    assert decided(notifier, elsewhere) == ("ignored", "ignored_principal")
    moved = changed(elsewhere, "detail", "userAgent", to="curl/8.14.1")
    assert severity_and_reasons(notifier, moved) == ("warning", ["new_network", "new_client"])


def test_a_sign_in_in_a_digest_is_said_to_be_from_a_new_network(
    baseline: MakeNotifier, harness: NotifierHarness
) -> None:
    baseline().notify(alice(), SECONDS)
    harness.receiver.behave("no_service")
    for address in (AWAY, "198.51.100.7"):
        baseline().notify(alice(address), SECONDS)
    harness.receiver.behave("ok")
    baseline().redeliver(harness.records(), SECONDS, report_in)
    assert str(harness.receiver.messages[-1].payload).count("new network") == 2


# Nobody inherits another's baseline by a session name.


def test_a_name_that_the_session_chose_inherits_nothing(baseline: MakeNotifier) -> None:
    notifier = baseline()
    for name in ("identity-center-permission-set", "iam-user-with-mfa"):
        notifier.notify(event(name), SECONDS)
    for name in ("carol.jones@example.com", "alice"):
        arn = f"arn:aws:sts::111122223333:assumed-role/BreakGlass/{name}"
        session = changed(event("custom-federation"), *IDENTITY, "arn", to=arn)
        issuer = f"arn:aws:iam::111122223333:role/BreakGlass{name[0]}"
        session = changed(session, *IDENTITY, "sessionContext", "sessionIssuer", "arn", to=issuer)
        assert notifier.notify(session, SECONDS)["reasons"] == ["first_sign_in"]


def test_a_role_that_imitates_a_permission_set_inherits_nothing(baseline: MakeNotifier) -> None:
    notifier = baseline()
    notifier.notify(event("identity-center-permission-set"), SECONDS)
    imitation = changed(
        event("identity-center-permission-set"),
        *(*IDENTITY, "sessionContext", "sessionIssuer", "arn"),
        to="arn:aws:iam::111122223333:role/AWSReservedSSO_AdministratorAccess_3f9ac1d2e4b57086",
    )
    assert "first_sign_in" in notifier.notify(imitation, SECONDS)["reasons"]


def test_an_identity_provider_of_the_attacker_s_inherits_nothing(baseline: MakeNotifier) -> None:
    notifier = baseline()
    notifier.notify(event("saml-role"), SECONDS)
    provider = ("detail", "additionalEventData", "SamlProviderArn")
    evil = changed(event("saml-role"), *provider, to="arn:aws:iam::444455556666:saml-provider/evil")
    assert notifier.notify(evil, SECONDS)["reasons"] == ["first_sign_in"]


def test_a_vpc_that_bears_the_office_s_addresses_inherits_nothing(baseline: MakeNotifier) -> None:
    notifier = baseline(KNOWN_NETWORKS='{"203.0.113.0/24": "Seoul office"}')
    notifier.notify(alice(), SECONDS)
    for account in ("111122223333", "666666666666"):
        through = changed(alice(), "detail", "vpcEndpointId", to=f"vpce-of-{account}")
        through = changed(through, "detail", "vpcEndpointAccountId", to=account)
        assert "new_network" in (reasons := notifier.notify(through, SECONDS)["reasons"])
    assert "outside_known_networks" in reasons  # whose addresses another account chooses


# Nobody grows or poisons the table without signing in.


@pytest.mark.parametrize(
    "attempt",
    [
        event("root-wrong-password"),
        event("credential-verified-password"),
        changed(alice(AWAY), "detail", "responseElements", to={}),
        changed(alice(AWAY), "replay-name", to="again"),
    ],
)
def test_an_attempt_leaves_nothing_in_the_table(
    attempt: dict[str, Any], baseline: MakeNotifier, aws: EmbeddedAws
) -> None:
    baseline().notify(attempt, SECONDS)
    assert aws.items(TABLE) == []


def test_what_is_forged_into_the_queue_leaves_nothing_in_the_table(
    baseline: MakeNotifier, harness: NotifierHarness, aws: EmbeddedAws
) -> None:
    baseline().notify(alice(), SECONDS)
    before = aws.items(TABLE)
    for forged in (alice(AWAY, FIREFOX), event("saml-role")):
        baseline().redeliver(harness.park(forged), SECONDS, report_in)
    assert aws.items(TABLE) == before


def test_clients_without_number_are_few(baseline: MakeNotifier, aws: EmbeddedAws) -> None:
    notifier = baseline()
    for number in range(30):
        notifier.notify(alice(agent=f"agent-{number}/{number}"), SECONDS)
    (item,) = aws.items(TABLE)
    assert [name for name in item if name.startswith("client ")] == ["client /"]
