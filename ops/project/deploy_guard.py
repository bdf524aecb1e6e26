"""Keeps `chalice deploy` from making what cannot work, and in the stage's own region.

Chalice imports app.py before it reaches AWS, so the app calls `guard` when Chalice's command line
imports it; this module never runs in Lambda. Without it Chalice would take the shell's region,
and a wrong setting or policy would show only when nobody is told of a sign-in.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Final

import click

from chalicelib import resource_names
from chalicelib.errors import SettingsError
from chalicelib.settings import NAMES, Settings
from ops.commands import policies
from ops.errors import OpsError
from ops.project.config_file import ConfigFile
from ops.project.deployed_record import Deployed
from ops.project.packing import prepare_packing

_MAKING: Final = frozenset({"deploy", "plan"})
_ROOM: Final = 4096  # bytes, for all variables of a function together ("Lambda quotas")


def guard() -> None:
    """Pin the region of Chalice's running command; end a deploy that would not work.

    One that will work is given bytecode to pack.

    Raises SystemExit with every fault and its remedy. `delete` goes on whatever is wrong.
    """
    context = click.get_current_context(silent=True)  # `chalice local` imports in a thread
    if context is None or context.command.name not in _MAKING | {"delete", "package"}:
        return
    stage: str = context.params["stage"]
    if context.command.name == "package":
        raise SystemExit(
            "chalice package gives the functions names that no policy, alarm or check knows. "
            f"For CloudFormation: python -m ops package --stage {stage} --out build"
        )
    try:
        config = ConfigFile.read()
        environment = config.environment(stage)
    except OpsError as fault:
        raise SystemExit(fault.message) from None
    region = config.home_region(stage)
    deployed = Deployed.read(stage)
    if context.command.name == "delete":
        take_settings(environment, deployed.region if deployed else region)
        return
    try:
        expect_deployable(config, stage, autogen=context.params.get("autogen_policy"))
        take_settings(environment, region)
        if context.command.name == "deploy":
            prepare_packing()
    except OpsError as fault:
        raise SystemExit(fault.message) from None


def expect_deployable(config: ConfigFile, stage: str, *, autogen: bool | None = None) -> None:
    """Raise OpsError with every fault that would keep a stage from working once deployed.

    `autogen` is what the command line asks of Chalice's own policy generator, if anything.
    """
    faults = list(_faults(config, stage, autogen=autogen))
    region, deployed = config.home_region(stage), Deployed.read(stage)
    if deployed and deployed.region != region:
        faults.append(
            f"SIGN_IN_REGION is {region}, but the stage is deployed in {deployed.region}. "
            f"Remove it there first: chalice delete --stage {stage}"
        )
    if faults:
        listed = "".join(f"\n  * {fault}" for fault in dict.fromkeys(faults))
        raise OpsError(f"The stage {stage} cannot be deployed; nothing was made.{listed}")


def take_settings(environment: Mapping[str, str], region: str) -> None:
    """Let the shell decide nothing: neither the region nor which handlers are registered."""
    os.environ["AWS_DEFAULT_REGION"] = region
    for name in set(NAMES) - set(environment):
        os.environ.pop(name, None)


def _faults(config: ConfigFile, stage: str, *, autogen: bool | None) -> Iterator[str]:
    if stage == "local":
        yield "The stage local is for `chalice local` alone. Deploy dev or prod."
        return
    try:
        config.expect(stage)
        settings = Settings.from_environment(config.environment(stage))
    except OpsError as fault:
        yield fault.message
        return
    except SettingsError as fault:
        yield from fault.faults
        return
    for handler in resource_names.registered(settings):
        yield from _faults_of(config, stage, handler, autogen=autogen)


def _faults_of(
    config: ConfigFile, stage: str, handler: str, *, autogen: bool | None
) -> Iterator[str]:
    environment = config.environment(stage, handler)
    try:
        settings = Settings.from_environment(environment)
    except SettingsError as fault:
        yield from fault.faults
        return
    if settings.stage != stage:
        yield f"STAGE is {settings.stage or 'missing'}. Set it to {stage}, the stage's own name."
    if len(json.dumps(environment, ensure_ascii=False, separators=(",", ":")).encode()) > _ROOM:
        yield (
            "The settings take more than the 4 KB that Lambda allows. Move ACCOUNT_NAMES into a "
            "file in chalicelib and name it: @accounts.json."
        )
    if config.own_role(stage, handler):
        return  # its policy is not here
    if autogen or (
        autogen is None and config.setting("autogen_policy", stage, handler) is not False
    ):
        yield (
            "autogen_policy must be false: Chalice's own policy generator sees none of the rights "
            "that the functions need."
        )
    elif wrong := policies.unfit(config, stage, handler, settings):
        yield (
            f"{policies.path_of(config, stage, handler)}, of {handler}, {'; '.join(wrong)}. "
            f"Write it anew: python -m ops policies --stage {stage}"
        )
