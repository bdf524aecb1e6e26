from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from playground.slack.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.aws.deployment import ProjectCopy
    from tests.support.cli import Cli
    from tests.support.strict_aws import StrictAws


@pytest.fixture
def project(tmp_path: Path) -> "ProjectCopy":
    from tests.support.in_process import Project  # noqa: PLC0415 — unit tests do without moto

    return Project(tmp_path)


@pytest.fixture
def cli(project: "ProjectCopy", aws: "StrictAws") -> "Cli":
    from tests.support.cli import Cli  # noqa: PLC0415 — likewise

    return Cli(project, aws)


@pytest.fixture
def receiver() -> "Iterator[Receiver]":
    with Receiver() as receiver:
        yield receiver
