"""What a person sees who starts the playground."""

import os
import re
import subprocess
import sys
from pathlib import Path
from signal import SIGHUP

import pytest

from playground.aws.deployment import PROJECT, ProjectCopy
from playground.demo import SIGN_INS
from playground.local.stage import NotStarted, chalice_local
from tests.support.demo import LAST_OF_THE_OPENING, Demo, running_demo


@pytest.mark.xdist_group("demo")
def test_the_demo_opens_with_a_message_of_each_kind(demo: Demo) -> None:
    opening, _ = re.split(LAST_OF_THE_OPENING, demo.screen, maxsplit=1)
    assert opening.count("signin-monitor\x1b[0m") == len(SIGN_INS)


def test_the_demo_stops_when_its_window_is_closed_while_it_begins(tmp_path: Path) -> None:
    with running_demo(tmp_path, until="The page is at") as demo:
        demo.expect_good_end(demo.end(SIGHUP))


def test_what_keeps_the_stage_from_starting_is_reported(tmp_path: Path) -> None:
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
