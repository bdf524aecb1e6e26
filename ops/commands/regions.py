"""`regions`: which of an account's regions forward their sign-ins to the home region."""

import json
import re

import click

from chalicelib.messages.phrases import phrases_in
from ops.account import Account
from ops.command import (
    Command,
    dry_run_option,
    profile_option,
    region_option,
    stage_option,
    yes_option,
)
from ops.plan import apply_plan
from ops.project.config_file import ConfigFile
from ops.resources.event_bus import HomeBus
from ops.resources.forwards import Forwards, Region


def _organization(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text and not re.fullmatch(r"o-[a-z0-9]{10,32}", text):
        raise click.BadParameter("an organisation's id looks like o-a1b2c3d4e5.")
    return text


@click.command(
    "regions",
    cls=Command,
    short_help="Show which regions forward sign-ins, or change that.",
    epilog="""
Examples:
  python -m ops regions --stage prod            which regions forward
  python -m ops regions --stage prod --apply    make them forward
  python -m ops regions --stage prod --remove   remove the forwards
  python -m ops regions --stage prod --apply --organization o-a1b2c3d4e5

The last accepts what member accounts send as well: docs/organizations.md.
""",
)
@stage_option
@click.option("--apply", "is_apply", is_flag=True, help="Make the forwards that are missing.")
@click.option("--remove", "is_remove", is_flag=True, help="Remove those that were made.")
@click.option(
    "--organization",
    metavar="ID",
    callback=_organization,
    help="With --apply: accept sign-ins of this organisation's accounts too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the regions as JSON.")
@yes_option
@dry_run_option
@profile_option
@region_option
def command(  # noqa: PLR0913  # one argument for each option
    *,
    stage: str,
    is_apply: bool,
    is_remove: bool,
    organization: str | None,
    as_json: bool,
    yes: bool,
    dry_run: bool,
    profile: str | None,
    region: str | None,
) -> None:
    """Show which regions forward their sign-ins to the home region; change or remove that.

    A sign-in lands in the region whose endpoint took it, and whoever signs in picks it. A region
    that a policy denies is named and left out.
    """
    if is_apply and is_remove:
        raise click.UsageError("--apply and --remove exclude each other.")
    if as_json and (is_apply or is_remove):
        raise click.UsageError("--json shows the regions and changes none.")
    if organization and not is_apply:
        raise click.UsageError("--organization needs --apply.")
    config = ConfigFile.read()
    config.expect(stage)
    home = region or config.home_region(stage)
    account = Account.open(profile, home, config.tags(stage), config.boundary(stage))
    account.expect_home_of(stage)
    forwards = Forwards(account, stage)
    complete = True
    if is_apply or is_remove:
        bus = HomeBus(account, stage) if organization or is_remove else None
        steps = (
            [*forwards.steps(), *(bus.steps(organization) if bus and organization else ())]
            if is_apply
            else [*forwards.removal_steps(), *(bus.removal_steps() if bus else ())]
        )
        if steps:
            complete = apply_plan(steps, yes=yes, dry_run=dry_run)
            forwards = Forwards(account, stage)
        else:
            click.echo("Nothing to do.")
    if as_json:
        regions = {region.name: region.status for region in forwards.regions}
        click.echo(json.dumps({"stage": stage, "home": home, "regions": regions}, indent=2))
    else:
        click.echo(f"{home:<16}home, account {account.account_id}")
        for found in forwards.regions:
            click.echo(f"{found.name:<16}{_described(found)}")
    if not complete:
        click.get_current_context().exit(1)


def _described(region: Region) -> str:
    if region.forward is None:
        return click.style(f"unknown: {region.why}", fg="yellow")
    if not region.forward.code:
        return click.style("forwards", fg="green")
    fault = phrases_in("en")(
        f"fault.{region.forward.code}", resource=region.forward.rule, region=region.name
    )
    return click.style(f"not covered: {fault}", fg="red")
