"""What the settings may keep from being posted: calls of the sign-in API, and no sign-in."""

from typing import Any

import pytest

from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import assess
from tests.support.records import changed, event
from tests.support.stage import stage


def ignored(event: dict[str, Any], **variables: str) -> bool:
    return reason_to_ignore(assess(read_sign_in(event)), stage(**variables)) is not None


def call(name: str) -> dict[str, Any]:
    """Return a call of the sign-in API."""
    return changed(event("application-token-with-iam"), "detail", "eventName", to=name)


@pytest.mark.parametrize(
    "name", ["CreateOAuth2TokenWithTokenExchange", "ListSessions", "RevokeOAuth2TokenWithIAM"]
)
def test_calls_about_tokens_and_calls_that_read_are_ignored_by_default(name: str) -> None:
    assert ignored(call(name))
    assert not ignored(changed(call(name), "detail", "errorCode", to="AccessDenied"))


@pytest.mark.parametrize("name", ["FutureCall", "BatchRevokeSessions"])
def test_a_call_is_ignored_if_the_operator_names_it(name: str) -> None:
    assert not ignored(call(name))
    assert ignored(call(name), IGNORED_EVENTS=f"CheckMfa,{name}")


def test_a_sign_in_is_never_ignored_if_it_is_not_understood() -> None:
    named = {"IGNORED_EVENTS": "DeviceTrustEstablished,AuthorizeOAuth2Access"}
    unknown_user = ("detail", "userIdentity", "type")
    assert not ignored(event("event-never-seen-before"), **named)
    assert not ignored(changed(event("aws-login-authorized"), *unknown_user, to="New"), **named)
