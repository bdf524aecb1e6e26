"""The bytecode that is deployed, and what may lie beside it."""

import sys
from pathlib import Path

import pytest

import chalicelib.notifier  # noqa: F401 — so that it is among what is written
from ops.errors import OpsError
from ops.project.bytecode import write_bytecode


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)


def plant(path: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"planted")
    return file


def test_what_the_app_imports_gets_bytecode() -> None:
    write_bytecode()
    written = {path.name.partition(".")[0] for path in Path("vendor").rglob("*.pyc")}
    assert {"adapters", "connectionpool", "notifier", "socks", "webhook"} <= written
    assert "deploy_guard" not in written


def test_bytecode_of_an_earlier_deployment_is_gone() -> None:
    tag = sys.implementation.cache_tag
    old = plant(f"vendor/requests/__pycache__/api.{tag}.pyc")
    other = plant(f"vendor/urllib3/__pycache__/planted.{tag}.pyc")
    write_bytecode()
    assert old.read_bytes() != b"planted"
    assert not other.exists()


@pytest.mark.parametrize(
    "path",
    [
        "vendor/sitecustomize.py",
        "vendor/certifi/cacert.pem",
        "vendor/urllib3/planted.pyc",
        "vendor/.hidden",
        "chalicelib/planted.pyc",
    ],
)
def test_anything_else_is_refused_by_name(path: str) -> None:
    planted = plant(path)
    with pytest.raises(OpsError, match=f"^{path} would be deployed"):
        write_bytecode()
    assert planted.exists()
