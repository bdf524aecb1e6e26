"""What the tests share: a clean shell, an embedded AWS, a deployed package, TLS receivers.

With `--unit` only those test files are read that need none of the three; that takes seconds.
"""

import fcntl
import gc
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chalicelib.aws import event_history
from chalicelib.settings import NAMES
from playground.slack.certificates import Certificates, make_certificates
from playground.slack.receiver import Receiver
from tests.support.webhook import SECRET_PATH

if TYPE_CHECKING:
    from tests.support.demo import Demo
    from tests.support.stage_harness import StageHarness
    from tests.support.strict_aws import StrictAws

# What a test file imports that needs the embedded AWS, a deployed package or a browser.
_NOT_UNIT = re.compile(
    r"^(from|import) (moto|playwright|playground\.(aws|local)|tests\.notifier|tests\.support\.(cli"
    r"|demo|deployed_stage|event_bridge|faults|in_process|notifier_harness|secrecy|stage_harness|strict_aws))",
    re.MULTILINE,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--unit", action="store_true", help="only tests without AWS or a browser")
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="rewrite the messages under tests/golden instead of comparing with them",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out a test file that is no unit test, and a folder whose fixtures are of none."""
    if not config.getoption("unit"):
        return None
    read = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    return (read.exists() and bool(_NOT_UNIT.search(read.read_text(encoding="utf-8")))) or None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Start one worker more than there are cores: many tests wait for a server."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let xdist keep a group on one worker: 3.8 names it where pytest 9.2 no longer looks."""
    for item in items:
        if "_nodeid" in vars(item):
            item._id = type(item._id).parse(vars(item)["_nodeid"])


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("unit") and "moto" in sys.modules:
        raise pytest.UsageError("A unit test has imported moto: complete _NOT_UNIT.")


# What a developer's shell may hold that boto3, requests, Chalice or the app would obey.
_OBEYED = ("AWS_", "BOTO_", "CHALICE_", "PLAYGROUND_")
_OBEYED_ENDINGS = ("_PROXY", "_CA_BUNDLE")


@pytest.fixture(scope="session", autouse=True)
def clean_shell() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as shell:
        for name in list(os.environ):
            if name in NAMES or name.startswith(_OBEYED) or name.upper().endswith(_OBEYED_ENDINGS):
                shell.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            shell.setenv(name, os.devnull)
        shell.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session", autouse=True)
def rare_collections() -> None:
    """Look for garbage less often: what moto and botocore hold for good is most of what is seen."""
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Where the stack is full, no finalizer of another test's garbage can run."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def embedded() -> "Iterator[StrictAws]":
    from tests.support.strict_aws import StrictAws  # noqa: PLC0415 — unit tests do without moto

    with StrictAws() as aws:
        yield aws


@pytest.fixture
def aws(embedded: "StrictAws") -> "StrictAws":
    """Return an AWS account that is empty."""
    embedded.reset()
    return embedded


@pytest.fixture
def quick_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the event history throttle, and its reader wait, for a fiftieth of AWS's time."""
    from playground.aws import cloudtrail  # noqa: PLC0415 — likewise

    monkeypatch.setattr(cloudtrail, "clock", lambda: time.monotonic() * 50)
    monkeypatch.setattr(event_history, "PAUSE", event_history.PAUSE / 50)
    patience = tuple(seconds / 50 for seconds in event_history.PATIENCE)
    monkeypatch.setattr(event_history, "PATIENCE", patience)


@pytest.fixture(scope="session")
def package(embedded: "StrictAws", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the package of prod as `chalice deploy` makes it, once for all runs."""
    from playground.aws.deployment import deploy  # noqa: PLC0415 — likewise
    from playground.aws.settings import provision  # noqa: PLC0415

    # Workers of xdist each have a folder, below a folder that they share.
    scratch = tmp_path_factory.getbasetemp()
    scratch = (scratch.parent if "PYTEST_XDIST_WORKER" in os.environ else scratch) / "package"
    scratch.mkdir(exist_ok=True)
    with (scratch / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (scratch / "done").exists():
            embedded.reset()
            with Receiver() as receiver:
                settings = provision("prod", aws=embedded, receiver=receiver)
            deploy("prod", settings, aws=embedded, scratch=scratch)
            (scratch / "done").touch()
    return scratch / "package-prod"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Demo]":
    """Return a running demo, which all tests share that mark themselves with its group."""
    from tests.support.demo import running_demo  # noqa: PLC0415 — likewise

    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo
        demo.expect_good_end(demo.end())


@pytest.fixture
def receiver(certificates: Certificates) -> Iterator[Receiver]:
    with Receiver(tls=certificates.good, path=SECRET_PATH, drip_seconds=0.2) as receiver:
        yield receiver


@pytest.fixture
def critical_receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def shared_receiver() -> Iterator[Receiver]:
    """Return a receiver for the stages that are made once."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def harness(
    aws: "StrictAws",
    receiver: Receiver,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> "Iterator[StageHarness]":
    """Return the stage prod with its key and queue, its webhook led to the TLS receiver."""
    from tests.support.stage_harness import StageHarness  # noqa: PLC0415 — likewise

    with StageHarness(aws, receiver, certificates, monkeypatch) as harness:
        yield harness
