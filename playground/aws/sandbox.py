"""The process that runs a Lambda function, and the API between the two.

The API is on AWS's page "Using the Lambda runtime API for custom runtimes".
"""

import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from playground.server import LOOPBACK, HttpHandler, Server, TcpServer

API = "/2018-06-01/runtime"
_IN_LAMBDA = ("awslambdaric", "boto3")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of INIT or of an event.

    `kind` is `ready`, `init_error`, `response`, `error`, `exit`, or `late` if there was no other.
    """

    kind: str
    body: Any = None
    at: float


class Sandbox:
    """A process that runs the function, and the API that it asks for events."""

    def __init__(
        self, command: list[str], *, cwd: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        self.events: Queue[_Event | None] = Queue()
        self.reports: Queue[Report] = Queue()
        self.ready = 0.0
        self.handed_out = 0.0
        self._log = log
        self._log_read = 0
        self._api = Server(_Api(self))
        self._api.start()
        with log.open("wb") as output:
            self.started = time.perf_counter()
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": self._api.host},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.pid = self._process.pid
        self._watching = threading.Thread(target=self._watch)
        self._watching.start()

    def hand_out(self, body: bytes, seconds: float, arn: str) -> None:
        """Hand the function its next event, with that many seconds to answer it."""
        self.events.put(_Event(body=body, seconds=seconds, arn=arn))

    def report(self, seconds: float) -> Report:
        """Wait so long for what the sandbox says next."""
        try:
            return self.reports.get(timeout=seconds)
        except Empty:
            return Report(kind="late", at=time.perf_counter())

    def new_log_lines(self) -> tuple[str, ...]:
        """Return what was written to standard output and error since the last call."""
        with self._log.open("rb") as log:
            log.seek(self._log_read)
            written = log.read()
        self._log_read += len(written)
        return tuple(written.decode(errors="replace").splitlines())

    def stop(self) -> None:
        """Kill the process and close the API."""
        self._process.kill()
        self._watching.join()
        self.events.put(None)
        self._api.stop()

    def _watch(self) -> None:
        status = self._process.wait()
        self.reports.put(Report(kind="exit", body=status, at=time.perf_counter()))


@dataclass(frozen=True, kw_only=True)
class _Event:
    body: bytes
    seconds: float
    arn: str

    def headers(self) -> dict[str, str]:
        deadline = time.time() + self.seconds
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(round(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self.arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(deadline):08x}-{uuid.uuid4().hex[:24]}",
        }


class _Api(TcpServer):
    """The Lambda runtime API of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__((LOOPBACK, 0), _Request)
        self.sandbox = sandbox


class _Request(HttpHandler):
    server: _Api

    def do_GET(self) -> None:
        """Answer `next`, the only GET there is: with an event, once it has come."""
        sandbox = self.server.sandbox
        if not sandbox.ready:
            sandbox.ready = time.perf_counter()
            sandbox.reports.put(Report(kind="ready", at=sandbox.ready))
        event = sandbox.events.get()
        if event is None:
            self.close_connection = True
            return
        sandbox.handed_out = time.perf_counter()
        self._answer(200, event.body, event.headers())

    def do_POST(self) -> None:
        """Receive a response, an error, or an error at INIT."""
        at = time.perf_counter()
        body = json.loads(self.body() or b"null")
        kind = self.path.removeprefix(API).rpartition("/")[2]
        if self.path == f"{API}/init/error":
            kind = "init_error"
        self._answer(202, b"{}", {"Content-Type": "application/json"})
        self.server.sandbox.reports.put(Report(kind=kind, body=body, at=at))

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def link_runtime(folder: Path) -> Path:
    """Fill a folder with links to what Lambda's Python runtime brings; return the folder."""
    folder.mkdir()
    wanted, linked = list(_IN_LAMBDA), set[str]()
    while wanted:
        name = wanted.pop()
        if name in linked:
            continue
        linked.add(name)
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # named for another Python only
            continue
        for top in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(installed.locate_file(top))))
        wanted += [
            re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
            for requirement in installed.requires or ()
            if "extra ==" not in requirement
        ]
    return folder
