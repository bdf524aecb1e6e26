"""Many sign-ins in few messages: nothing uncounted, no success unnamed, no limit broken."""

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from chalicelib.messages.digest import LINES_PER_MESSAGE, NAMED_FAILURES, digests
from chalicelib.messages.message import Message
from chalicelib.signin.origin import Origin
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


def storm(count: int) -> list[AssessedSignIn]:
    """Return failures of as many people from as many addresses."""
    return [
        named(changed(FAILURE, "detail", "sourceIPAddress", to=f"2001:db8::{n:x}"), f"n-{n}")
        for n in range(count)
    ]


def lines(message: Message) -> list[str]:
    """Return the lines of a digest, its title left out."""
    return [line for text in list(texts(message.payload))[2:] for line in text.split("\n")]


def lines_of(many: Sequence[AssessedSignIn]) -> list[list[str]]:
    return [lines(message) for message, _ in digests(many, stage())]


def test_nothing_gives_no_message() -> None:
    assert digests([], stage()) == []


def test_equal_sign_ins_share_a_line_with_their_count_and_period() -> None:
    times = ("2026-06-01T10:17:00Z", "2026-06-01T10:02:00Z")
    many = [assessed(changed(FAILURE, "detail", "eventTime", to=time)) for time in times]
    ((line,),) = lines_of(many)
    assert line == (
        "2 × IAM user alice · prod (111122223333) · Console sign-in · Failure"
        " · 198.51.100.202 · <!date^1780308120^{date_short_pretty} {time}|2026-06-01 10:02 UTC>"
        " – <!date^1780309020^{time}|10:17 UTC>"
    )


@pytest.mark.parametrize(
    ("path", "other"),
    [
        (("detail", "userIdentity", "userName"), "bob"),
        (("detail", "recipientAccountId"), "444455556666"),
        (("detail", "sourceIPAddress"), "203.0.113.99"),
        (("detail", "responseElements"), {"ConsoleLogin": "Failure"}),
        (("detail", "additionalEventData", "MFAUsed"), "No"),
    ],
)
def test_sign_ins_that_differ_in_what_a_line_shows_have_a_line_each(
    path: tuple[str, ...], other: object
) -> None:
    ((first, second),) = lines_of([assessed(SUCCESS), assessed(changed(SUCCESS, *path, to=other))])
    assert first != second


def test_failures_from_one_address_share_a_line_with_their_names() -> None:
    ((line,),) = lines_of([*people(FAILURE, 2), *people(FAILURE, 4)])
    assert line.startswith(
        "198.51.100.202: 6 × Failure, 4 user names "
        "(IAM user person-0., IAM user person-1., IAM user person-2., …) · prod"
    )
    there = changed(FAILURE, "detail", "sourceIPAddress", to="203.0.113.99")
    assert len(lines_of([assessed(FAILURE), assessed(there)])[0]) == 2


def test_switches_into_different_roles_have_a_line_each() -> None:
    switch = event("switch-role-in-home-account")
    arn = "arn:aws:iam::111122223333:role/ReadOnly"
    other = changed(switch, "detail", "additionalEventData", "SwitchTo", to=arn)
    ((first, second),) = lines_of([assessed(switch), assessed(other)])
    assert "(role Admin)" in first
    assert "(role ReadOnly)" in second


def test_a_line_says_of_mfa_what_matters() -> None:
    many = [assessed(event(f"iam-user-{how}")) for how in ("without-mfa", "wrong-mfa-code")]
    ((without, failed),) = lines_of(many)
    assert "Success, without MFA" in without
    assert "Failure, MFA was not passed" in failed


def test_who_got_in_comes_first_then_who_may_have_the_password_then_the_most_frequent() -> None:
    often = changed(FAILURE, "detail", "sourceIPAddress", to="203.0.113.99")
    many = [
        named(FAILURE, "once"),
        *[named(often, "often")] * 3,
        assessed(event("root-wrong-password")),
        assessed(event("iam-user-wrong-mfa-code")),
        assessed(event("trimmed-record")),
        assessed(SUCCESS),
        assessed(event("iam-user-without-mfa")),
    ]
    (found,) = lines_of(many)
    assert [line.split(" · ")[0] for line in found] == [
        "1 × IAM user build-server",
        "1 × IAM user alice",
        "1 × an unknown user",
        "1 × IAM user alice",
        "1 × the root user",
        "3 × IAM user often",
        "1 × IAM user once",
    ]
    assert "MFA was not passed" in found[3]


def test_successes_are_all_named_in_as_many_messages_as_it_takes() -> None:
    many = people(SUCCESS, 1_000)
    found = lines_of(many)
    assert len(found) == 1_000 / LINES_PER_MESSAGE
    everything = "\n".join(line for page in found for line in page)
    assert all(f"{member.sign_in.principal.name} ·" in everything for member in many)


def test_messages_share_the_lines_evenly() -> None:
    assert [len(page) for page in lines_of(people(SUCCESS, LINES_PER_MESSAGE + 1))] == [13, 13]


def test_only_failures_are_cut_and_counted() -> None:
    (found,) = lines_of([*storm(300), *people(SUCCESS, 3)])
    assert sum("Failure" in line for line in found) == NAMED_FAILURES
    assert sum("Success" in line for line in found) == 3
    assert found[-1] == "… and 280 more, all failed: 280 user names from 280 addresses."


def test_whoever_may_have_the_password_is_never_lost_in_a_storm() -> None:
    ((first, *_),) = lines_of([*storm(300), assessed(event("iam-user-wrong-mfa-code"))])
    assert "MFA was not passed" in first


@pytest.mark.parametrize("count", [1, 2, 25, 26, 1_000])
def test_each_sign_in_is_counted_in_exactly_one_message(count: int) -> None:
    many = [*storm(count), *people(SUCCESS, count)]
    built = digests(many, stage())
    members = [member for _, page in built for member in page]
    assert sorted(map(id, members)) == sorted(map(id, many))


def test_the_sentence_says_who_got_in_and_counts_what_failed() -> None:
    many = [*people(FAILURE, 3), assessed(SUCCESS), assessed(event("check-mfa-virtual"))]
    ((message, _),) = digests(many, stage())
    assert message.payload["text"] == (
        "[Warning] Signed in: IAM user alice. 3 failed sign-ins to prod (111122223333): 3 user"
        " names from 1 address (198.51.100.202). Other sign-in events: 1."
    )
    assert message.fallback["text"] == message.payload["text"]


def test_of_many_who_got_in_the_sentence_names_a_few_and_counts_the_rest() -> None:
    ((message, _),) = digests(people(SUCCESS, 5), stage())
    assert message.payload["text"] == (
        "Signed in: IAM user person-0., IAM user person-1., IAM user person-2. and 2 more."
    )


def test_failures_in_several_accounts_are_counted_over_the_time_they_took() -> None:
    later = changed(FAILURE, "detail", "eventTime", to="2026-05-14T04:00:00Z")
    elsewhere = changed(later, "detail", "recipientAccountId", to="444455556666")
    ((message, _),) = digests([assessed(FAILURE), assessed(elsewhere)], stage())
    assert "2 failed sign-ins to 2 accounts within 19 min: 1 user name" in message.payload["text"]


def test_names_that_aws_hides_are_not_counted_as_one_person() -> None:
    hidden = assessed(event("iam-user-unknown-name"))
    ((message, _),) = digests([hidden, hidden, *people(FAILURE, 2)], stage())
    assert "4 failed sign-ins to prod (111122223333)" in message.payload["text"]
    assert "3 or more user names" in message.payload["text"]


def test_a_digest_is_as_severe_as_its_most_severe_and_messages_go_by_severity() -> None:
    warnings = people(event("iam-user-without-mfa"), LINES_PER_MESSAGE)
    built = digests([*people(SUCCESS, 2 * LINES_PER_MESSAGE), *warnings], stage())
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


def test_a_line_of_hostile_texts_alone_is_shortened_until_it_has_its_limit() -> None:
    hostile = "://" * 50
    names = json.dumps(dict.fromkeys(("111122223333", "444455556666"), hostile))
    found = changed(event("switch-role-in-home-account"), "detail", "sourceIPAddress", to=hostile)
    found["detail"]["userIdentity"]["userName"] = hostile
    days = [changed(found, "detail", "eventTime", to=f"2026-01-0{day}T00:00:00Z") for day in (1, 2)]
    many = [assess(read_sign_in(day), Origin(network_name=hostile)) for day in days]
    ((message, _),) = digests(many, stage(ACCOUNT_NAMES=names))
    (line,) = lines(message)
    assert line.startswith("2 × IAM user [:]//")
    assert len(line) <= 500
