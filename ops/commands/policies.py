"""The policy files of a stage, beside `.chalice/config.json`: do they fit, and written anew."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import botocore.session
import click
from botocore.exceptions import UnknownRegionError

from chalicelib import resource_names
from chalicelib.errors import SettingsError
from chalicelib.settings import Settings
from ops.command import Command, stage_option
from ops.errors import OpsError
from ops.iam import evaluation, grants
from ops.iam.grants import Grant
from ops.project.config_file import ConfigFile

# No policy depends on the ciphertext, which a stage has only after `setup`.
_ANY_CIPHERTEXT: Final = "AAAA"


def settings_of(environment: Mapping[str, str]) -> Settings:
    """Read the settings that policies follow from; raise OpsError with every fault."""
    ciphertext = environment.get("WEBHOOK_URL_ENCRYPTED", "").strip() or _ANY_CIPHERTEXT
    try:
        return Settings.from_environment({**environment, "WEBHOOK_URL_ENCRYPTED": ciphertext})
    except SettingsError as fault:
        raise OpsError(str(fault)) from None


def path_of(config: ConfigFile, stage: str, handler: str) -> Path:
    """Return the file that Chalice reads a handler's policy from."""
    named = config.setting("iam_policy_file", stage, handler)
    return config.folder / (named or f"policy-{stage}.json")


def name(config: ConfigFile, stage: str) -> None:
    """Name a file of its own for each handler that has none: else they would share one."""
    shared = Counter(path_of(config, stage, handler) for handler in resource_names.HANDLERS)
    for handler in resource_names.HANDLERS:
        if shared[path_of(config, stage, handler)] > 1:
            path = ("stages", stage, "lambda_functions", handler, "iam_policy_file")
            config.set(path, grants.file_name(stage, handler))


def unfit(config: ConfigFile, stage: str, handler: str, settings: Settings) -> list[str]:
    """Return why a handler's policy file does not fit its settings; nothing if it does."""
    path = path_of(config, stage, handler)
    try:
        document = json.loads(path.read_bytes())
    except OSError:
        return ["cannot be read"]
    except ValueError:
        return ["is not JSON"]
    if not isinstance(document, dict):
        return ["is not a policy"]
    needs = tuple(
        _at_home(grant, settings.sign_in_region)
        for grant in grants.grants(settings, handler)
        if grant.vital
    )
    return evaluation.faults(document, needs)


def write(config: ConfigFile, stage: str, handler: str, settings: Settings) -> Path:
    """Write a handler's policy file anew."""
    path = path_of(config, stage, handler)
    path.write_text(json.dumps(grants.document(settings, handler), indent=2) + "\n")
    return path


def _at_home(grant: Grant, region: str) -> Grant:
    """Fill in what is known of a grant's ARNs: the partition and the home region."""
    known = tuple(
        one.replace("arn:*:", f"arn:{_partition(region)}:").replace(":*:*:", f":{region}:*:")
        for one in grant.resources
    )
    return replace(grant, resources=known)


@cache
def _partition(region: str) -> str:
    try:
        return botocore.session.Session().get_partition_for_region(region)
    except UnknownRegionError:
        return "*"


@click.command(
    "policies",
    cls=Command,
    epilog="""
Example:
  python -m ops policies --stage prod
  git diff .chalice
""",
)
@stage_option
def command(stage: str) -> None:
    """Write a stage's policy files anew, as its settings ask.

    One file for each function, in .chalice/, with the rights it needs and no others. Needed after
    a change of WEBHOOK_ENCRYPTION_CONTEXT or UNDELIVERED_QUEUE. What was narrowed by hand is
    replaced: look at the difference before you deploy.
    """
    config = ConfigFile.read()
    config.expect(stage)
    name(config, stage)
    config.write()
    settings = settings_of(config.environment(stage))
    for handler in resource_names.HANDLERS:
        click.echo(f"Wrote {write(config, stage, handler, settings)}")
