"""`baseline`: what the stage remembers of people, learned from history, shown and forgotten."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import click

from chalicelib.aws.clients import clients_of
from chalicelib.aws.json_protocol import Credentials, JSONClient
from chalicelib.baseline.item import KEY, seen
from chalicelib.baseline.networks import KnownNetworks
from chalicelib.baseline.person import is_named
from chalicelib.baseline.sighting import Sighting, sighting_of
from chalicelib.baseline.table import BaselineTable
from chalicelib.health.regions import enabled_regions
from chalicelib.messages.payload import clean
from chalicelib.settings import Settings
from chalicelib.signin.reader import read_sign_in
from ops.account import Account
from ops.command import Command, profile_option, stage_option, yes_option
from ops.commands.history import Since, read_history
from ops.errors import OpsError
from ops.plan import Step, apply_plan
from ops.project.config_file import ConfigFile
from ops.terminal import progress

Item = Mapping[str, Any]

_LONGEST: Final = 200


@click.command(
    "baseline",
    cls=Command,
    short_help="Learn who signs in from where, show it, forget it.",
    epilog="""
Examples:
  python -m ops baseline --stage prod --since 90d        learn; may be run again
  python -m ops baseline --stage prod --show alice
  python -m ops baseline --stage prod --forget alice

The table is made by: python -m ops setup --stage prod --baseline
""",
)
@stage_option
@click.option("--since", type=Since(), metavar="SPAN|DATE", help="Learn from so far back.")
@click.option("--show", metavar="NAME", help="Show what is known of a person or role.")
@click.option("--forget", metavar="NAME", help="Remove what is known of a person or role.")
@yes_option
@profile_option
def command(
    *,
    stage: str,
    since: datetime | None,
    show: str | None,
    forget: str | None,
    yes: bool,
    profile: str | None,
) -> None:
    """Learn who signs in from where, out of CloudTrail's event history of all regions.

    CloudTrail keeps 90 days of this account. What is learned here is familiar from then on,
    without a message.
    """
    if [since, show, forget].count(None) != 2:  # noqa: PLR2004 — one of three
        raise click.UsageError("Say what to do: --since SPAN, --show NAME or --forget NAME.")
    config = ConfigFile.read()
    config.expect(stage)
    settings = config.settings(stage)
    table = settings.baseline_table
    if not table:
        raise OpsError(
            f"The stage {stage} has no table. First: python -m ops setup --stage {stage} --baseline"
        )
    account = Account.open(profile, settings.sign_in_region)
    account.expect_home_of(stage)
    people = _People(account, table)
    if since:
        _learn(account, settings, table, since)
    elif show:
        _show(people.named(show), show)
    elif forget:
        _forget(people, forget, yes=yes)


class _People:
    """The items of a stage's table."""

    def __init__(self, account: Account, table: str) -> None:
        self._dynamodb: Any = account.client("dynamodb", account.region)
        self._table = table

    def named(self, name: str) -> list[Item]:
        """List the items of whoever is called so."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table)
        items = [item for page in pages for item in page["Items"]]
        return [item for item in items if is_named(item[KEY]["S"], name)]

    def remove(self, item: Item) -> None:
        """Delete an item."""
        self._dynamodb.delete_item(TableName=self._table, Key={KEY: item[KEY]})


def _learn(account: Account, settings: Settings, table: str, since: datetime) -> None:
    """Teach the table what it would know if it had been there since then."""
    clients = clients_of(account.session)
    regions = enabled_regions(clients, account.region)
    since = max(since, datetime.now(UTC) - timedelta(days=settings.baseline_days))
    events = read_history(clients, regions, since)
    sightings = list(_sightings(events, KnownNetworks(settings.known_networks)))
    dynamodb = JSONClient(
        "dynamodb", account.region, credentials=partial(Credentials.of_session, account.session)
    )
    people = BaselineTable(dynamodb, table, settings.baseline_days)
    chosen = _first_and_last(sightings)
    with progress("Learning", len(chosen)) as advance:
        for sighting in chosen:
            people.learn(sighting)
            advance(1)
    count = len({sighting.person for sighting in sightings})
    click.echo(
        f"Sign-ins since {since:%Y-%m-%d}: {len(sightings)}. People and roles that are familiar "
        f"now: {count}."
    )


def _sightings(events: Iterable[Mapping[str, Any]], networks: KnownNetworks) -> Iterator[Sighting]:
    for event in events:
        sign_in = read_sign_in(event)
        if sign_in.event_time is None:
            continue
        name = networks.name_of(sign_in.source_ip)
        if sighting := sighting_of(sign_in, name, sign_in.event_time):
            yield sighting


def _first_and_last(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Return what teaches as much as all of them, oldest first."""
    first: dict[tuple[str, str, str], Sighting] = {}
    last: dict[tuple[str, str, str], Sighting] = {}
    for sighting in sorted(sightings, key=lambda sighting: sighting.time):
        kind = sighting.person, sighting.network, sighting.client
        first.setdefault(kind, sighting)
        last[kind] = sighting
    chosen = {sighting.event_id: sighting for sighting in (*first.values(), *last.values())}
    return sorted(chosen.values(), key=lambda sighting: sighting.time)


def _show(items: Sequence[Item], name: str) -> None:
    if not items:
        click.echo(f"Nothing is known of {name}.")
    for item in items:
        click.secho(_safe(item[KEY]["S"]), bold=True)
        for kind in ("network", "client"):
            for day, value in sorted(
                ((day, value) for value, day in seen(item, kind)), reverse=True
            ):
                click.echo(f"  {kind:<8} {_safe(value):<40} last seen {_safe(day)}")


def _forget(people: _People, name: str, *, yes: bool) -> None:
    items = people.named(name)
    if not items:
        click.echo(f"Nothing is known of {name}.")
        return
    steps = [
        Step(f"forget {_safe(item[KEY]['S'])}", partial(people.remove, item), kind="remove")
        for item in items
    ]
    apply_plan(steps, yes=yes)


def _safe(text: str) -> str:
    return clean(text, _LONGEST)
