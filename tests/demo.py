"""The playground as a person starts it, at a terminal of its own.

It runs in a copy of the project: in the project itself `chalice local` would start again whenever
another test writes a file.
"""

import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGINT

from playground.deployment import ProjectCopy

SECONDS = 180


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

    def press_ctrl_c(self) -> int:
        """Stop it; give its exit status."""
        self.process.send_signal(SIGINT)
        return self.process.wait(SECONDS)

    def _read(self, terminal: int) -> None:
        with suppress(OSError):  # the terminal ends with the process
            while part := os.read(terminal, 65_536):
                self.screen += part.decode(errors="replace").replace("\r\n", "\n")


@contextmanager
def running_demo(scratch: Path, *, opening: int = 5) -> Iterator[Demo]:
    """Start a demo; wait until the messages that it opens with have arrived."""
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
        demo.wait_for(rf"(?s)(signin-monitor  \d\d:.*){{{opening}}}")
        yield demo
    finally:
        demo.press_ctrl_c()
        reading.join()
        os.close(terminal)
