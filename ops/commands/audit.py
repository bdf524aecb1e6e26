"""`audit`: who can sign in without MFA; needs no deployment."""

import json
from datetime import datetime

import click
from rich.table import Table

from chalicelib.messages.payload import clean, format_utc
from chalicelib.mfa_audit.credential_report import CredentialReport, Person, fetch
from chalicelib.mfa_audit.findings import able_to_sign_in
from chalicelib.settings import DEFAULT_REGION
from ops.account import Account
from ops.command import Command, profile_option
from ops.commands.csv_text import write_csv
from ops.terminal import console

_PATIENCE = 120.0  # seconds: nobody kills a command while it waits
_NAME_LIMIT = 64  # IAM's own
_COLUMNS = ("account_id", "user", "mfa", "last_sign_in", "password_since", "report_time")


@click.command(
    "audit",
    cls=Command,
    short_help="List who can sign in without MFA.",
    epilog="""
Examples:
  python -m ops audit                  who has a console password and no MFA
  python -m ops audit --csv > mfa.csv  everyone who can sign in
  python -m ops audit --json | jq '.[] | select(.mfa == "no") | .user'
""",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print everyone who can sign in, as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print everyone who can sign in, as JSON.")
@profile_option
@click.option(
    "--region",
    metavar="REGION",
    default=DEFAULT_REGION,
    show_default=True,
    help="Any region of the account's partition.",
)
def command(*, as_csv: bool, as_json: bool, profile: str | None, region: str) -> None:
    """List who can sign in to the console without MFA: IAM users and root of this account.

    IAM Identity Center's users are not in it. IAM makes its report every four hours at most.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    account = Account.open(profile, region)
    report = fetch(account.session.client("iam"), patience=_PATIENCE)
    rows = [_cells(account.account_id, person, report) for person in able_to_sign_in(report)]
    if as_csv:
        write_csv(_COLUMNS, rows)
    elif as_json:
        listed = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
    else:
        _print(account.account_id, report)


def _print(account_id: str, report: CredentialReport) -> None:
    able = able_to_sign_in(report)
    without_mfa = [person for person in able if not person.has_mfa]
    click.echo(
        f"Account {account_id}: {len(without_mfa)} of {len(able)} console users have no MFA."
        if able
        else f"Account {account_id}: no console users."
    )
    if without_mfa:
        table = Table("USER", "LAST SIGN-IN", "PASSWORD SINCE", box=None, pad_edge=False)
        for person in without_mfa:
            table.add_row(*_row(person))
        console().print("", table, "", sep="\n")
    if not any(person.is_root for person in report.people):
        click.echo("IAM's report has no row for root: its credentials may have been removed.")
    click.echo(
        "Covers the IAM users and root of this account, not IAM Identity Center (SSO) users."
    )
    if report.made_at:
        click.echo(f"By IAM's credential report of {format_utc(report.made_at)}.")


def _row(person: Person) -> tuple[str, str, str]:
    never = "never" if person.never_used else "unknown"
    return (
        clean(person.name, _NAME_LIMIT),
        f"{person.last_used:%Y-%m-%d}" if person.last_used else never,
        f"{person.password_since:%Y-%m-%d}" if person.password_since else "unknown",
    )


def _cells(account_id: str, person: Person, report: CredentialReport) -> tuple[object, ...]:
    return (
        account_id,
        person.name,
        "yes" if person.has_mfa else "no",
        _utc(person.last_used) or ("never" if person.never_used else None),
        _utc(person.password_since),
        _utc(report.made_at),
    )


def _utc(time: datetime | None) -> str | None:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else None
