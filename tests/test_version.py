import tomllib
from pathlib import Path

import chalicelib


def test_there_is_one_version() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    assert project["project"]["version"] == chalicelib.__version__
    changelog = (Path(__file__).parent.parent / "CHANGELOG.md").read_text()
    assert chalicelib.__version__ in changelog
