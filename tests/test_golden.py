"""A message of each kind as Slack gets it, in every language, beside the message that was read.

`make golden` rewrites them; the difference is for a person to read before it is committed.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.messages.digest import digests
from chalicelib.messages.payload import Payload
from chalicelib.messages.sign_in import plain_alert, sign_in_message
from chalicelib.settings import Settings
from chalicelib.signin.origin import Habits, Origin
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import AssessedSignIn, assess
from tests.support.records import EVENTS, changed, event
from tests.support.slack_validator import faults
from tests.support.stage import LANGUAGES, stage

GOLDEN = Path(__file__).parent / "golden"

Build = Callable[[Settings], Payload]


def assessed(name: str) -> AssessedSignIn:
    return assess(read_sign_in(event(name)))


def assessed_with(name: str, *path: str, to: object) -> AssessedSignIn:
    return assess(read_sign_in(changed(event(name), *path, to=to)))


def assessed_at(name: str, minute: int) -> AssessedSignIn:
    return assessed_with(name, "detail", "eventTime", to=f"2026-06-01T10:{minute:02}:00Z")


def message_of(name: str) -> Build:
    return lambda settings: sign_in_message(assessed(name), settings, None).payload


def late_and_replayed(settings: Settings) -> Payload:
    replayed = assessed_with("iam-user-without-mfa", "replay-name", to="june")
    return sign_in_message(replayed, settings, timedelta(hours=3, minutes=20)).payload


HABITS = Habits(
    is_of_role=False,
    is_first=False,
    network="198.51.100.0/24",
    client="Firefox/Linux",
    is_new_network=True,
    is_new_client=True,
    usual_networks=("Seoul office",),
    usual_clients=("Chrome/macOS",),
)


def new_for_the_person(settings: Settings) -> Payload:
    sign_in = read_sign_in(event("iam-user-new-network"))
    origin = Origin(is_outside_known_networks=True, habits=HABITS)
    return sign_in_message(assess(sign_in, origin), settings, None).payload


def first_sign_in_of_a_role(settings: Settings) -> Payload:
    habits = replace(HABITS, is_of_role=True, is_first=True)
    origin = Origin(network_name="Seoul office", habits=habits)
    sign_in = read_sign_in(event("custom-federation"))
    return sign_in_message(assess(sign_in, origin), settings, None).payload


def could_not_be_built(settings: Settings) -> Payload:
    return plain_alert(assessed("root-without-mfa"), settings).payload


def digest_of_failures(settings: Settings) -> Payload:
    parked = [
        *(assessed_at("iam-user-wrong-password", minute) for minute in range(2, 18)),
        *(assessed_at("iam-user-unknown-name", minute) for minute in range(5, 11)),
        assessed_at("iam-user-wrong-mfa-code", 17),
    ]
    ((message, _),) = digests(parked, settings)
    return message.payload


def digest_of_a_storm(settings: Settings) -> Payload:
    invented = [
        assessed_with("iam-user-wrong-password", "detail", "userIdentity", "userName", to=f"n-{n}")
        for n in range(300)
    ]
    ((message, _),) = digests([*invented, assessed("iam-user-with-mfa")], settings)
    return message.payload


# An event that differs from one of these in its name, region or account only is left out.
NAMES = (
    *("anomaly-alert", "application-token-with-iam", "aws-login-authorized"),
    *("aws-login-cross-device", "check-mfa-virtual", "credential-challenge"),
    *("credential-failed-code", "event-never-seen-before", "external-idp-login-failed"),
    *("federated-user", "hostile-user-agent", "hostile-user-name", "iam-user-unknown-name"),
    *("iam-user-with-mfa", "iam-user-wrong-password", "identity-center-password-only"),
    *("identity-center-permission-set", "identity-center-without-details", "root-access-keys"),
    *("root-password-change-failed", "root-password-changed"),
    *("root-password-recovery-requested", "root-without-mfa", "root-wrong-mfa-code", "saml-role"),
    *("switch-role-in-home-account", "switch-role-refused", "trimmed-record"),
)
MESSAGES: dict[str, Build] = {
    **{name: message_of(name) for name in NAMES},
    **{
        build.__name__.replace("_", "-"): build
        for build in (
            late_and_replayed,
            new_for_the_person,
            first_sign_in_of_a_role,
            could_not_be_built,
            digest_of_failures,
            digest_of_a_storm,
        )
    },
}


@pytest.mark.parametrize("name", MESSAGES)
def test_the_message_is_as_it_was_read(name: str, request: pytest.FixtureRequest) -> None:
    for language in LANGUAGES:
        payload = MESSAGES[name](stage(MESSAGE_LANGUAGE=language))
        written = json.dumps(payload, ensure_ascii=False, indent=2) + "\n"
        file = GOLDEN / f"{name}.{language}.json"
        if request.config.getoption("rewrite_golden"):
            file.write_text(written, encoding="utf-8")
        assert written == file.read_text(encoding="utf-8")
        assert faults(payload) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_of_every_sign_in_the_sentence_and_the_plain_alert_stand_alone(language: str) -> None:
    for name in EVENTS:
        settings = stage(MESSAGE_LANGUAGE=language)
        payload = sign_in_message(assessed(name), settings, None).payload
        assert faults(payload) == [], name
        said = payload["text"]
        assert said.endswith(("。", ".")), name
        assert "111122223333" in said or "444455556666" in said, name
        assert "\n" not in said, name
        assert len(said) < 300, name
        alert = plain_alert(assessed(name), settings).payload
        sign_in = assessed(name).sign_in
        assert set(alert) == {"text", "unfurl_links", "unfurl_media"}
        assert (sign_in.account_id or "") in alert["text"], name
        assert (sign_in.event_id or "") in alert["text"], name
        assert faults(alert) == [], name


def test_no_golden_message_is_left_over() -> None:
    expected = {f"{name}.{language}.json" for name in MESSAGES for language in LANGUAGES}
    kinds = ("mfa-audit-*", "self-check-*")
    reports = {file.name for kind in kinds for file in GOLDEN.glob(kind)}
    assert {file.name for file in GOLDEN.iterdir()} - reports == expected
