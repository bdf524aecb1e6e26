"""What a person sees who starts the playground."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from signal import SIGHUP

import pytest

from playground.aws.deployment import PROJECT, ProjectCopy
from playground.demo import SIGN_INS
from playground.local.stage import NotStarted, chalice_local
from tests.support.demo import Demo, running_demo


def test_the_demo_shows_what_arrives_and_stops_at_ctrl_c(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        status = demo.end()

    assert demo.screen.count("signin-monitor\x1b[0m") == len(SIGN_INS)
    assert_that_it_ended_well(demo, status)


def test_the_demo_stops_when_its_window_is_closed_while_it_begins(tmp_path: Path) -> None:
    with running_demo(tmp_path, until="The page is at") as demo:
        status = demo.end(SIGHUP)

    assert_that_it_ended_well(demo, status)


def assert_that_it_ended_well(demo: Demo, status: int) -> None:
    assert status == 0
    assert "Traceback" not in demo.screen
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(demo.address)


def test_what_keeps_the_stage_from_starting_is_told(tmp_path: Path) -> None:
    copy = ProjectCopy(tmp_path).path
    (copy / ".chalice" / "config.json").write_text("{")
    said: list[str] = []

    with pytest.raises(NotStarted), chalice_local(os.environ, said.append, 0, copy):
        pass

    assert "Unable to load the project config file" in said[-1]


def test_where_nobody_watches_the_demo_is_a_tour_through_the_deployed_package() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    tour = subprocess.run(
        [sys.executable, "-m", "playground", "demo"],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert tour.returncode == 0, tour.stdout + tour.stderr
    assert "chalice deploy" in tour.stdout
    assert "13 sign-ins, 13 messages." in tour.stdout
    assert "\x1b" not in tour.stdout
