from pathlib import Path

import pytest

from playground.aws.deployment import ProjectCopy
from playground.aws.embedded import EmbeddedAws
from tests.support.cli import Cli
from tests.support.deployed_stage import limit_regions


@pytest.fixture(autouse=True)
def few_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_regions(monkeypatch)


@pytest.fixture
def project(tmp_path: Path) -> ProjectCopy:
    return ProjectCopy(tmp_path)


@pytest.fixture
def cli(project: ProjectCopy, aws: EmbeddedAws) -> Cli:
    return Cli(project, aws)
