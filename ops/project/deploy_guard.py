"""Keeps `chalice deploy` from making what cannot work, and in the stage's own region.

Chalice imports app.py before it reaches AWS, so the app calls `guard` when Chalice's command line
imports it; this module never runs in Lambda. Without it Chalice would take the shell's region,
and a wrong setting or policy would show only when a sign-in is not posted.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import __version__, resource_names
from chalicelib.aws.error_codes import is_denied
from chalicelib.errors import SettingsError
from chalicelib.settings import NAMES, Settings
from ops.account import Account
from ops.errors import OpsError, sentence
from ops.project import policy_files
from ops.project.config_file import ConfigFile
from ops.project.deployed_record import Deployed, write_record
from ops.project.deployed_resources import VERSION_TAG, DeployedResources, as_numbers
from ops.project.packing import prepare_packing
from ops.resources.queue import UndeliveredQueue
from ops.resources.read_only_rule import ReadOnlyRule
from ops.resources.role import LAMBDA, Role, trust_in

_GUARDED: Final = frozenset({"delete", "deploy", "package", "plan"})
_STARTED_AGAIN: Final = "SIGNIN_MONITOR_STARTED_AGAIN"
_ROOM: Final = 4096  # bytes, for all variables of a function together ("Lambda quotas")


def guard() -> None:
    """Pin the region of Chalice's running command, and let it know what is deployed.

    A deploy that will work is given bytecode to pack. Raises SystemExit with every fault and its
    remedy; `delete` goes on whatever is wrong with the settings.
    """
    context = click.get_current_context(silent=True)  # `chalice local` imports in a thread
    if context is None or context.command.name not in _GUARDED:
        return
    stage: str = context.params["stage"]
    try:
        match context.command.name:
            case "package":
                _refuse_package(stage)
            case "delete":
                _prepare_delete(context, stage)
            case _:
                _prepare_deploy(context, stage)
    except OpsError as error:
        raise SystemExit(error.message) from None


def _refuse_package(stage: str) -> NoReturn:
    raise OpsError(
        "chalice package gives the functions names that no policy, alarm or check knows. "
        f"For CloudFormation: python -m ops package --stage {stage} --out build"
    )


def _prepare_delete(context: click.Context, stage: str) -> None:
    """Chalice reads its record after it has imported the app: it finds what AWS has."""
    config, recorded = ConfigFile.read(), Deployed.read(stage)
    region = recorded.region if recorded else config.home_region(stage)
    take_settings(config.environment(stage), region)
    with _asking_aws(stage):
        account = Account.open(context.params["profile"], region)
        account.expect_home_of(stage)
        write_record(stage, _deployed(account, config, stage).resources)


def _prepare_deploy(context: click.Context, stage: str) -> None:
    config = ConfigFile.read()
    expect_deployable(config, stage, autogen=context.params.get("autogen_policy"))
    region = config.home_region(stage)
    take_settings(config.environment(stage), region)
    with _asking_aws(stage):
        account = Account.open(
            context.params["profile"], region, config.tags(stage), config.boundary(stage)
        )
        account.expect_home_of(stage)
        if account.boundary and context.command.name == "deploy":
            _make_roles(account, config, stage)
        deployed = _deployed(account, config, stage)
        if write_record(stage, deployed.resources):
            _start_again(context, stage)
        _expect_readable_queue(account, config, stage)
    policy_files.write(config, stage, config.settings(stage))
    if context.command.name == "deploy":
        _confirm_release(deployed.version, stage)
        prepare_packing()
        context.call_on_close(lambda: _finish_deploy(account, config, stage))


def _make_roles(account: Account, config: ConfigFile, stage: str) -> None:
    """Make the functions' roles under the boundary, so that Chalice finds them there."""
    for handler in resource_names.deployed_handlers(config.settings(stage)):
        if not config.own_role(stage, handler):
            name = resource_names.function(stage, handler)
            role = Role(account, stage, name, trust=trust_in(LAMBDA), policy=None)
            for step in role.steps():
                step.apply()


@contextmanager
def _asking_aws(stage: str) -> Iterator[None]:
    """Raise OpsError if AWS does not answer."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise OpsError(
            f"Nothing of the stage {stage} was deployed or deleted. {sentence(error)}"
        ) from None


def _deployed(account: Account, config: ConfigFile, stage: str) -> DeployedResources:
    """Return what is deployed; raise OpsError if it is not Chalice's to change."""
    deployed = DeployedResources.find(account, config, stage)
    if deployed.stack:
        raise OpsError(
            f"The stage {stage} belongs to the CloudFormation stack {deployed.stack}. To change "
            f"it: python -m ops package --stage {stage}. To take it away: aws cloudformation "
            f"delete-stack --region {account.region} --stack-name {deployed.stack}"
        )
    return deployed


def _expect_readable_queue(account: Account, config: ConfigFile, stage: str) -> None:
    """Raise OpsError for a queue that Lambda would refuse, once it has made all the rest.

    Says what else is wrong with a queue of the operator's own. A queue that may not be looked at
    is left to AWS.
    """
    if not config.settings(stage).undelivered_queue:
        return
    try:
        queue = UndeliveredQueue(account, config, stage)
        lacking = queue.shortcomings
    except ClientError as error:
        if is_denied(error):
            return
        raise
    if not queue.is_there:
        raise OpsError(
            f"There is no queue {queue.name} in {account.region}, which UNDELIVERED_QUEUE names. "
            f"To make it: python -m ops setup --stage {stage}"
        )
    for lack in lacking:
        text = f"The queue {queue.name} is your own. {lack}\n  {lack.command}"
        if lack.is_refused:
            raise OpsError(text)
        click.secho(text, fg="yellow", err=True)


def _start_again(context: click.Context, stage: str) -> NoReturn:
    """Run the same command once more: before it imports the app, Chalice has read the record."""
    if os.environ.get(_STARTED_AGAIN):
        raise OpsError(
            f"The stage {stage} changes while it is being read: somebody else deploys or deletes "
            "it. Wait for them, then run this again."
        )
    os.environ[_STARTED_AGAIN] = "true"
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = [sys.executable, *sys.orig_argv[1:]]
    # A relative --project-dir holds where Chalice was started; Chalice has gone there since.
    given, here = context.find_root().params["project_dir"], Path.cwd()
    for spelled, absolute in (
        (given, f"{here}"),
        (f"--project-dir={given}", f"--project-dir={here}"),
    ):
        if spelled in arguments:
            arguments[arguments.index(spelled)] = absolute
    os.execv(sys.executable, arguments)  # noqa: S606  # the very command, without a shell


def _confirm_release(deployed: str | None, stage: str) -> None:
    """Raise OpsError unless this release is the deployed release, or newer, or agreed to."""
    if not deployed or as_numbers(deployed) <= as_numbers(__version__):
        return
    click.echo(f"The stage {stage} runs release {deployed}, newer than this one, {__version__}.")
    try:
        click.confirm("Deploy the older release?", abort=True)
    except click.Abort:
        raise OpsError(
            "Nothing was made. To agree without a terminal: "
            f"echo y | chalice deploy --stage {stage}"
        ) from None


def _finish_deploy(account: Account, config: ConfigFile, stage: str) -> None:
    """Do what Chalice cannot, once the functions are deployed.

    They are tagged with the release: Chalice sets its own tags alone. Says what to do if AWS
    refuses: the deployment itself is done.
    """
    if sys.exception():
        return
    functions = account.session.client("lambda")
    try:
        for handler in resource_names.deployed_handlers(config.settings(stage)):
            arn = account.arn("lambda", f"function:{resource_names.function(stage, handler)}")
            functions.tag_resource(Resource=arn, Tags={VERSION_TAG: __version__})
    except (ClientError, BotoCoreError) as error:
        click.secho(
            f"The functions do not bear the release's tag, which `doctor` reads. {sentence(error)}",
            fg="yellow",
            err=True,
        )
    ReadOnlyRule(account, stage).connect_after_deploy()


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
        environment = config.environment(stage)
        settings = Settings.from_environment(environment)
    except OpsError as fault:
        yield fault.message
        return
    except SettingsError as fault:
        yield from map(str, fault.faults)
        return
    yield from config.refusals(stage)
    if settings.stage != stage:
        yield f"STAGE is {settings.stage or 'missing'}. Set it to {stage}, the stage's own name."
    if len(json.dumps(environment, ensure_ascii=False, separators=(",", ":")).encode()) > _ROOM:
        yield (
            "The settings take more than the 4 KB that Lambda allows. Move ACCOUNT_NAMES into a "
            "file in chalicelib and name it: @accounts.json."
        )
    for handler in resource_names.deployed_handlers(settings):
        if config.own_role(stage, handler):
            continue  # its policy is not here
        if autogen or (
            autogen is None and config.setting("autogen_policy", stage, handler) is not False
        ):
            yield (
                "autogen_policy must be false: Chalice's own policy generator sees none of the "
                "rights that the functions need."
            )
        elif any(handler in place for place in policy_files.unnamed(config, stage)):
            yield (
                f"{policy_files.path_of(config, stage, handler)} would serve several functions. "
                f"Give each its own: python -m ops policies --stage {stage}"
            )
