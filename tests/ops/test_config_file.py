import json
from pathlib import Path

import click
import pytest
from chalice.cli.factory import CLIFactory

from ops.project.config_file import ConfigFile

TEXT = """{
    "version": "2.0",
    "odd":   [1,2,
  3],
    "stages": {
        "dev": {"environment_variables": {"A": "1", "B": "2"}},
        "prod": {}
    }
}
"""


def written(folder: Path, text: str) -> ConfigFile:
    (folder / "config.json").write_text(text)
    return ConfigFile.read(folder)


def test_a_rewrite_keeps_the_order_and_what_an_operator_added(tmp_path: Path) -> None:
    config = written(tmp_path, '{"z": "한국", "stages": {"dev": {"tags": {"b": 1, "a": 2}}}}')
    config.set(("stages", "dev", "environment_variables", "STAGE"), "dev")
    config.write()
    assert (
        (tmp_path / "config.json").read_text()
        == """\
{
  "z": "한국",
  "stages": {
    "dev": {
      "tags": {
        "b": 1,
        "a": 2
      },
      "environment_variables": {
        "STAGE": "dev"
      }
    }
  }
}
"""
    )


def test_a_stages_variables_are_merged_as_chalice_merges_them(tmp_path: Path) -> None:
    chalice = tmp_path / ".chalice"
    chalice.mkdir()
    tree = {
        "app_name": "a",
        "environment_variables": {"A": "top", "B": "top"},
        "stages": {"dev": {"environment_variables": {"B": "stage", "C": "stage"}}},
    }
    config = written(chalice, json.dumps(tree))
    theirs = CLIFactory(str(tmp_path)).create_config_obj("dev")
    assert config.environment("dev") == theirs.environment_variables


@pytest.mark.parametrize("level", ["function", "stage", "function of all stages", "top"])
def test_the_nearest_level_decides_a_setting_as_it_does_for_chalice(
    tmp_path: Path, level: str
) -> None:
    chalice = tmp_path / ".chalice"
    chalice.mkdir()
    of_function: dict[str, object] = {"on_sign_in": {"lambda_timeout": 1}}
    of_stage: dict[str, object] = {"lambda_timeout": 2, "lambda_functions": of_function}
    top: dict[str, object] = {
        "app_name": "a",
        "lambda_timeout": 4,
        "lambda_functions": {"on_sign_in": {"lambda_timeout": 3}},
        "stages": {"dev": of_stage},
    }
    if level != "function":
        del of_stage["lambda_functions"]
    if level in ("function of all stages", "top"):
        del of_stage["lambda_timeout"]
    if level == "top":
        del top["lambda_functions"]
    config = written(chalice, json.dumps(top))
    theirs = CLIFactory(str(tmp_path)).create_config_obj("dev").scope("dev", "on_sign_in")
    assert config.setting("lambda_timeout", "dev", "on_sign_in") == theirs.lambda_timeout


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is not JSON"), ("[]", "must hold a JSON object")]
)
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(click.ClickException, match=said):
        written(tmp_path, text)


def test_a_missing_file_is_reported_with_the_place_to_be(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"where app\.py is"):
        ConfigFile.read(tmp_path)


def test_a_variable_that_is_no_string_is_named(tmp_path: Path) -> None:
    config = written(tmp_path, '{"stages": {"dev": {"environment_variables": {"A": 1}}}}')
    with pytest.raises(click.ClickException, match="A of the stage dev must be a string"):
        config.environment("dev")


def test_a_write_keeps_the_files_mode_and_its_link(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere.json"
    real.write_text("{}")
    real.chmod(0o640)
    (tmp_path / "config.json").symlink_to(real)
    config = ConfigFile.read(tmp_path)
    config.set(("a",), 1)
    config.write()
    assert json.loads(real.read_text()) == {"a": 1}
    assert (tmp_path / "config.json").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
