"""A Lambda function on this machine: AWS's own runtime client runs an unpacked package.

The package sees what it would see in Lambda and nothing else: itself, the standard library, and
what Lambda's Python runtime brings (boto3 and what that needs).
"""

import json
import os
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from playground.aws.embedded import ACCOUNT_ID, HOME_REGION
from playground.aws.sandbox import Report, Sandbox, link_runtime

TIMEOUT_SECONDS = 60
INIT_SECONDS = 60  # Lambda's limit is 10, on machines of its own


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one invocation ended. Times are `time.perf_counter`'s seconds."""

    value: Any = None  # what the handler returned
    error: Mapping[str, Any] | None = None  # errorType, errorMessage, stackTrace
    log: tuple[str, ...] = ()  # the lines of standard output and error, INIT's at a cold start
    timed_out: bool = False
    handed_out: float = 0.0  # the function got the event; 0 if INIT failed
    answered: float = 0.0  # the function's answer came, or its end

    @property
    def seconds(self) -> float:
        """How long the handler took, the runtime client included."""
        return self.answered - self.handed_out


class LambdaFunction:
    """One function with at most one warm sandbox, as a context manager.

    A sandbox starts with the first invocation (or `start`) and lives until it fails at INIT, runs
    out of time or dies. `on_ready` is called with its process id after INIT, before the first
    event.
    """

    def __init__(
        self,
        package: Path,
        handler: str,
        environment: Mapping[str, str],
        *,
        name: str = "signin-monitor",
        memory_mb: int = 128,
        region: str = HOME_REGION,
        on_ready: Callable[[int], object] | None = None,
    ) -> None:
        self._package = package.resolve()
        self._handler = handler
        self._settings = dict(environment)
        self._name = name
        self._memory_mb = memory_mb
        self._region = region
        self._on_ready = on_ready
        self._scratch = tempfile.TemporaryDirectory(prefix="lambda-")
        self._runtime = link_runtime(Path(self._scratch.name) / "runtime")
        self._sandbox: Sandbox | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._scratch.cleanup()

    @property
    def pid(self) -> int | None:
        """The process id of the warm sandbox."""
        return self._sandbox.pid if self._sandbox else None

    @property
    def started(self) -> float:
        """When the process of the warm sandbox was started (`time.perf_counter`)."""
        return self._sandbox.started if self._sandbox else 0.0

    @property
    def ready(self) -> float:
        """When the warm sandbox first asked for an event: the end of INIT."""
        return self._sandbox.ready if self._sandbox else 0.0

    def start(self) -> Result | None:
        """Start a sandbox where there is none; return the result only if its INIT failed."""
        if self._sandbox:
            return None
        self._sandbox = sandbox = Sandbox(
            [sys.executable, "-s", "-S", "-m", "awslambdaric", self._handler],
            cwd=self._package,
            environment=self._environment(),
            log=Path(self._scratch.name) / f"{uuid.uuid4()}.log",
        )
        report = sandbox.report(INIT_SECONDS)
        if report.kind == "ready":
            if self._on_ready:
                self._on_ready(sandbox.pid)
            return None
        self.stop()
        return _failed(report, sandbox, f"INIT took more than {INIT_SECONDS} seconds")

    def stop(self) -> None:
        """End the warm sandbox: the next invocation starts cold."""
        if self._sandbox:
            self._sandbox.stop()
            self._sandbox = None

    def invoke(self, event: object, timeout_seconds: float = TIMEOUT_SECONDS) -> Result:
        """Hand an event to the function; wait for its answer, its end, or the end of its time."""
        if failed := self.start():
            return failed
        sandbox = self._sandbox
        assert sandbox  # noqa: S101  # start() left a sandbox
        arn = f"arn:aws:lambda:{self._region}:{ACCOUNT_ID}:function:{self._name}"
        sandbox.hand_out(json.dumps(event).encode(), timeout_seconds, arn)
        report = sandbox.report(timeout_seconds)
        if report.kind in ("response", "error"):
            return Result(
                value=report.body if report.kind == "response" else None,
                error=report.body if report.kind == "error" else None,
                log=sandbox.new_log_lines(),
                handed_out=sandbox.handed_out,
                answered=report.at,
            )
        self.stop()
        return _failed(report, sandbox, f"Task timed out after {timeout_seconds:.2f} seconds")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": f"{self._package}{os.pathsep}{self._runtime}",
            "PYTHONDONTWRITEBYTECODE": "1",  # /var/task cannot be written to
            "LAMBDA_TASK_ROOT": str(self._package),
            "LAMBDA_RUNTIME_DIR": str(self._runtime),
            "_HANDLER": self._handler,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
            "AWS_LAMBDA_FUNCTION_NAME": self._name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self._memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self._name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            **self._settings,
            "AWS_REGION": self._region,
            "AWS_DEFAULT_REGION": self._region,
        }


def _failed(report: Report, sandbox: Sandbox, when_late: str) -> Result:
    """Return the result of an invocation that got no answer, in Lambda's words."""
    errors = {
        "init_error": report.body,
        "exit": {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"Runtime exited with status {report.body}",
        },
        "late": {"errorType": "Sandbox.Timedout", "errorMessage": when_late},
    }
    return Result(
        error=errors[report.kind],
        log=sandbox.new_log_lines(),
        timed_out=report.kind == "late",
        handed_out=sandbox.handed_out,
        answered=report.at,
    )
