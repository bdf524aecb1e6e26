"""The app as Lambda, Chalice's command line and Chalice's test client import it."""

import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from chalice.test import Client

from chalicelib.errors import SettingsError
from playground.aws.deployment import PROJECT
from playground.aws.embedded import ACCOUNT_ID
from playground.catalogue import renewed
from tests.support.records import event
from tests.support.stage_harness import StageHarness

IN_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "signin-monitor-prod-on_sign_in"}
IMPORTED = "import app, json, sys; print(json.dumps([*sys.modules]))"
CONTEXT = SimpleNamespace(
    aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    invoked_function_arn=f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:signin-monitor-prod-f",
    get_remaining_time_in_millis=lambda: 60_000,
)
ImportApp = Callable[..., ModuleType]


@pytest.fixture
def import_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[ImportApp]:
    """Return what imports the app again, with some variables set."""

    def imported(**variables: str) -> ModuleType:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        sys.modules.pop("app", None)
        return importlib.import_module("app")

    yield imported
    sys.modules.pop("app", None)
    gc.unfreeze()


def test_the_app_needs_no_environment_to_be_imported(import_app: ImportApp) -> None:
    assert set(import_app().app.handler_map) == {"on_sign_in"}


@pytest.mark.parametrize(
    ("setting", "value", "handler"),
    [
        ("UNDELIVERED_QUEUE", "undelivered", "on_undelivered"),
        ("MFA_AUDIT_SCHEDULE", "rate(7 days)", "audit_mfa"),
        ("SELF_CHECK_SCHEDULE", "rate(1 hour)", "self_check"),
    ],
)
def test_a_handler_is_there_only_where_the_stage_names_what_calls_it(
    setting: str, value: str, handler: str, import_app: ImportApp
) -> None:
    assert set(import_app(**{setting: value}).app.handler_map) == {"on_sign_in", handler}
    assert set(import_app(**{setting: " "}).app.handler_map) == {"on_sign_in"}


def test_the_pages_routes_are_there_on_the_stage_local_alone(import_app: ImportApp) -> None:
    assert not import_app(STAGE="prod").app.routes
    assert "/" in import_app(STAGE="local").app.routes


def test_in_lambda_nothing_is_imported_that_is_not_deployed() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORTED],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], **IN_LAMBDA},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    modules = json.loads(done.stdout.splitlines()[-1])
    tops = {name.partition(".")[0] for name in modules}
    assert tops.isdisjoint({"ops", "playground", "tests", "click", "moto"})


def test_wrong_settings_let_the_app_be_imported_in_lambda_too(import_app: ImportApp) -> None:
    app = import_app(**IN_LAMBDA, MESSAGE_LANGUAGE="tlh")
    assert set(app.app.handler_map) == {"on_sign_in"}
    assert gc.isenabled()


def test_each_handler_does_its_work(harness: StageHarness, import_app: ImportApp) -> None:
    app = import_app(
        **harness.environment,
        MFA_AUDIT_SCHEDULE="rate(7 days)",
        SELF_CHECK_SCHEDULE="rate(1 hour)",
    )
    harness.receiver.behave("no_service")
    parked = app.on_sign_in(renewed(event("root-without-mfa"), datetime.now(UTC)), CONTEXT)
    assert (parked["decision"], parked["request_id"]) == ("parked", CONTEXT.aws_request_id)
    harness.receiver.behave("ok")
    app.on_undelivered({"Records": harness.records()}, CONTEXT)
    assert app.audit_mfa([], CONTEXT)["event_name"] == "MfaAudit"
    assert app.self_check({}, CONTEXT)["self_check"] == "ran"
    first, *_ = [message.payload["text"] for message in harness.receiver.messages]
    assert "Root user signed in" in first


def test_chalices_test_client_posts_a_sign_in(
    harness: StageHarness, import_app: ImportApp, tmp_path: Path
) -> None:
    (tmp_path / ".chalice").mkdir()
    stages = {"prod": {"environment_variables": harness.settings}}
    config = {"version": "2.0", "app_name": "signin-monitor", "stages": stages}
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(config))
    happened = renewed(event("root-without-mfa"), datetime.now(UTC))
    app = import_app(**harness.surroundings).app
    with Client(app, stage_name="prod", project_dir=str(tmp_path)) as client:
        decision = client.lambda_.invoke("on_sign_in", happened).payload
    assert (decision["decision"], decision["severity"]) == ("posted", "critical")
    assert len(harness.receiver.messages) == 1


def test_an_event_without_eventbridges_keys_reaches_the_function(
    harness: StageHarness, import_app: ImportApp
) -> None:
    decision = import_app(**harness.environment).on_sign_in({"key1": "value1"}, CONTEXT)
    assert (decision["decision"], decision["reason"]) == ("ignored", "not_an_event")


def test_wrong_settings_fail_an_invocation(import_app: ImportApp) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_URL_ENCRYPTED is missing"):
        import_app(STAGE="prod").on_sign_in(event("root-with-mfa"), CONTEXT)
