"""The names of IAM Identity Center's users: asked for once, of their own store, never needed."""

import time
from typing import Any

import pytest

from chalicelib.aws.identity_store import IdentityStore
from chalicelib.errors import AWSCallError, AWSUnreachable
from chalicelib.messages.sign_in import sign_in_message
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import assess
from playground.aws.embedded import EmbeddedAws
from tests.notifier.conftest import harness, receiver
from tests.support.json_client import ScriptedClient, refused
from tests.support.notifier_harness import SECONDS, NotifierHarness
from tests.support.records import changed, event
from tests.support.stage import stage

__all__ = ["harness", "receiver"]

STORE = "d-99672a3b1c"
USER = "e3c49862-a061-7023-84cd-5b1d90f3e7a2"
PORTAL = event("identity-center-passkey")  # AWS records the user's id alone
ANSWER = {"UserName": "june.park", "UserId": USER}


class Store:
    """An identity store that answers by a script; `regions` are those that it was asked in."""

    def __init__(self, *script: dict[str, Any] | AWSCallError) -> None:
        self.client = ScriptedClient(*script)
        self.regions: list[str] = []
        self.names = IdentityStore(STORE, self._client_in)

    def _client_in(self, region: str) -> ScriptedClient:
        self.regions.append(region)
        return self.client

    def text(self, event: dict[str, Any]) -> str:
        sign_in = self.names.named(read_sign_in(event))
        return str(sign_in_message(assess(sign_in), stage(), None).payload["text"])


@pytest.mark.parametrize("region", ["eu-central-1", "eusc-de-east-1"])
def test_a_user_is_shown_by_name_and_id_and_asked_for_once(region: str) -> None:
    store = Store(ANSWER)
    for _ in range(2):
        text = store.text(changed(PORTAL, "detail", "awsRegion", to=region))
        assert text.startswith(f"june.park ({USER}) signed in")
    assert store.regions == [region]
    assert store.client.calls == [("DescribeUser", {"IdentityStoreId": STORE, "UserId": USER})]


@pytest.mark.parametrize(
    "other",
    [
        event("identity-center-password-and-code"),
        event("iam-user-with-mfa"),
        changed(PORTAL, "detail", "userIdentity", "onBehalfOf", "identityStoreArn", to="a/d-1"),
        changed(PORTAL, "detail", "awsRegion", to="evil.example/"),
        changed(PORTAL, "detail", "userIdentity", "onBehalfOf", "userId", to="not-an-id"),
    ],
)
def test_nobody_else_is_asked_for(other: dict[str, Any]) -> None:
    store = Store()
    assert store.text(other)
    assert store.client.calls == []


@pytest.mark.parametrize(
    "failure",
    [
        refused("AccessDeniedException"),
        AWSUnreachable("identitystore:DescribeUser", "no_answer"),
        {"UserName": None},
    ],
)
def test_a_failure_changes_nothing_but_the_name(
    failure: dict[str, Any] | AWSCallError,
) -> None:
    store = Store(failure, ANSWER)
    assert store.text(PORTAL).startswith(f"{USER} signed in")
    assert "june.park" in store.text(PORTAL)  # it is asked again


def test_only_so_many_names_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.aws.identity_store._MOST", 1)
    path = ("detail", "userIdentity", "onBehalfOf", "userId")
    other = changed(PORTAL, *path, to=USER.replace("e3", "f3"))
    store = Store(ANSWER, ANSWER, ANSWER)
    for sign_in in (PORTAL, other, PORTAL):
        assert "june.park" in store.text(sign_in)


def test_a_store_that_hangs_costs_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.aws.identity_store.IDENTITY_STORE_SECONDS", 0.05)
    store = Store(ANSWER)
    monkeypatch.setattr(store.client, "call", lambda *_, **__: time.sleep(0.5))
    assert store.text(PORTAL).startswith(f"{USER} signed in")


def test_a_stage_that_names_its_store_posts_names(
    harness: NotifierHarness, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    user = aws.client("identitystore", "eu-central-1").create_user(
        IdentityStoreId=STORE,
        UserName="june.park",
        DisplayName="June",
        Name={"FamilyName": "Park", "GivenName": "June"},
    )["UserId"]
    path = ("detail", "userIdentity", "onBehalfOf", "userId")
    harness.notifier(IDENTITY_STORE_ID=STORE).notify(changed(PORTAL, *path, to=user), SECONDS)
    assert f"june.park ({user}) signed in" in harness.texts[0]
