"""An operator at a shell, in a copy of the project."""

import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from select import select
from typing import Any

from botocore import xform_name

from playground.aws.deployment import ProjectCopy
from playground.aws.embedded import EmbeddedAws
from tests.support.in_process import run_chalice, run_ops

_SECONDS = 60
WEBHOOK = "https://hooks.slack.com/services/T0/B0/fake"


@dataclass(frozen=True)
class Answer:
    """What a command printed, its output and its errors in one text, and its exit status."""

    text: str
    status: int


@dataclass
class Terminal:
    """A running command, and what its terminal shows."""

    process: "subprocess.Popen[bytes]"
    file: int
    screen: str = ""
    _found: int = 0  # how far it has been waited for

    def wait_for(self, text: str) -> None:
        """Read until the terminal shows a text after the last one that was waited for.

        Raises EOFError if the command ends before, and TimeoutError if it says nothing more.
        """
        while (at := self.screen.find(text, self._found)) < 0:
            self._read()
        self._found = at + len(text)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self.file, f"{line}\n".encode())

    def wait(self) -> int:
        """Read to the end; give the exit status."""
        with suppress(EOFError):
            while True:
                self._read()
        return self.process.wait(_SECONDS)

    def _read(self) -> None:
        if not select([self.file], [], [], _SECONDS)[0]:
            self.process.kill()
            raise TimeoutError(self.screen)
        try:
            piece = os.read(self.file, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            piece = b""
        if not piece:
            raise EOFError(self.screen)
        self.screen += piece.decode()


@dataclass
class Cli:
    """Has credentials for the embedded AWS; `shell` holds variables that go before those."""

    project: ProjectCopy
    aws: EmbeddedAws
    shell: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        shell = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return {
            **shell,
            **self.aws.environment,
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "200",
            **self.shell,
        }

    @property
    def config_file(self) -> Path:
        return self.project.path / ".chalice" / "config.json"

    def ops(self, *arguments: str, stdin: str = "") -> Answer:
        """Run one of our commands in this process, with `stdin` on a pipe."""
        folder = self.project.path
        run = run_ops(*arguments, folder=folder, environment=self.environment, stdin=stdin)
        self.project.keep_built()
        return Answer(*run)

    def chalice(self, *arguments: str, stdin: str = "", cwd: str = ".") -> Answer:
        """Run one of Chalice's, likewise, in a folder that is named from the project's."""
        folder = self.project.path / cwd
        run = run_chalice(*arguments, folder=folder, environment=self.environment, stdin=stdin)
        self.project.keep_built()
        return Answer(*run)

    def set_up(self, *options: str, stage: str = "prod") -> Answer:
        """Run `setup` to its end, in the home region alone."""
        answer = self.ops(
            *("setup", "--stage", stage, "--yes", "--home-region-only", *options),
            stdin=f"{WEBHOOK}\n",
        )
        assert answer.status == 0, answer.text
        return answer

    def follow(self, remedy: str) -> None:
        """Do what the doctor says, as whoever copies the commands to a shell."""
        for command in remedy.split(" && "):
            match shlex.split(command):
                case ["aws", service, operation, "--region", region, *options]:
                    _call(self.aws.client(service, region), operation, options)
                case ["chalice", *arguments]:
                    answer = self.chalice(*arguments)
                    assert answer.status == 0, answer.text
                case ["python", "-m", "ops", *arguments]:
                    asks = [] if arguments[0] == "policies" else ["--yes"]
                    answer = self.ops(*arguments, *asks, stdin=WEBHOOK)
                    assert answer.status == 0, answer.text
                case _:
                    raise AssertionError(command)

    @contextmanager
    def terminal(self, *arguments: str) -> Iterator["Terminal"]:
        """Run one of our commands on a terminal of its own, until it ends."""
        here, there = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-m", "ops", *arguments],
            cwd=self.project.path,
            env=self.environment,
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
        ) as process:
            os.close(there)
            yield Terminal(process, here)
            process.wait(_SECONDS)
        os.close(here)

    def edit_stage(self, stage: str = "prod", **changes: object) -> None:
        """Set Chalice's own settings of a stage in config.json."""
        config = json.loads(self.config_file.read_text())
        config["stages"][stage] |= changes
        self.config_file.write_text(json.dumps(config))

    def settings(self, stage: str = "prod") -> dict[str, Any]:
        """Read a stage's environment variables as the file has them."""
        config = json.loads(self.config_file.read_text())
        variables: dict[str, Any] = config["stages"][stage]["environment_variables"]
        return variables


def _call(client: Any, operation: str, options: list[str]) -> None:  # noqa: ANN401  # any service's
    """Call AWS as its own command line would, which reads each option by the service's model."""
    method = operation.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    names = {f"--{xform_name(name, '-')}": name for name in model.input_shape.members}
    parameters: dict[str, object] = {}
    for option, text in zip(options[::2], options[1::2], strict=True):
        match model.input_shape.members[names[option]].type_name:
            case "integer":
                parameters[names[option]] = int(text)
            case "map":
                parameters[names[option]] = (
                    json.loads(text) if text.startswith("{") else dict([text.split("=")])
                )
            case _:
                parameters[names[option]] = text
    getattr(client, method)(**parameters)
