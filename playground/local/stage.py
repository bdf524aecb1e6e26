"""The local stage, running: `chalice local --stage local` and all that it talks to."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playground.aws import cloudtrail, deployed_stage, iam  # noqa: F401 — two of them extend moto
from playground.aws.embedded import EmbeddedAws
from playground.aws.settings import provision, provision_baseline
from playground.slack.control import SETTING
from playground.slack.rate import Rate
from playground.slack.receiver import Receiver

PROJECT: Final = Path(__file__).resolve().parents[2]
PORT: Final = 8000
OTHER_PORTS: Final = range(10_000, 32_000)
START_SECONDS: Final = 60
SCHEDULES: Final = {
    "MFA_AUDIT_SCHEDULE": "cron(0 9 ? * MON *)",
    "SELF_CHECK_SCHEDULE": "rate(1 hour)",
}
# What chalice prints and nobody needs: its access log, and the app's log, which is JSON.
_NOT_SHOWN: Final = ("127.0.0.1 - - [", "{")


class NotStarted(Exception):
    """Raised if `chalice local` does not answer; what it printed says why."""


@dataclass(frozen=True, kw_only=True)
class LocalStage:
    """Where the page is, with a slash at the end, and what receives the posts."""

    address: str
    receiver: Receiver


@contextmanager
def local_stage(say: Callable[[str], object], port: int = PORT) -> Iterator[LocalStage]:
    """Run an embedded AWS, a receiver with Slack's rate limit, and `chalice local` on both.

    What chalice complains of goes to `say`, line by line. Another port serves where `port` is
    taken. Raises NotStarted.
    """
    with deployed_stage.few_regions(), EmbeddedAws() as aws, Receiver(rate=Rate()) as receiver:
        settings = provision("local", aws=aws, receiver=receiver) | SCHEDULES
        settings |= provision_baseline("local", aws=aws)
        deployed_stage.build(aws, settings)
        aws.leave_alone(settings["UNDELIVERED_QUEUE"])  # the page's button delivers what waits
        aws.make_user("alice", has_password=True, has_mfa=True)
        for name in ("bob.martin", "carol"):
            aws.make_user(name, has_password=True)
        aws.make_user("deploy")
        environment = os.environ | aws.environment | settings | {SETTING: receiver.host}
        with ExitStack() as running:
            try:
                address = running.enter_context(chalice_local(environment, say, port))
            except NotStarted:  # another demo took the port first
                address = running.enter_context(chalice_local(environment, say, 0))
            yield LocalStage(address=address, receiver=receiver)


@contextmanager
def chalice_local(
    environment: Mapping[str, str],
    say: Callable[[str], object],
    port: int,
    project: Path = PROJECT,
) -> Iterator[str]:
    """Run `chalice local --stage local` in that environment; yield its address once it serves.

    Raises NotStarted.
    """
    port = _free_port(port)
    serving = threading.Event()
    stage = subprocess.Popen(
        [Path(sys.executable).with_name("chalice"), "local", "--stage=local", f"--port={port}"],
        cwd=project,
        env={
            **environment,
            "PYTHONDONTWRITEBYTECODE": "1",  # it starts again on new files
            "PYTHONUNBUFFERED": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is ours to answer, for chalice's two processes as well
    )
    listening = threading.Thread(target=_pass_on, args=(stage, say, serving), daemon=True)
    listening.start()
    try:
        _wait_until_it_serves(stage, serving)
        yield f"http://127.0.0.1:{port}/"
    finally:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(stage.pid, signal.SIGTERM)
        stage.wait()
        listening.join()


def _wait_until_it_serves(stage: "subprocess.Popen[str]", serving: threading.Event) -> None:
    for _ in range(START_SECONDS * 10):
        if serving.wait(0.1):
            return
        if stage.poll() is not None:
            break
    raise NotStarted("chalice local has not started.")


def _pass_on(
    stage: "subprocess.Popen[str]", say: Callable[[str], object], serving: threading.Event
) -> None:
    """Pass on what else chalice says: a traceback, or that it starts again after a change."""
    assert stage.stdout  # noqa: S101 — it is a pipe
    with stage.stdout:
        for line in stage.stdout:
            if line.startswith("Serving on "):
                serving.set()
            elif line.strip() and not line.startswith(_NOT_SHOWN):
                say(line.rstrip())


def _free_port(wanted: int) -> int:
    """Return the wanted port, or another if that is taken or 0. Raises NotStarted if none is free.

    It is not one of the system's ephemeral ports, which may be taken before chalice takes it.
    """
    for port in filter(None, (wanted, *random.sample(OTHER_PORTS, 100))):
        with socket.socket() as trial, suppress(OSError):
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("127.0.0.1", port))
            return port
    raise NotStarted("No port is free.")
