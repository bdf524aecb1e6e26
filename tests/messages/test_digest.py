"""Many sign-ins in few messages: nothing uncounted, no success unnamed, no limit broken."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.messages.digest import LINES_PER_MESSAGE, NAMED_FAILURES, digests
from chalicelib.messages.message import Message
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import AssessedSignIn, Severity, assess
from tests.support.records import changed, event
from tests.support.slack_validator import faults, texts
from tests.support.stage import LANGUAGES, stage

SUCCESS = event("iam-user-with-mfa")
FAILURE = event("iam-user-wrong-password")
# What is longest once escaped, in every field that a line shows.
LONGEST = "&" * 150


def assessed(found: dict[str, Any]) -> AssessedSignIn:
    return assess(read_sign_in(found))


def named(found: dict[str, Any], name: str) -> AssessedSignIn:
    return assessed(changed(found, "detail", "userIdentity", "userName", to=name))


def people(found: dict[str, Any], count: int) -> list[AssessedSignIn]:
    return [named(found, f"person-{number}.") for number in range(count)]


def lines(message: Message) -> list[str]:
    """Return the lines of a digest, its title left out."""
    return [line for text in list(texts(message.payload))[2:] for line in text.split("\n")]


def told(many: Sequence[AssessedSignIn]) -> list[list[str]]:
    return [lines(message) for message, _ in digests(many, stage())]


def test_nothing_gives_no_message() -> None:
    assert digests([], stage()) == []


def test_equal_sign_ins_share_a_line_with_their_count_and_period() -> None:
    times = ("2026-06-01T10:17:00Z", "2026-06-01T10:02:00Z")
    many = [assessed(changed(FAILURE, "detail", "eventTime", to=time)) for time in times]
    ((line,),) = told(many)
    assert line == (
        "2 × IAM user alice · prod (111122223333) · Console sign-in · Failure"
        " · 198.51.100.202 · 2026-06-01 10:02 – 10:17 UTC"
    )


@pytest.mark.parametrize(
    ("path", "other"),
    [
        (("detail", "userIdentity", "userName"), "bob"),
        (("detail", "recipientAccountId"), "444455556666"),
        (("detail", "sourceIPAddress"), "203.0.113.99"),
        (("detail", "responseElements"), {"ConsoleLogin": "Success"}),
        (("detail", "additionalEventData", "MFAUsed"), "Yes"),
    ],
)
def test_sign_ins_that_differ_in_what_a_line_tells_have_a_line_each(
    path: tuple[str, ...], other: object
) -> None:
    ((first, second),) = told([assessed(FAILURE), assessed(changed(FAILURE, *path, to=other))])
    assert first != second


def test_switches_into_different_roles_have_a_line_each() -> None:
    switch = event("switch-role-in-home-account")
    arn = "arn:aws:iam::111122223333:role/ReadOnly"
    other = changed(switch, "detail", "additionalEventData", "SwitchTo", to=arn)
    ((first, second),) = told([assessed(switch), assessed(other)])
    assert "(role Admin)" in first
    assert "(role ReadOnly)" in second


def test_a_line_says_of_mfa_what_matters() -> None:
    many = [assessed(event(f"iam-user-{how}")) for how in ("without-mfa", "wrong-mfa-code")]
    ((failed, without),) = told(many)
    assert "Failure, MFA was not passed" in failed
    assert "Success, without MFA" in without


def test_the_gravest_come_first_then_who_may_have_the_password_then_the_most_frequent() -> None:
    many = [
        assessed(SUCCESS),
        named(FAILURE, "once"),
        *[named(FAILURE, "often")] * 3,
        assessed(event("root-wrong-password")),
        assessed(event("iam-user-wrong-mfa-code")),
    ]
    (found,) = told(many)
    firsts = [line.split(" · ")[0] for line in found]
    assert firsts == [
        "1 × IAM user alice",
        "1 × root",
        "3 × IAM user often",
        "1 × IAM user once",
        "1 × IAM user alice",
    ]
    assert "MFA was not passed" in found[0]


def test_successes_are_all_named_in_as_many_messages_as_it_takes() -> None:
    many = people(SUCCESS, 1_000)
    found = told(many)
    assert len(found) == 1_000 / LINES_PER_MESSAGE
    everything = "\n".join(line for page in found for line in page)
    assert all(f"{one.sign_in.principal.name} ·" in everything for one in many)


def test_messages_share_the_lines_evenly() -> None:
    assert [len(page) for page in told(people(SUCCESS, LINES_PER_MESSAGE + 1))] == [13, 13]


def test_only_failures_are_cut_and_counted() -> None:
    many = [*people(FAILURE, 300), *people(SUCCESS, 3), assessed(event("iam-user-unknown-name"))]
    (found,) = told(many)
    assert sum("Failure" in line for line in found) == NAMED_FAILURES
    assert sum("Success" in line for line in found) == 3
    assert found[-1] == (
        "… and 281 more, all failed (user names: 281 or more, source addresses: 1)."
    )


def test_whoever_may_have_the_password_is_never_lost_in_a_storm() -> None:
    storm = [*people(FAILURE, 300), *[named(FAILURE, "frequent")] * 5]
    ((first, *_),) = told([*storm, assessed(event("iam-user-wrong-mfa-code"))])
    assert "MFA was not passed" in first


@pytest.mark.parametrize("count", [1, 2, 25, 26, 1_000])
def test_each_sign_in_is_counted_in_exactly_one_message(count: int) -> None:
    many = [*people(FAILURE, count), *people(SUCCESS, count)]
    built = digests(many, stage())
    members = [one for _, page in built for one in page]
    assert sorted(map(id, members)) == sorted(map(id, many))
    counts = [
        int(str(message.payload["text"]).partition(" of ")[2].split()[0]) for message, _ in built
    ]
    assert counts == [len(page) for _, page in built]


def test_the_sentence_counts_failures_people_addresses_and_time() -> None:
    ((message, _),) = digests([*people(FAILURE, 3), assessed(SUCCESS)], stage())
    assert message.payload["text"] == (
        "[Warning] This digest tells of 4 sign-ins, 3 of them failed"
        " (user names: 4, source addresses: 2, 2026-05-12 07:58 – 2026-05-14 03:40 UTC)."
    )
    assert message.fallback["text"] == message.payload["text"]


def test_where_none_failed_no_failure_is_spoken_of() -> None:
    ((message, _),) = digests(people(SUCCESS, 2), stage())
    assert message.payload["text"].startswith("This digest tells of 2 sign-ins (user names: 2,")


def test_names_that_aws_hides_are_not_counted_as_one_person() -> None:
    hidden = assessed(event("iam-user-unknown-name"))
    ((message, _),) = digests([hidden, hidden, *people(FAILURE, 2)], stage())
    assert "4 failed sign-ins (user names: 3 or more," in message.payload["text"]


def test_a_digest_is_as_grave_as_its_gravest_and_messages_go_by_gravity() -> None:
    grave = people(event("iam-user-without-mfa"), LINES_PER_MESSAGE)
    built = digests([*people(SUCCESS, 2 * LINES_PER_MESSAGE), *grave], stage())
    severities = [message.severity for message, _ in built]
    assert severities == [Severity.WARNING, Severity.INFO, Severity.INFO]
    assert all(before >= after for before, after in pairwise(severities))


def test_a_digest_mentions_nobody() -> None:
    ((message, _),) = digests(people(FAILURE, 2), stage(CRITICAL_MENTION="channel"))
    assert faults(message.payload) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_longest_and_most_hostile_names_break_no_limit(language: str) -> None:
    arn = f"arn:aws:iam::{LONGEST}:role/{LONGEST}"
    many = []
    for number in range(200):
        found = changed(event("switch-role-in-home-account"), "detail", "sourceIPAddress", to="&")
        found["detail"] |= {"sourceIPAddress": f"{number}{LONGEST}", "recipientAccountId": LONGEST}
        found["detail"]["userIdentity"] |= {"userName": f"{number}{LONGEST}"}
        found["detail"]["additionalEventData"] = {"SwitchTo": arn}
        found["detail"]["eventTime"] = f"{1_900 + number}-01-01T00:00:00Z"
        many.append(assessed(found))
        many.append(assessed(changed(found, "detail", "eventName", to=LONGEST)))
        failure = {"SwitchRole": "Failure"}
        many.append(assessed(changed(found, "detail", "responseElements", to=failure)))
    names = '{"111122223333": "' + LONGEST + '"}'
    for message, _ in digests(many, stage(MESSAGE_LANGUAGE=language, ACCOUNT_NAMES=names)):
        assert faults(message.payload) == []
        assert faults(message.fallback) == []
