"""A real `chalice deploy` of this project, or of another, into the embedded AWS.

It works on a copy, so that settings of the moment leave the project's own files alone.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.project.default_config import default_config
from playground.aws.embedded import HOME_REGION, EmbeddedAws

PROJECT = Path(__file__).resolve().parents[2]
_COPIED = ("app.py", "chalicelib", ".chalice", "requirements.txt", "ops", "playground")
_OWN_STATE = ("deployments", "deployed", "venv", "__pycache__")


class ChaliceFailed(Exception):
    """Raised if a chalice command exits with anything but 0; its text is what it said."""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What `chalice deploy` left behind."""

    output: str
    package: Path  # the uploaded archive, unpacked
    package_bytes: int  # the size of that archive
    functions: Mapping[str, Mapping[str, Any]]  # by handler: GetFunctionConfiguration's answers
    deployed: Mapping[str, Any]  # .chalice/deployed/<stage>.json

    def environment(self, handler: str) -> dict[str, str]:
        """Return a function's variables as Lambda has them."""
        return dict(self.functions[handler].get("Environment", {}).get("Variables", {}))


class ProjectCopy:
    """A copy of a Chalice project in a new folder of `scratch`, to change and to deploy.

    It begins with the project's own cache of built packages, whose names are hashes of what they
    bring along, and adds what it builds: commands at the same time do not change one archive.
    """

    def __init__(self, scratch: Path, *, project: Path = PROJECT) -> None:
        self.path = scratch / "clone"
        self._scratch = scratch
        self._packages = project / ".chalice" / "deployments"
        self._packages.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(parents=True)
        for name in _COPIED:
            if name == ".chalice" and project == PROJECT:  # an operator's own settings stay out
                (self.path / name).mkdir()
                config = json.dumps(default_config(), indent=2) + "\n"
                (self.path / name / "config.json").write_text(config)
            elif (project / name).is_dir():
                ignore = shutil.ignore_patterns(*_OWN_STATE)
                shutil.copytree(project / name, self.path / name, ignore=ignore)
            elif (project / name).exists():
                shutil.copy(project / name, self.path / name)
        self._built = self.path / ".chalice" / "deployments"
        self._built.mkdir()
        for archive in self._packages.glob("*.zip"):
            (self._built / archive.name).symlink_to(archive)

    def configure(self, stage: str, environment: Mapping[str, str]) -> None:
        """Write settings into a stage of the copy's configuration, over those it has."""
        file = self.path / ".chalice" / "config.json"
        config = json.loads(file.read_text())
        variables = config["stages"].setdefault(stage, {}).setdefault("environment_variables", {})
        variables.update(environment)
        file.write_text(json.dumps(config, indent=2))

    def chalice(self, *arguments: str, aws: EmbeddedAws, region: str = HOME_REGION) -> str:
        """Run a chalice command in the copy, with the shell set to `region`; return its output.

        Raises ChaliceFailed if the command does.
        """
        shell = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        run = subprocess.run(
            [Path(sys.executable).with_name("chalice"), *arguments],
            cwd=self.path,
            env={**shell, **aws.environment, "AWS_DEFAULT_REGION": region},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.keep_built()
        if run.returncode:
            raise ChaliceFailed(run.stdout)
        return run.stdout

    def keep_built(self) -> None:
        """Add what was built to the project's cache."""
        for archive in self._built.glob("*.zip"):
            kept = self._packages / archive.name
            if not kept.exists():
                part = kept.with_suffix(f".{os.getpid()}")
                shutil.copy(archive, part)
                part.replace(kept)

    def deploy(
        self,
        stage: str,
        *,
        aws: EmbeddedAws,
        home_region: str = HOME_REGION,
        shell_region: str | None = None,
    ) -> Deployment:
        """Deploy a stage; its functions are looked for in `home_region`.

        `shell_region` is what AWS_DEFAULT_REGION says to chalice, if not the home region.
        Raises ChaliceFailed if the deployment does.
        """
        output = self.chalice(
            "deploy", "--stage", stage, aws=aws, region=shell_region or home_region
        )
        deployed = json.loads((self.path / f".chalice/deployed/{stage}.json").read_text())
        names = {
            resource["name"]: resource["lambda_arn"].rpartition(":")[2]
            for resource in deployed["resources"]
            if resource["resource_type"] == "lambda_function"
        }
        lambda_ = aws.client("lambda", home_region)
        functions = {
            handler: lambda_.get_function_configuration(FunctionName=name)
            for handler, name in names.items()
        }
        archive = aws.package_of(next(iter(names.values())), home_region)
        package = self._scratch / f"package-{stage}"
        shutil.rmtree(package, ignore_errors=True)
        zipfile.ZipFile(io.BytesIO(archive)).extractall(package)
        return Deployment(
            output=output,
            package=package,
            package_bytes=len(archive),
            functions=functions,
            deployed=deployed,
        )


def deploy(
    stage: str,
    environment: Mapping[str, str],
    *,
    aws: EmbeddedAws,
    scratch: Path,
    project: Path = PROJECT,
    home_region: str = HOME_REGION,
    shell_region: str | None = None,
) -> Deployment:
    """Copy the project, write a stage's settings into the copy and deploy it.

    Raises ChaliceFailed if the deployment does.
    """
    copy = ProjectCopy(scratch, project=project)
    copy.configure(stage, environment)
    return copy.deploy(stage, aws=aws, home_region=home_region, shell_region=shell_region)
