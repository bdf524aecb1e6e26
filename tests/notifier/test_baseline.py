"""A stage that remembers who signs in from where."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.reports import report_in
from tests.support.notifier_harness import (
    FIREFOX,
    SECONDS,
    MakeNotifier,
    NotifierHarness,
    alice,
    decided,
    event,
    severity_and_reasons,
)


def test_a_person_becomes_familiar(baseline: MakeNotifier) -> None:
    notifier = baseline()
    notifier.warm_up()
    assert severity_and_reasons(notifier, alice()) == ("warning", ["first_sign_in"])
    assert severity_and_reasons(notifier, alice()) == ("info", ["with_mfa", "familiar"])
    assert severity_and_reasons(notifier, alice("198.51.100.7")) == (
        "info",
        ["with_mfa", "new_network"],
    )
    assert severity_and_reasons(notifier, alice("192.0.2.7", FIREFOX)) == (
        "warning",
        ["new_network", "new_client"],
    )
    assert severity_and_reasons(notifier, alice("192.0.2.200", FIREFOX))[0] == "info"


def test_the_familiar_is_ignored_where_the_stage_says_so(baseline: MakeNotifier) -> None:
    notifier = baseline(FAMILIAR_SIGN_INS="ignore")
    assert decided(notifier, alice())[0] == "posted"
    assert decided(notifier, alice()) == ("ignored", "familiar")
    assert decided(notifier, alice("198.51.100.7"))[0] == "posted"


@pytest.mark.parametrize("name", ["root-with-mfa", "iam-user-without-mfa", "root-wrong-password"])
def test_what_matters_is_posted_however_familiar(name: str, baseline: MakeNotifier) -> None:
    notifier = baseline(FAMILIAR_SIGN_INS="ignore")
    for _ in range(2):
        assert decided(notifier, event(name))[0] == "posted"


def test_an_event_that_comes_twice_is_new_twice(baseline: MakeNotifier) -> None:
    sign_in = alice()
    for notifier in (baseline(), baseline()):
        assert notifier.notify(sign_in, SECONDS)["reasons"] == ["first_sign_in"]


def test_a_parked_sign_in_is_as_new_when_it_is_redelivered(
    baseline: MakeNotifier, harness: NotifierHarness
) -> None:
    baseline().notify(alice(), SECONDS)
    harness.receiver.behave("no_service")
    new = alice("192.0.2.7", FIREFOX)
    assert decided(baseline(), new)[0] == "parked"
    harness.receiver.behave("ok")
    harness.log()
    baseline().redeliver(harness.records(), SECONDS, report_in)
    (line,) = harness.log()
    assert line["reasons"] == ["new_network", "new_client"]


@pytest.mark.parametrize("table", ["gone", "other"])
def test_where_the_table_cannot_be_used_all_is_posted_as_without_a_baseline(
    table: str, baseline: MakeNotifier, harness: NotifierHarness
) -> None:
    harness.aws.make_table("other", key="id", expiry="expires")
    line = baseline(BASELINE_TABLE=table, FAMILIAR_SIGN_INS="ignore").notify(alice(), SECONDS)
    assert (line["decision"], line["familiar"], line["reasons"]) == ("posted", None, ["with_mfa"])
    assert any("The baseline was not asked" in str(line.get("message")) for line in harness.log())


def test_two_functions_at_once_agree_who_was_first(
    baseline: MakeNotifier, harness: NotifierHarness
) -> None:
    sign_ins = [alice() for _ in range(8)]
    with ThreadPoolExecutor(max_workers=8) as pool:
        lines = list(pool.map(lambda sign_in: baseline().notify(sign_in, SECONDS), sign_ins))
    assert sorted(bool(line["familiar"]) for line in lines) == [False, *[True] * 7]
    assert sum("First known sign-in of alice" in text for text in harness.texts) == 1


def test_the_log_knows_a_person_by_a_keyed_hash_alone(
    baseline: MakeNotifier, harness: NotifierHarness
) -> None:
    quiet = {"LOG_EVENTS": "false", "FAMILIAR_SIGN_INS": "ignore"}
    for sign_in in (alice(), event("saml-role"), alice()):
        baseline(**quiet).notify(sign_in, SECONDS)
    warm = baseline(**quiet)
    warm.notify(alice(agent=FIREFOX), SECONDS)
    warm.notify(alice(), SECONDS)
    lines = [line for line in harness.log() if "decision" in line]
    alices, okta, unknown, *again = [line["person"] for line in lines]
    assert [alices] == list(set(again))
    assert unknown is None
    assert len({alices, okta}) == 2
    assert "alice" not in str(lines)


def test_known_networks_need_no_table(harness: NotifierHarness) -> None:
    notifier = harness.notifier(KNOWN_NETWORKS='{"203.0.113.0/24": "Seoul office"}')
    assert severity_and_reasons(notifier, alice()) == ("info", ["with_mfa"])
    assert severity_and_reasons(notifier, alice("198.51.100.7")) == (
        "warning",
        ["outside_known_networks"],
    )
