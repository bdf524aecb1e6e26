"""What a warm function keeps: its notifier, while its settings are the same."""

import gc
from collections.abc import Iterator

import pytest

from chalicelib.errors import SettingsError
from chalicelib.notifier import notifier, warm_up
from playground.slack.receiver import Receiver
from tests.support.notifier_harness import KEY, SECONDS, NotifierHarness, decided, event
from tests.support.strict_aws import StrictAws


@pytest.fixture
def environ(harness: NotifierHarness, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in harness.aws.environment.items():
        monkeypatch.setenv(name, value)
    return dict(harness.variables)


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_a_warm_function_keeps_its_notifier_while_its_settings_are_the_same(
    environ: dict[str, str],
) -> None:
    warm = notifier(environ)
    assert notifier(dict(environ)) is warm
    assert notifier({**environ, "PATH": "/elsewhere"}) is warm
    assert notifier({**environ, "MESSAGE_LANGUAGE": "ko"}) is not warm


def test_a_rotated_webhook_is_picked_up_at_once(
    environ: dict[str, str], harness: NotifierHarness, critical_receiver: Receiver
) -> None:
    notifier(environ).notify(event("saml-role"), SECONDS)
    rotated = {
        "WEBHOOK_URL_ENCRYPTED": harness.aws.encrypt(critical_receiver.url, KEY),
        "WEBHOOK_HOSTS": critical_receiver.host,
    }
    notifier(environ | rotated).notify(event("saml-role"), SECONDS)
    assert (len(harness.receiver.messages), len(critical_receiver.messages)) == (1, 1)


def test_wrong_settings_fail_every_invocation_with_the_same_text() -> None:
    for _ in range(2):
        with pytest.raises(SettingsError, match="WEBHOOK_URL_ENCRYPTED is missing"):
            notifier({"STAGE": "prod"})


def test_warming_up_decrypts_ahead_and_posts_nothing(
    environ: dict[str, str], harness: NotifierHarness
) -> None:
    warm_up(environ)
    assert (harness.receiver.posts, harness.receiver.visits, harness.log()) == ([], [], [])
    harness.aws.reset()  # the key is gone
    assert decided(notifier(environ), event("saml-role")) == ("posted", None)


@pytest.mark.parametrize("stage", [{}, {"WEBHOOK_URL_ENCRYPTED": ""}])
def test_pythons_collector_works_on_after_warming_up_but_not_on_what_that_made(
    stage: dict[str, str], environ: dict[str, str]
) -> None:
    warm_up(environ | stage)
    assert gc.isenabled()
    assert gc.get_freeze_count()


def test_warming_up_without_a_webhook_warns_and_is_made_good_by_the_first_event(
    environ: dict[str, str], harness: NotifierHarness
) -> None:
    new = environ | {"WEBHOOK_URL_ENCRYPTED": "AAAA"}
    warm_up(new)
    (line,) = harness.log()
    assert (line["level"], line["reason"]) == ("WARNING", "kms_invalid_ciphertext")
    assert line["message"].startswith("Not ready yet. KMS cannot decrypt WEBHOOK_URL_ENCRYPTED")


def test_warming_up_ends_though_kms_hangs(
    environ: dict[str, str],
    harness: NotifierHarness,
    embedded: StrictAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chalicelib.delivery.channel.INIT_LOOKUP_SECONDS", 0.2)
    embedded.hang("kms:Decrypt")
    warm_up(environ | {"AWS_ACCESS_KEY_ID": "function"})
    assert [line["reason"] for line in harness.log()] == ["kms_timeout"]


def test_warming_up_with_wrong_settings_logs_them(harness: NotifierHarness) -> None:
    warm_up({"STAGE": "prod"})
    (line,) = harness.log()
    assert line["level"] == "ERROR"
    assert "WEBHOOK_URL_ENCRYPTED is missing" in line["message"]
