"""`.chalice/config.json`: the settings of each stage, read as Chalice reads them.

A rewrite keeps the order of the keys and whatever an operator added by hand.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from chalicelib import resource_names
from chalicelib.delivery.webhook import MAIN
from chalicelib.errors import SettingsError
from chalicelib.settings import DEFAULT_REGION, Settings
from ops.errors import OpsError

FOLDER: Final = Path(".chalice")
CHOICES: Final = "setup"  # a section of a stage, which Chalice passes over


class ConfigFile:
    """The project's `.chalice/config.json`, in the working directory."""

    def __init__(self, text: str, folder: Path = FOLDER) -> None:
        self.folder = folder
        try:
            self._tree: Any = json.loads(text)
        except ValueError as fault:
            raise OpsError(f"{folder}/config.json is not JSON: {fault}.") from None
        if not isinstance(self._tree, dict):
            raise OpsError(f"{folder}/config.json must hold a JSON object.")

    @classmethod
    def read(cls, folder: Path = FOLDER) -> Self:
        """Read it; raise OpsError if there is none."""
        try:
            text = (folder / "config.json").read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            raise OpsError(
                f"There is no readable {folder}/config.json here. Run this in the folder of "
                "signin-monitor, where app.py is."
            ) from None
        return cls(text, folder)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.folder / "config.json"

    @property
    def stages(self) -> tuple[str, ...]:
        """Name the stages it holds."""
        return tuple(_object(self._tree.get("stages")))

    def expect(self, stage: str) -> None:
        """Raise OpsError if it does not hold a stage."""
        if stage not in self.stages:
            raise OpsError(
                f"{self.folder}/config.json has no stage {stage}, only {', '.join(self.stages)}. "
                f"To make it: python -m ops setup --stage {stage}"
            )

    def environment(self, stage: str) -> dict[str, str]:
        """Merge a stage's environment variables as Chalice does."""
        merged: dict[str, str] = {}
        for level in self._levels(stage, None):
            merged.update(_object(level.get("environment_variables")))
        for name, value in merged.items():
            if not isinstance(value, str):
                raise OpsError(
                    f"{name} of the stage {stage} must be a string in {self.folder}/config.json: "
                    'put it in double quotes, "like this".'
                )
        return merged

    def setting(self, name: str, stage: str, handler: str) -> Any:  # noqa: ANN401  # any JSON value
        """Look up one of Chalice's own settings for a function: the nearest level decides."""
        top, of_stage, of_handler = self._levels(stage, handler)
        everywhere = _object(_object(self._tree.get("lambda_functions")).get(handler))
        for level in (of_handler, of_stage, everywhere, top):
            if level.get(name) is not None:
                return level[name]
        return None

    def settings(self, stage: str) -> Settings:
        """Return a stage's settings, which may lack the webhook: `setup` asks for it.

        Raises OpsError with every other fault.
        """
        return read_settings(self.environment(stage))

    def tags(self, stage: str) -> dict[str, str]:
        """Return the tags of a stage, which the operator sets; those of the top level included."""
        merged: dict[str, str] = {}
        for level in self._levels(stage, None):
            merged.update(_object(level.get("tags")))
        return merged

    def choices(self, stage: str) -> Mapping[str, Any]:
        """Return what the operator once chose in `setup` and no setting holds."""
        return _object(_object(_object(self._tree.get("stages")).get(stage)).get(CHOICES))

    def boundary(self, stage: str) -> str:
        """Return the ARN of the policy that bounds a stage's roles; empty if there is none."""
        return str(self.choices(stage).get("permissions_boundary") or "")

    def home_region(self, stage: str) -> str:
        """Return the region that a stage lives in."""
        return self.environment(stage).get("SIGN_IN_REGION", "").strip() or DEFAULT_REGION

    def subnets(self, stage: str, handler: str) -> list[str]:
        """Return the subnets that a function is attached to; none if it is in no VPC."""
        return list(self.setting("subnet_ids", stage, handler) or ())

    def own_role(self, stage: str, handler: str) -> str | None:
        """Return the ARN of the operator's own role of a function; None if Chalice makes it."""
        if self.setting("manage_iam_role", stage, handler) is not False:
            return None
        arn: str | None = self.setting("iam_role_arn", stage, handler)
        return arn

    def refusals(self, stage: str) -> Iterator[str]:
        """Yield what is wrong with Chalice's settings: each would deploy what no check knows."""
        if (name := self._tree.get("app_name")) != resource_names.APP:
            yield (
                f"app_name is {name}. Set it to {resource_names.APP} in {self.path}: policies, "
                "alarms and checks know the functions by names that begin with it."
            )
        of_stage = _object(_object(self._tree.get("stages")).get(stage))
        for where, level in (("", self._tree), (f"stages.{stage}.", of_stage)):
            for handler, own in _object(level.get("lambda_functions")).items():
                if variables := _object(_object(own).get("environment_variables")):
                    yield (
                        f"{where}lambda_functions.{handler}.environment_variables sets "
                        f"{', '.join(variables)} for one function alone. A setting is the whole "
                        f"stage's: move it to stages.{stage}.environment_variables."
                    )
        for handler in resource_names.HANDLERS:
            if bool(self.subnets(stage, handler)) is not bool(
                self.setting("security_group_ids", stage, handler)
            ):
                yield (
                    f"{handler} has subnet_ids or security_group_ids, and a VPC needs both. Set "
                    f"them on stages.{stage} in {self.path}."
                )
        for name in ("automatic_layer", "layers"):
            if any(self.setting(name, stage, handler) for handler in resource_names.HANDLERS):
                yield (
                    f"{name} gives the functions a layer, whose code no check knows. Take it out "
                    f"of {self.path}: the package is small enough without."
                )

    def set(self, path: Sequence[str], value: object) -> None:
        """Set the value at a path of keys, making the objects that are missing on the way."""
        *parents, name = path
        at = self._tree
        for key in parents:
            if not isinstance(at.get(key), dict):
                at[key] = {}
            at = at[key]
        at[name] = value

    def write(self) -> None:
        """Replace the file, in one step, so that no reader sees half of it."""
        file = self.path.resolve()
        beside = file.with_name(f"{file.name}.new")
        beside.write_text(json.dumps(self._tree, indent=2, ensure_ascii=False) + "\n", "utf-8")
        beside.chmod(file.stat().st_mode)
        beside.replace(file)

    def _levels(self, stage: str, handler: str | None) -> tuple[Mapping[str, Any], ...]:
        of_stage = _object(_object(self._tree.get("stages")).get(stage))
        of_handler = _object(_object(of_stage.get("lambda_functions")).get(handler or ""))
        return self._tree, of_stage, of_handler


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings of a stage's variables; the webhook may be missing.

    Raises OpsError with every other fault.
    """
    settings, faults = Settings.read(environment)
    if not environment.get(MAIN, "").strip():
        faults = tuple(fault for fault in faults if fault.setting != MAIN)
    if faults:
        raise OpsError(str(SettingsError(faults)))
    return settings


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
