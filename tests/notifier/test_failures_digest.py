"""Where the stage wants a digest of failed sign-ins, they wait for it in the queue."""

import pytest

from chalicelib.messages.digest import LINES_PER_MESSAGE
from tests.support.notifier_harness import SECONDS, NotifierHarness, decided, event
from tests.support.records import changed


@pytest.mark.parametrize(
    "name",
    [
        "iam-user-wrong-password",
        "iam-user-unknown-name",
        "root-wrong-password",
        "switch-role-refused",
    ],
)
def test_failures_wait_for_their_digest_where_the_stage_wants_a_digest(
    name: str, harness: NotifierHarness
) -> None:
    received = event(name)
    decision = harness.notifier(FAILURES="digest").notify(received, SECONDS)
    assert (decision["decision"], decision["reason"], decision["act"]) == (
        "parked",
        "digest",
        "nobody",
    )
    assert harness.parked == [{"reason": "digest", "act": "nobody", "event": received}]
    assert harness.receiver.posts == []


@pytest.mark.parametrize(
    "name",
    [
        "root-wrong-mfa-code",
        "iam-user-wrong-mfa-code",
        "iam-user-with-mfa",
        "iam-user-without-mfa",
        "event-never-seen-before",
    ],
)
def test_failures_at_the_mfa_step_and_all_else_are_posted_at_once(
    name: str, harness: NotifierHarness
) -> None:
    assert decided(harness.notifier(FAILURES="digest"), event(name)) == ("posted", None)


def test_a_failure_that_cannot_wait_in_the_queue_is_posted_at_once(
    harness: NotifierHarness,
) -> None:
    notifier = harness.notifier(FAILURES="digest", UNDELIVERED_QUEUE="never-made")
    assert decided(notifier, event("iam-user-wrong-password")) == ("posted", None)


def test_without_that_setting_each_failure_is_posted_at_once(harness: NotifierHarness) -> None:
    assert decided(harness.notifier(), event("iam-user-wrong-password")) == ("posted", None)


def test_more_than_one_message_holds_are_posted_in_several_and_decided_of_in_their_order(
    harness: NotifierHarness,
) -> None:
    users = [
        changed(event("iam-user-with-mfa"), "detail", "userIdentity", "userName", to=f"user{n}")
        for n in range(LINES_PER_MESSAGE + 1)
    ]
    events = [changed(user, "detail", "eventID", to=str(n)) for n, user in enumerate(users)]
    lines = harness.notifier().notify_together(events, SECONDS)
    assert [line["event_id"] for line in lines] == [str(n) for n in range(len(events))]
    assert len(harness.texts) == 2
