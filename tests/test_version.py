import re
import tomllib
from pathlib import Path

import chalicelib


def test_there_is_one_version() -> None:
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    assert project["project"]["version"] == chalicelib.__version__
    changelog = (Path(__file__).parent.parent / "CHANGELOG.md").read_text()
    assert chalicelib.__version__ in changelog


def pins(name: str) -> dict[str, str]:
    text = (Path(__file__).parent.parent / name).read_text()
    return dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)", text, re.MULTILINE))


def test_what_is_deployed_is_locked_and_installed_in_the_same_version_elsewhere() -> None:
    deployed = pins("requirements.txt")
    lock = (Path(__file__).parent.parent / "requirements.txt").read_text()
    assert lock.count("--hash=sha256:") == len(deployed)
    for other in ("requirements-ops.txt", "requirements-demo.txt"):
        assert deployed.items() <= pins(other).items()
