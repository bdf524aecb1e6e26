"""`teardown`: removes what `setup` and `regions` made, and what `chalice delete` leaves."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from chalicelib import resource_names
from chalicelib.aws.error_codes import unless_missing
from chalicelib.delivery.webhook import CRITICAL, MAIN
from ops.account import Account
from ops.command import (
    Command,
    dry_run_option,
    profile_option,
    region_option,
    stage_option,
    yes_option,
)
from ops.errors import OpsError
from ops.iam.grants import file_name
from ops.plan import Step, apply_plan
from ops.project.config_file import ConfigFile
from ops.project.deployed_resources import STACK_TAG
from ops.resources.alarms import Alarms
from ops.resources.event_bus import HomeBus
from ops.resources.forwards import Forwards
from ops.resources.key import StageKey
from ops.resources.queue import UndeliveredQueue
from ops.resources.read_only_rule import ReadOnlyRule
from ops.resources.table import StageTable

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


@click.command(
    "teardown",
    cls=Command,
    short_help="Remove what setup and regions made.",
    epilog="""
Examples:
  chalice delete --stage dev && python -m ops teardown --stage dev
  python -m ops teardown --stage dev --force    what is undelivered is lost
""",
)
@stage_option
@click.option("--force", is_flag=True, help="Delete the queue even if something is undelivered.")
@yes_option
@dry_run_option
@profile_option
@region_option
def command(  # one argument for each option
    *, stage: str, force: bool, yes: bool, dry_run: bool, profile: str | None, region: str | None
) -> None:
    """Remove what setup and regions made, and the logs that chalice delete leaves.

    Only what bears the stage's tag is touched. The key is scheduled for deletion, 30 days away. A
    queue that still holds sign-ins stays, unless it is forced.
    """
    config = ConfigFile.read()
    config.expect(stage)
    account = Account.open(profile, region or config.home_region(stage))
    account.expect_home_of(stage)
    _expect_undeployed(account, stage)
    click.echo(f"Stage {stage}, account {account.account_id}, home region {account.region}.")

    queue = UndeliveredQueue(account, config, stage)
    keeps = queue.depth if not force else 0
    steps = [
        *Forwards(account, stage).removal_steps(),
        *HomeBus(account, stage).removal_steps(),
        *ReadOnlyRule(account, stage).removal_steps(),
        *Alarms(account, stage).removal_steps(),
        *(() if keeps else queue.removal_steps()),
        *StageTable(account, config, stage).removal_steps(),
        *StageKey(account, stage).removal_steps(),
        *_log_steps(account, stage),
        *_config_steps(
            config,
            stage,
            (MAIN, CRITICAL, "BASELINE_TABLE", *(() if keeps else ("UNDELIVERED_QUEUE",))),
        ),
    ]
    if steps:
        apply_plan(steps, yes=yes, dry_run=dry_run)
    elif not keeps:
        click.echo(f"Nothing to do: nothing of the stage {stage} is left.")
    if keeps:
        click.secho(
            f"The queue {queue.name} stays: it holds {keeps} undelivered. --force deletes it.",
            fg="yellow",
        )


def _expect_undeployed(account: Account, stage: str) -> None:
    functions = account.session.client("lambda")
    for handler in resource_names.HANDLERS:
        named = {"FunctionName": resource_names.function(stage, handler)}
        found = unless_missing(partial(functions.get_function, **named))
        if found is None:
            continue
        delete = f"chalice delete --stage {stage}"
        if stack := found.get("Tags", {}).get(STACK_TAG):
            delete = (
                f"aws cloudformation delete-stack --region {account.region} --stack-name {stack}"
            )
        raise OpsError(f"The stage {stage} is still deployed. First: {delete}")


def _log_steps(account: Account, stage: str) -> Iterator[Step]:
    logs: CloudWatchLogsClient = account.session.client("logs")
    for handler in resource_names.HANDLERS:
        group = resource_names.log_group(stage, handler)
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if any(log_group["logGroupName"] == group for log_group in found):
            yield Step(
                f"delete the logs {group}",
                partial(logs.delete_log_group, logGroupName=group),
                kind="remove",
            )


def _config_steps(config: ConfigFile, stage: str, names: tuple[str, ...]) -> Iterator[Step]:
    """Empty the settings that name what is gone."""
    held = [name for name in names if config.environment(stage).get(name)]
    if held:
        yield Step(
            f"empty {', '.join(held)} in {config.path}",
            partial(_empty, config, stage, held),
            kind="remove",
        )


def _empty(config: ConfigFile, stage: str, names: Sequence[str]) -> None:
    for name in names:
        config.set(("stages", stage, "environment_variables", name), "")
    config.write()
    for handler in resource_names.HANDLERS:
        (config.folder / file_name(stage, handler)).unlink(missing_ok=True)
    click.echo(f"the other settings stay in {config.path}; ", nl=False)
