"""Command lines in this process: one of its own takes a second to start, and is hard to measure."""

import atexit
import os
import shutil
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, NoReturn
from unittest import mock

from chalice.cli import main as chalice_main
from click.testing import CliRunner

from ops.__main__ import run as ops_main
from ops.project.bytecode import VENDOR
from playground.aws.deployment import ChaliceFailed, ProjectCopy
from playground.aws.embedded import HOME_REGION, EmbeddedAws

# As much as Chalice's own process has imported when it comes to pack.
_WRITE_BYTECODE: Final = """
import sys; sys.path.insert(0, ".")
import app, chalice.cli, ops.project.deploy_guard
from pathlib import Path
ops.project.bytecode.write_bytecode(Path(sys.argv[1]))
"""


def run_ops(
    *arguments: str, folder: Path, environment: Mapping[str, str], stdin: str = ""
) -> tuple[str, int]:
    """Run `python -m ops` in a folder; return what it prints, errors too, and its exit status."""
    with _shell(folder, environment):
        return _run(ops_main, arguments, stdin)


def run_chalice(
    *arguments: str, folder: Path, environment: Mapping[str, str], stdin: str = ""
) -> tuple[str, int]:
    """Run `chalice`, likewise."""
    with (
        _shell(folder, environment),
        mock.patch("ops.project.packing.write_bytecode", _place_bytecode),
        mock.patch.object(os, "execv", _start_again),
        _one_app(),
    ):
        while True:
            try:
                return _run(chalice_main, arguments, stdin)
            except _StartedAgainError as again:
                arguments = again.args


class Project(ProjectCopy):
    """A copy of the project whose commands of Chalice run in this process."""

    def chalice(self, *arguments: str, aws: EmbeddedAws, region: str = HOME_REGION) -> str:
        """Run a chalice command. Raises ChaliceFailed if it fails."""
        shell = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        environment = {**shell, **aws.environment, "AWS_DEFAULT_REGION": region}
        text, status = run_chalice(*arguments, folder=self.path, environment=environment)
        self.keep_built()
        if status:
            raise ChaliceFailed(text)
        return text


class _StartedAgainError(BaseException):
    """Raised in place of `execv`, with the command's arguments."""


def _run(main: Callable[[], int | None], arguments: Sequence[str], stdin: str) -> tuple[str, int]:
    command = ["command", *arguments]
    with (
        mock.patch.object(sys, "argv", command),
        mock.patch.object(sys, "orig_argv", [sys.executable, *command]),
        CliRunner().isolation(stdin) as (_, _, output),
    ):
        try:
            status: object = main()
        except SystemExit as end:
            status = end.code
            if isinstance(status, str):
                print(status)  # noqa: T201 — as Python does
                status = 1
        except Exception:  # noqa: BLE001 — likewise
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        return output.getvalue().decode(), status if isinstance(status, int) else 0


@contextmanager
def _shell(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    with chdir(folder), mock.patch.dict(os.environ, environment, clear=True):
        yield


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


def _start_again(_: str, arguments: Sequence[str]) -> NoReturn:
    sys.modules.pop("app", None)
    raise _StartedAgainError(*arguments[2:])


def _place_bytecode() -> None:
    """Write the bytecode that Chalice's own process would, which has imported less than this."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    shutil.copytree(_bytecode(), VENDOR)


@cache
def _bytecode() -> Path:
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder)
    command = [sys.executable, "-c", _WRITE_BYTECODE, str(folder)]
    subprocess.run(command, env={"PATH": os.environ["PATH"]}, check=True)
    return folder
