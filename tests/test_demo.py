"""What a person sees who starts the playground."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from playground.deployment import PROJECT

from .demo import running_demo


def test_the_demo_shows_what_arrives_and_stops_at_ctrl_c(tmp_path: Path) -> None:
    with running_demo(tmp_path) as demo:
        opened = demo.screen
        status = demo.press_ctrl_c()

    assert "root signed in to prod (111122223333)" in opened
    assert status == 0
    assert "Traceback" not in demo.screen
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(demo.address)


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
