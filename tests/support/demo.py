"""The playground as a person starts it, at a terminal of its own.

It runs in a copy of the project: in the project itself `chalice local` would start again whenever
another test writes a file.
"""

import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT, Signals
from typing import Any, cast

import pytest

from playground.aws.deployment import ProjectCopy

SECONDS = 180
LAST_OF_THE_OPENING = re.escape("Root user signed in to prod (111122223333)")


class Answered(Exception):
    """Raised for any answer but 200; `status` and `said` are the answer's."""

    def __init__(self, status: int, said: dict[str, Any]) -> None:
        self.status = status
        self.said = said
        super().__init__(status, said)


def call(url: str, body: object = None, content_type: str = "application/json") -> dict[str, Any]:
    """Get an address of the page, or post JSON to it; give the answer. Raises Answered."""
    request = urllib.request.Request(
        url, None if body is None else json.dumps(body).encode(), {"Content-Type": content_type}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return cast("dict[str, Any]", json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            raise Answered(error.code, json.load(error)) from None


@dataclass
class Demo:
    """A running `python -m playground demo`, and what its terminal shows."""

    process: subprocess.Popen[bytes]
    screen: str = ""
    address: str = field(init=False)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the terminal shows it."""
        for _ in range(SECONDS * 10):
            if match := re.search(pattern, self.screen):
                return match
            time.sleep(0.1)
        raise TimeoutError(f"{pattern} is not to be seen in:\n{self.screen}")

    def call(
        self, path: str, body: object = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Do what the page does; give the answer. Raises Answered."""
        return call(self.address + path, body, content_type)

    def come_to_rest(self) -> None:
        """Let Slack take every message again, and deliver what waits."""
        self.call("answer", {"name": "ok"})
        for _ in range(SECONDS):
            if not self.call("deliveries", {"language": "en", "failures": "each"})["received"]:
                return
            time.sleep(1)  # as long as the rate limit asks for
        raise TimeoutError("The queue cannot be emptied.")

    def end(self, how: Signals = SIGINT) -> int:
        """Stop it, by Ctrl-C if nothing else is asked for; give its exit status."""
        self.process.send_signal(how)
        return self.process.wait(SECONDS)

    def expect_good_end(self, status: int) -> None:
        """See that the demo ended without a word, and its page with it."""
        assert status == 0
        assert "Traceback" not in self.screen
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(self.address)

    def _read(self, terminal: int) -> None:
        with suppress(OSError):  # the terminal ends with the process
            while part := os.read(terminal, 65_536):
                self.screen += part.decode(errors="replace").replace("\r\n", "\n")


@contextmanager
def running_demo(scratch: Path, *, until: str = LAST_OF_THE_OPENING) -> Iterator[Demo]:
    """Start a demo; wait until its terminal shows a pattern: that all it opens with has arrived."""
    terminal, end = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    process = subprocess.Popen(
        [sys.executable, "-m", "playground", "demo", "--port=0"],
        cwd=ProjectCopy(scratch).path,
        env={**environment, "BROWSER": "true", "NO_COLOR": "1"},
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
    )
    os.close(end)
    demo = Demo(process)
    reading = threading.Thread(target=demo._read, args=(terminal,))
    reading.start()
    try:
        demo.address = demo.wait_for(r"http://127\.0\.0\.1:\d+/")[0]
        demo.wait_for(until)
        yield demo
    finally:
        demo.end()
        reading.join()
        os.close(terminal)
