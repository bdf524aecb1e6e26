"""What the tests share: a clean shell, an embedded AWS, a deployed stage, TLS receivers."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from chalicelib.settings import NAMES
from playground.aws.deployment import Deployment, deploy
from playground.aws.settings import provision
from playground.slack.certificates import Certificates, make_certificates
from playground.slack.receiver import Receiver
from tests.support.stage_harness import SECRET_PATH, StageHarness
from tests.support.strict_aws import StrictAws

hypothesis.settings.register_profile("suite", deadline=None)  # speed is the benchmark's business
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write the messages under tests/golden anew instead of comparing with them",
    )


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


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def embedded() -> Iterator[StrictAws]:
    with StrictAws() as aws:
        yield aws


@pytest.fixture
def aws(embedded: StrictAws) -> StrictAws:
    """Return an AWS account that is empty."""
    embedded.reset()
    return embedded


@pytest.fixture(scope="session")
def deployment(embedded: StrictAws, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Deploy prod with its queue, once: for the package and the settings, whatever AWS holds."""
    embedded.reset()
    with Receiver() as receiver:
        settings = provision("prod", aws=embedded, receiver=receiver)
    return deploy("prod", settings, aws=embedded, scratch=tmp_path_factory.mktemp("deployment"))


@pytest.fixture
def receiver(certificates: Certificates) -> Iterator[Receiver]:
    with Receiver(tls=certificates.good, path=SECRET_PATH, drip_seconds=0.2) as receiver:
        yield receiver


@pytest.fixture
def bed(
    aws: StrictAws,
    receiver: Receiver,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[StageHarness]:
    """Return the stage prod with its key and queue, its webhook led to the TLS receiver."""
    with StageHarness(aws, receiver, certificates, monkeypatch) as bed:
        yield bed
