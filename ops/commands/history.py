"""`history`: the account's real sign-ins, as CloudTrail remembers them for 90 days."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from chalicelib.aws import event_history
from chalicelib.aws.clients import Clients, clients_of
from chalicelib.aws.event_history import Window
from chalicelib.health.deployment import Deployment
from chalicelib.health.description import fold, sentence
from chalicelib.health.regions import enabled_regions
from chalicelib.health.rights import unread_history
from chalicelib.messages.phrases import phrases_in
from chalicelib.messages.sign_in import sign_in_message
from chalicelib.settings import Settings
from chalicelib.signin.events import SIGN_IN_PATTERN
from chalicelib.signin.model import Principal, PrincipalType
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import AssessedSignIn, assess
from ops.account import Account
from ops.command import Command, profile_option, yes_option
from ops.commands.csv_text import write_csv
from ops.commands.history_table import FIELDS, Row, row, summary, table
from ops.commands.replay import replay
from ops.errors import OpsError
from ops.plan import confirm
from ops.project.config_file import ConfigFile, read_settings
from ops.terminal import Screen, console, progress

if TYPE_CHECKING:
    from boto3 import Session

    from chalicelib.health.result import CheckResult

_KEPT: Final = timedelta(days=90)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Found = tuple[Mapping[str, Any], Row]


class Since(click.ParamType[datetime]):
    """A span such as 7d, or a time such as 2026-05-31 or 2026-05-31T18:00Z."""

    name = "since"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time."""
        now = datetime.now(UTC)
        if span := re.fullmatch(r"(\d{1,6})([mhdw])", value):
            moment = now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        else:
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                self.fail(f"{value} is neither a span such as 7d nor a date.", param, ctx)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment > now:
            self.fail(f"{value} is still to come.", param, ctx)
        if moment < now - _KEPT:
            click.echo("CloudTrail keeps 90 days: reading those.", err=True)
        return max(moment, now - _KEPT)


@click.command(
    "history",
    cls=Command,
    short_help="Show real sign-ins as they would be posted.",
    epilog="""
Examples:
  python -m ops history --since 7d
  python -m ops history --since 24h --all-regions --full
  python -m ops history --since 90d --all-regions --csv > sign-ins.csv
  python -m ops history --since 2d --user 'alice*' --event ConsoleLogin
  python -m ops history --since 1d --stage prod --post    by the function

CloudTrail keeps 90 days, with or without a trail, and is up to 15 minutes late.
""",
)
@click.option(
    "--since", required=True, type=Since(), metavar="SPAN|DATE", help="How far back to read."
)
@click.option(
    "--region", "regions", multiple=True, metavar="REGION", help="Read this region; repeatable."
)
@click.option("--all-regions", is_flag=True, help="Read every enabled region.")
@click.option("--user", metavar="PATTERN", help="Only people of this name; * matches anything.")
@click.option(
    "--event", "events", multiple=True, metavar="NAME", help="Only events of this name; repeatable."
)
@click.option(
    "--stage", metavar="NAME", help="Use this stage's settings; without it, the defaults."
)
@click.option("--full", is_flag=True, help="Show each message as the channel would.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, in English.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in English.")
@click.option("--post", is_flag=True, help="Post them through the stage's deployed function.")
@yes_option
@profile_option
def command(  # noqa: PLR0913  # one argument for each option
    *,
    since: datetime,
    regions: tuple[str, ...],
    all_regions: bool,
    user: str | None,
    events: tuple[str, ...],
    stage: str | None,
    full: bool,
    as_csv: bool,
    as_json: bool,
    post: bool,
    yes: bool,
    profile: str | None,
) -> None:
    """Show the account's real sign-ins as they would be posted. Needs no deployment.

    Reads the stage's home region, us-east-1 by default: sign-ins land in the region of the
    endpoint that took them, so look at --all-regions at least once.
    """
    if regions and all_regions:
        raise click.UsageError("--region and --all-regions exclude each other.")
    if full + as_csv + as_json > 1:
        raise click.UsageError("Of --full, --csv and --json only one can be given.")
    if post and not stage:
        raise click.UsageError("--post needs --stage NAME: whose function is to post?")
    settings = _settings(stage)
    account = Account.open(profile, settings.sign_in_region)
    if post:
        account.expect_home_of(settings.stage)
    clients = clients_of(account.session)
    where = enabled_regions(clients, account.region) if all_regions else list(regions)
    where = where or [account.region]
    found = _chosen(read_history(clients, where, since), settings, user=user, names=events)
    rows = [row for _, row in found]
    if as_csv:
        write_csv(FIELDS, (row.values().values() for row in rows))
    elif as_json:
        click.echo(json.dumps([row.values() for row in rows], indent=2, ensure_ascii=False))
    elif full:
        _show_messages([row.assessed for row in rows], settings)
    elif rows:
        out = console()
        out.print(table(rows, out.width))
    click.echo(summary(rows) if rows else _nothing(where), err=as_csv or as_json)
    if post:
        deployment = Deployment(
            settings=settings,
            account_id=account.account_id,
            pattern=SIGN_IN_PATTERN,
            partition=account.partition,
        )
        chosen = [event for event, row in found if not row.ignored]
        _post(chosen, deployment, account.session, yes=yes)


def _nothing(regions: Sequence[str]) -> str:
    if len(regions) > 1:
        return f"No such sign-ins in {len(regions)} regions in that time."
    return f"No such sign-ins in {regions[0]} in that time. Try --all-regions."


def _settings(stage: str | None) -> Settings:
    if stage is None:
        return read_settings({})
    config = ConfigFile.read()
    config.expect(stage)
    return read_settings({**config.environment(stage), "STAGE": stage})


def read_history(clients: Clients, regions: Sequence[str], since: datetime) -> list[dict[str, Any]]:
    """Read the regions' history, oldest first; raise OpsError if none can be read."""
    windows = [Window(region=region, start=since, end=datetime.now(UTC)) for region in regions]
    events: list[dict[str, Any]] = []
    refusals: list[CheckResult] = []
    done = dict.fromkeys(regions, 0.0)
    with progress("Reading CloudTrail", len(windows)) as advance:
        for page in event_history.read(clients, windows):
            events += page.events
            region, part = page.window.region, _part(page)
            advance(part - done[region])
            done[region] = part
            if page.refusal:
                refusals.append(unread_history(page.refusal))
    reasons = [sentence(result, phrases_in("en"), str) for result in fold(refusals)]
    if len(refusals) == len(windows):
        raise OpsError(f"CloudTrail cannot be read: {reasons[0]}.")
    for reason in reasons:
        click.secho(f"Not read to the end: {reason}.", fg="yellow", err=True)
    return sorted(events, key=lambda event: str(event["time"]))


def _part(page: event_history.Page) -> float:
    """Return how much of its window has been read."""
    window = page.window
    return 1 if page.is_last else (window.end - page.reached) / (window.end - window.start)


def _chosen(
    events: Sequence[dict[str, Any]],
    settings: Settings,
    *,
    user: str | None,
    names: Sequence[str],
) -> list[Found]:
    sign_ins = [(event, read_sign_in(event)) for event in events]
    return [
        (event, row(assess(sign_in), settings))
        for event, sign_in in sign_ins
        if (not user or _is_named(sign_in.principal, user))
        and (not names or (sign_in.event_name or "").lower() in map(str.lower, names))
    ]


def _is_named(principal: Principal, pattern: str) -> bool:
    name = "root" if principal.type is PrincipalType.ROOT else principal.name or ""
    return fnmatchcase(name.lower(), pattern.lower())


def _show_messages(sign_ins: Sequence[AssessedSignIn], settings: Settings) -> None:
    screen = Screen(sys.stdout)
    for assessed in sign_ins:
        message = sign_in_message(assessed, settings, None)
        screen.show(message.payload, assessed.sign_in.event_time or datetime.now(UTC))


def _post(
    events: Sequence[Mapping[str, Any]], deployment: Deployment, session: "Session", *, yes: bool
) -> None:
    if not events:
        click.echo("None of them would be posted.")
        return
    click.echo(f"To post by the stage {deployment.stage}: {len(events)}.")
    if not yes:
        confirm("Post them?")
    with progress("Posting", len(events)) as advance:
        decisions = replay(events, deployment, session, on_each=partial(advance, 1))
    click.echo(", ".join(f"{decision}: {count}" for decision, count in decisions.items()))
