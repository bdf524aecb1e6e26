"""`regions`: which of an account's regions tell the home region of their sign-ins."""

import re

import click

from ops.account import Account
from ops.command import Command, profile_option, region_option, stage_option, yes_option
from ops.plan import apply_plan
from ops.project.config_file import ConfigFile
from ops.resources.event_bus import HomeBus
from ops.resources.forwards import Forward, Forwards


def _organization(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text and not re.fullmatch(r"o-[a-z0-9]{10,32}", text):
        raise click.BadParameter("an organisation's id looks like o-a1b2c3d4e5.")
    return text


@click.command(
    "regions",
    cls=Command,
    epilog="""
Examples:
  python -m ops regions --stage prod            which regions are blind
  python -m ops regions --stage prod --apply    make them forward
  python -m ops regions --stage prod --apply --organization o-a1b2c3d4e5
                                                and take what member accounts send, see
                                                ops/forward-sign-ins.yaml
  python -m ops regions --stage prod --remove   take the forwards away
""",
)
@stage_option
@click.option("--apply", "change", flag_value="apply", help="Make the forwards that are missing.")
@click.option("--remove", "change", flag_value="remove", help="Take away those that were made.")
@click.option(
    "--organization",
    metavar="ID",
    callback=_organization,
    help="With --apply: take sign-ins from this organisation's accounts, too.",
)
@yes_option
@profile_option
@region_option
def command(
    *,
    stage: str,
    change: str | None,
    organization: str | None,
    yes: bool,
    profile: str | None,
    region: str | None,
) -> None:
    """Show which regions forward their sign-ins to the home region; mend or remove that.

    A sign-in lands in the region whose endpoint took it, and whoever signs in picks it. A region
    that a policy denies is named and left out.
    """
    if organization and change != "apply":
        raise click.UsageError("--organization needs --apply.")
    config = ConfigFile.read()
    config.expect(stage)
    home = region or config.home_region(stage)
    account = Account.open(profile, home)
    account.expect_home_of(stage)
    forwards = Forwards(account, stage)
    complete = True
    if change:
        bus = HomeBus(account, stage) if organization or change == "remove" else None
        steps = (
            [*forwards.steps(), *(bus.steps(organization) if bus and organization else ())]
            if change == "apply"
            else [*forwards.removal_steps(), *(bus.removal_steps() if bus else ())]
        )
        if steps:
            complete = apply_plan(steps, yes=yes)
            forwards = Forwards(account, stage)
        else:
            click.echo("Nothing to do.")
    click.echo(f"{home:<16}home, account {account.account_id}")
    for one in forwards.found:
        click.echo(f"{one.region:<16}{_told(one)}")
    if not complete:
        click.get_current_context().exit(1)


def _told(one: Forward) -> str:
    match one.state:
        case "forwards":
            return click.style("forwards", fg="green")
        case "missing":
            return click.style("blind: no rule forwards", fg="red")
        case "differs":
            return click.style("blind: the rule is off or not as it should be", fg="red")
    return click.style(f"cannot tell: {one.why}", fg="yellow")
