"""The webhook's path shows nowhere, whatever fails and however much is logged."""

import base64
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.errors import SettingsError
from chalicelib.settings import Settings
from playground.catalogue import renewed
from tests.support.records import event
from tests.support.secrecy import every_repr, everything_logged, raised_by, shows_secret
from tests.support.stage_harness import StageHarness
from tests.support.webhook import SECRET_PATH

URL = f"https://hooks.slack.com{SECRET_PATH}"


def sign_in(name: str = "root-without-mfa") -> dict[str, Any]:
    return renewed(event(name), datetime.now(UTC))


@pytest.mark.parametrize("alignment", range(3))
def test_a_leak_in_base64_would_be_found(alignment: int) -> None:
    leak = base64.b64encode(b"x" * alignment + URL.encode() + b"\n").decode()
    assert shows_secret(f"answer: {leak}")
    assert shows_secret(URL)
    assert not shows_secret("hooks.slack.com")


def test_a_library_that_is_not_muted_would_be_found(
    harness: StageHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("urllib3.connectionpool"), "filters", [])
    with everything_logged() as logged:
        harness.app.notify(sign_in(), 6)
    assert any(map(shows_secret, logged))


@pytest.mark.parametrize("name", ["ok", "no_service", "reset"])
def test_no_object_of_the_app_shows_the_path(name: str, harness: StageHarness) -> None:
    harness.receiver.behave(name)
    harness.app.notify(sign_in(), 6)
    reprs = every_repr()
    assert "chalicelib.notifier.Notifier" in reprs
    assert not shows_secret(reprs)


@pytest.mark.parametrize(
    "name",
    [
        "WEBHOOK_URL_ENCRYPTED",
        "CRITICAL_WEBHOOK_URL_ENCRYPTED",
        "WEBHOOK_HOSTS",
        "WEBHOOK_ENCRYPTION_CONTEXT",
        "SLACK_CHANNEL",
        "SLACK_ICON_EMOJI",
        "MESSAGE_LANGUAGE",
        "CRITICAL_MENTION",
        "IGNORED_EVENTS",
        "IGNORED_PRINCIPALS",
        "ACCOUNT_NAMES",
        "UNDELIVERED_QUEUE",
        "SIGN_IN_REGION",
        "STAGE",
        "LOG_EVENTS",
        "SLACK_WEBHOOK_URL",
    ],
)
def test_a_webhook_in_the_wrong_setting_is_not_repeated(name: str) -> None:
    wrong = {name: URL * 2}  # too long for what may be one line of text
    error = raised_by(lambda: Settings.from_environment(wrong))
    assert isinstance(error, SettingsError)
    assert name in str(error)
    assert not shows_secret(f"{error!s} {error!r} {vars(error)}")
