"""Chalice's command line in this process: a process of its own would take a second to start."""

import os
import shutil
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from unittest import mock

from chalice.cli import cli
from click.testing import CliRunner

from ops.project.bytecode import VENDOR
from playground.aws.deployment import ChaliceFailed, ProjectCopy
from playground.aws.embedded import HOME_REGION, EmbeddedAws

_COMMAND: Final = str(Path(sys.executable).with_name("chalice"))
# As much as Chalice's own process has imported when it comes to pack.
_WRITE_BYTECODE: Final = """
import sys; sys.path.insert(0, ".")
import app, chalice.cli, ops.project.deploy_guard
from pathlib import Path
ops.project.bytecode.write_bytecode(Path(sys.argv[1]))
"""


class _StartedAgainError(BaseException):
    """Raised in place of `execv`, with Chalice's arguments."""


def run_chalice(
    *arguments: str, folder: Path, environment: Mapping[str, str], stdin: str = ""
) -> tuple[str, int]:
    """Run a command in a folder; return what it printed, its errors too, and its exit status."""
    with (
        chdir(folder),
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch("ops.project.packing.write_bytecode", _place_bytecode),
        mock.patch.object(os, "execv", _start_again),
        _one_app(),
    ):
        while True:
            try:
                with mock.patch.object(sys, "orig_argv", [sys.executable, _COMMAND, *arguments]):
                    result = CliRunner().invoke(
                        cli, arguments, prog_name="chalice", input=stdin, obj={}
                    )
                break
            except _StartedAgainError as again:
                arguments = again.args
    if result.exception and not isinstance(result.exception, SystemExit):  # as `chalice.cli.main`
        return result.output + "".join(traceback.format_exception(result.exception)), 2
    return result.output, result.exit_code


class Project(ProjectCopy):
    """A copy of the project whose commands of Chalice run in this process."""

    def chalice(self, *arguments: str, aws: EmbeddedAws, region: str = HOME_REGION) -> str:
        """Run a chalice command. Raises ChaliceFailed if it fails."""
        shell = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environment = {**shell, **aws.environment, "AWS_DEFAULT_REGION": region}
        text, status = run_chalice(*arguments, folder=self.path, environment=environment)
        if status:
            raise ChaliceFailed(text)
        return text


@contextmanager
def _one_app() -> Iterator[None]:
    """Let the app be imported again, and undo what a command does to its process."""
    umask = os.umask(0o022)
    os.umask(umask)
    sys.modules.pop("app", None)
    try:
        with (
            mock.patch.object(sys, "path", [*sys.path]),
            mock.patch.object(sys, "dont_write_bytecode", new=True),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # Chalice's own
            yield
    finally:
        sys.modules.pop("app", None)
        os.umask(umask)


def _start_again(_: str, arguments: Sequence[str]) -> None:
    sys.modules.pop("app", None)
    raise _StartedAgainError(*arguments[2:])


def _place_bytecode() -> None:
    """Write the bytecode that Chalice's own process would, which has imported less than this."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    shutil.copytree(_bytecode(), VENDOR)


@cache
def _bytecode() -> Path:
    folder = Path(mkdtemp())
    command = [sys.executable, "-c", _WRITE_BYTECODE, str(folder)]
    subprocess.run(command, env={"PATH": os.environ["PATH"]}, check=True)
    return folder
