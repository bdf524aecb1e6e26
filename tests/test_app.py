"""The app as Lambda, Chalice's command line and Chalice's test client import it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from playground.aws.deployment import PROJECT, ProjectCopy
from playground.catalogue import renewed
from tests.support.records import event
from tests.support.stage_harness import StageHarness

HANDLERS = "import app, json; print(json.dumps(sorted(app.app.handler_map)))"
IMPORTED = "import app, json, sys; print(json.dumps([*sys.modules]))"
INVOKE = """
import json, sys
from chalice.test import Client
import app

with Client(app.app, stage_name="prod") as client:
    answer = client.lambda_.invoke("on_sign_in", json.load(sys.stdin))
print(json.dumps(answer.payload))
"""


def run(
    program: str,
    environment: Mapping[str, str] | None = None,
    *,
    event: object = None,
    folder: Path = PROJECT,
) -> Any:  # noqa: ANN401 — what the program prints, as JSON
    """Run a program in a process of its own: an app is imported once in a process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **(environment or {})},
        input=json.dumps(event),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_app_needs_no_environment_to_be_imported() -> None:
    assert run(HANDLERS) == ["on_sign_in"]


@pytest.mark.parametrize(
    ("setting", "value", "handler"),
    [
        ("UNDELIVERED_QUEUE", "undelivered", "on_undelivered"),
        ("MFA_AUDIT_SCHEDULE", "rate(7 days)", "audit_mfa"),
    ],
)
def test_a_handler_is_there_only_where_the_stage_names_what_calls_it(
    setting: str, value: str, handler: str
) -> None:
    assert run(HANDLERS, {setting: value}) == sorted(["on_sign_in", handler])
    assert run(HANDLERS, {setting: " "}) == ["on_sign_in"]


def test_in_lambda_nothing_is_imported_that_is_not_deployed() -> None:
    modules = run(IMPORTED, {"AWS_LAMBDA_FUNCTION_NAME": "signin-monitor-prod-on_sign_in"})
    tops = {name.partition(".")[0] for name in modules}
    assert tops.isdisjoint({"ops", "playground", "tests", "click", "moto"})


def test_wrong_settings_let_the_app_be_imported_in_lambda_too() -> None:
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "f", "MESSAGE_LANGUAGE": "tlh"}
    assert run(HANDLERS, environment) == ["on_sign_in"]


def test_chalices_test_client_tells_of_a_sign_in(bed: StageHarness, tmp_path: Path) -> None:
    project = ProjectCopy(tmp_path)
    project.configure("prod", bed.settings)
    happened = renewed(event("root-without-mfa"), datetime.now(UTC))
    decision = run(INVOKE, bed.surroundings, event=happened, folder=project.path)
    assert (decision["decision"], decision["severity"]) == ("posted", "critical")
    (message,) = bed.receiver.messages
    assert "Root user signed in" in message.payload["text"]


def test_an_event_without_eventbridges_keys_reaches_the_function(tmp_path: Path) -> None:
    project = ProjectCopy(tmp_path)
    project.configure("prod", {"STAGE": "prod", "WEBHOOK_URL_ENCRYPTED": "AAAA"})
    decision = run(INVOKE, event={"key1": "value1"}, folder=project.path)
    assert (decision["decision"], decision["reason"]) == ("ignored", "not_an_event")
    assert decision["request_id"]


def test_chalices_test_client_lets_errors_through(tmp_path: Path) -> None:
    project = ProjectCopy(tmp_path)
    program = f"""
from chalicelib.errors import SettingsError
try:
    exec({INVOKE!r})
except SettingsError as error:
    import json
    print(json.dumps(str(error)))
"""
    told = run(program, event=event("root-with-mfa"), folder=project.path)
    assert "WEBHOOK_URL_ENCRYPTED is missing." in told
