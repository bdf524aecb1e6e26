"""The local stage's routes, over HTTP; and that no other stage has them."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from chalice.local import ThreadedHTTPServer

from playground import catalogue
from playground.aws.deployment import ProjectCopy
from playground.local import routes  # noqa: F401 — the latter teaches chalice's server
from playground.local.stage import SCHEDULES, chalice_local
from tests.support.demo import Answered, Demo, call

pytestmark = pytest.mark.xdist_group("demo")
Json = dict[str, Any]


def send(demo: Demo, text: str, **changed: object) -> Json:
    asked = {"text": text, "renew": True, "language": "en", "failures": "each"}
    return demo.call("sign-ins", asked | changed)


def test_the_stage_lacks_nothing(demo: Demo) -> None:
    assert demo.call("stage")["missing"] == []


@pytest.mark.parametrize("file", ["", "app.js", "message.js", "style.css", "icon.svg"])
def test_the_page_allows_nothing_but_its_own_files(demo: Demo, file: str) -> None:
    with urllib.request.urlopen(demo.address + file) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    assert policy.startswith("default-src 'none'; ")
    assert set(re.findall(r"'\S+'", policy)) == {"'none'", "'self'"}


def test_another_sites_form_cannot_press_a_button(demo: Demo) -> None:
    with pytest.raises(Answered) as answered:
        demo.call("answer", {"name": "hang"}, content_type="text/plain")

    assert answered.value.status == 415


def test_a_sign_in_is_given_as_its_file_says(demo: Demo) -> None:
    event = demo.call("sign-ins/root-without-mfa")

    assert event == catalogue.read("root-without-mfa")


def test_a_sign_in_of_no_such_name_is_not_found(demo: Demo) -> None:
    with pytest.raises(Answered) as answered:
        demo.call("sign-ins/..%2Fcatalogue")

    assert answered.value.status == 404


@pytest.mark.parametrize(
    ("text", "sentence", "line", "column"),
    [
        ('{"version": "0"', "Line 1, column 16: expecting ',' delimiter.", 1, 16),
        ('{\n  "a": 1\n  "b": 2\n}', "Line 3, column 3: expecting ',' delimiter.", 3, 3),
        ("", "Line 1, column 1: expecting value.", 1, 1),
        ("[]", "An event is a JSON object: { … }.", 1, 1),
        ('{"version": NaN}', "NaN is not JSON.", 1, 1),
        ("[" * 100_000, "The JSON is nested too deeply.", 1, 1),
    ],
)
def test_a_text_that_is_no_event_is_refused_with_its_place(
    demo: Demo, text: str, sentence: str, line: int, column: int
) -> None:
    with pytest.raises(Answered) as answered:
        send(demo, text)

    assert answered.value.status == 400
    assert answered.value.said == {"message": sentence, "line": line, "column": column}


def test_an_envelope_that_eventbridge_would_not_send_is_refused(demo: Demo) -> None:
    event = catalogue.read("root-without-mfa")
    del event["region"], event["time"]

    with pytest.raises(Answered) as answered:
        send(demo, json.dumps(event))

    assert "lacks time, region" in answered.value.said["message"]


def test_the_same_event_twice_is_posted_once(demo: Demo) -> None:
    text = json.dumps(catalogue.read("root-with-account-alias"))

    first = send(demo, text, renew=False)
    second = send(demo, text, renew=False)

    assert first["decision"]["decision"] == "posted"
    assert (second["decision"]["decision"], second["decision"]["reason"]) == (
        "ignored",
        "duplicate",
    )


def test_an_answer_that_slack_does_not_give_is_refused(demo: Demo) -> None:
    with pytest.raises(Answered) as answered:
        demo.call("answer", {"name": "applause"})

    assert answered.value.status == 400


def test_an_empty_queue_has_nothing_to_deliver(demo: Demo) -> None:
    demo.come_to_rest()
    delivery = demo.call("deliveries", {"language": "en", "failures": "each"})

    assert delivery == {"received": 0, "left": 0, "error": None}


@pytest.mark.parametrize("settings", [{}, SCHEDULES], ids=["no schedules", "no embedded AWS"])
def test_the_schedules_buttons_are_for_the_demo_only(
    settings: dict[str, str], tmp_path: Path
) -> None:
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    copy = ProjectCopy(tmp_path).path
    with chalice_local(bare | settings, lambda _: None, 0, copy) as address:
        for path, function in {"audits": "audit_mfa", "self-checks": "self_check"}.items():
            with pytest.raises(Answered) as answered:
                call(address + path, {"language": "en", "failures": "each"})

            assert answered.value.status == 400
            assert f"no {function} in an embedded AWS: make demo" in answered.value.said["Message"]


@pytest.mark.parametrize(
    ("fault", "is_reported"), [(ConnectionResetError, False), (ZeroDivisionError, True)]
)
def test_a_tab_that_is_closed_leaves_no_word_in_the_terminal(
    fault: type[Exception], *, is_reported: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    class Answering(BaseHTTPRequestHandler):
        def handle(self) -> None:
            raise fault

    with ThreadedHTTPServer(("127.0.0.1", 0), Answering) as server, socket.socket() as tab:
        server.process_request_thread(tab, ("127.0.0.1", 1))

    assert (fault.__name__ in capsys.readouterr().err) is is_reported


def test_every_sign_in_has_one_name() -> None:
    files = sorted(file.stem for file in catalogue.EVENTS.glob("*.json"))
    named = sorted(name for group in catalogue.GROUPS.values() for name in group.values())

    assert named == files


def test_a_deployed_stage_has_no_route_and_no_file_of_the_playground(tmp_path: Path) -> None:
    copy = ProjectCopy(tmp_path)
    copy.configure("prod", {"WEBHOOK_URL_ENCRYPTED": "AAAA"})
    command = [sys.executable, "-m", "ops", "package", "--stage", "prod", "--out", "build"]
    subprocess.run(command, cwd=copy.path, check=True, capture_output=True)

    template = json.loads((copy.path / "build" / "template.json").read_text())
    files = zipfile.ZipFile(copy.path / "build" / "package.zip").namelist()

    assert not [made["Type"] for made in template["Resources"].values() if "Api" in made["Type"]]
    assert not [file for file in files if file.startswith(("playground/", "ops/"))]
    assert "chalicelib/notifier.py" in files
