"""Attempts to bury a sign-in that succeeded under failures that anybody can cause."""

import json
from typing import Any

import pytest

from chalicelib.reports import report_in
from tests.support.notifier_harness import SECONDS, NotifierHarness, event
from tests.support.records import changed

ADDRESS = ("detail", "sourceIPAddress")
NAME = ("detail", "userIdentity", "userName")
ATTACKER = "198.51.100.202"


def failure(name: str, address: str = ATTACKER) -> dict[str, Any]:
    return changed(changed(event("iam-user-wrong-password"), *NAME, to=name), *ADDRESS, to=address)


def posted(harness: NotifierHarness, *events: dict[str, Any]) -> list[str]:
    """Return what the channel shows of a batch."""
    records = [
        {"body": json.dumps({"event": content}), "receiptHandle": f"{number}"}
        for number, content in enumerate(events)
    ]
    harness.notifier().redeliver(records, SECONDS, report_in)
    return harness.texts


def test_a_spray_that_succeeds_is_posted_first_and_alone_and_the_spray_named(
    harness: NotifierHarness,
) -> None:
    spray = [failure(f"user-{number}") for number in range(9)]
    success = changed(event("saml-role"), *ADDRESS, to=ATTACKER)
    alone, digest = posted(harness, *spray, success)
    assert alone.startswith("[Warning] minjun.kim@example.com signed in")
    assert "9 failed sign-ins to prod (111122223333)" in digest
    assert f"9 user names from 1 address ({ATTACKER}). This looks like password spr" in digest


@pytest.mark.parametrize(
    ("failed", "succeeded"),
    [
        (changed(failure("Alice"), *ADDRESS, to=None), event("iam-user-with-mfa")),
        (
            failure("x", "2001:db8:1:2::1"),
            changed(event("iam-user-with-mfa"), *ADDRESS, to="2001:db8:1:2:ffff::9"),
        ),
    ],
)
def test_a_success_by_a_name_or_from_a_network_that_failed_is_a_warning(
    failed: dict[str, Any], succeeded: dict[str, Any], harness: NotifierHarness
) -> None:
    alone, _ = posted(harness, failed, succeeded)
    assert alone.startswith("[Warning] IAM user alice signed in")
    (line,) = [line for line in harness.log() if line.get("outcome") == "Success"]
    assert (line["severity"], line["reasons"]) == ("warning", ["after_failures"])


def test_two_sign_ins_without_an_address_have_nothing_in_common(harness: NotifierHarness) -> None:
    failed, succeeded = failure("x"), event("iam-user-with-mfa")
    posted(harness, *(changed(happened, *ADDRESS, to=None) for happened in (failed, succeeded)))
    (line,) = [line for line in harness.log() if line.get("outcome") == "Success"]
    assert line["severity"] == "info"


def test_other_successes_stay_what_they_are_and_are_named_first(harness: NotifierHarness) -> None:
    (digest,) = posted(harness, failure("bob"), event("iam-user-with-mfa"))
    assert digest.startswith("[Warning] Signed in: IAM user alice. 1 failed sign-in to prod")


def test_critical_comes_before_warnings_and_warnings_before_the_rest(
    harness: NotifierHarness,
) -> None:
    batch = [failure("bob"), event("iam-user-without-mfa"), event("root-with-mfa")]
    critical, warning, failed = posted(harness, *batch)
    assert critical.startswith("[Critical] Root user signed in")
    assert warning.startswith("[Warning] IAM user build-server signed in")
    assert "as IAM user bob from" in failed


def test_guesses_at_one_name_are_called_so(harness: NotifierHarness) -> None:
    (digest,) = posted(harness, *(failure("alice", f"192.0.2.{n}") for n in range(9)))
    assert "9 failed sign-ins" in digest
    assert "1 user name from 9 addresses. This looks like password guessing." in digest


def test_a_few_typing_mistakes_look_like_nothing(harness: NotifierHarness) -> None:
    (digest,) = posted(harness, *(failure(name) for name in ("alice", "alice", "bob")))
    assert "looks like" not in digest


def test_of_many_warnings_that_succeeded_some_are_posted_alone_and_all_are_named(
    harness: NotifierHarness,
) -> None:
    without_mfa = event("iam-user-without-mfa")
    batch = [changed(without_mfa, *NAME, to=f"user-{number}") for number in range(22)]
    batch = [changed(content, "detail", "eventID", to=f"e-{n}") for n, content in enumerate(batch)]
    texts = posted(harness, *batch, event("root-without-mfa"))
    assert texts[0].startswith("[Critical] Root user signed in")
    assert len(texts) == 22
    assert texts[-1] == "[Warning] Signed in: IAM user user-20, IAM user user-21."
