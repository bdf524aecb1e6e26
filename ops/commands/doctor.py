"""`doctor`: every check of the way from a sign-in to the channel, in order, with its remedy."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chalicelib.aws import event_history
from chalicelib.aws.clients import Clients, clients_of
from chalicelib.health.checks import CHECKS, Check, run_checks
from chalicelib.health.deployment import Deployment
from chalicelib.health.description import fold, sentence
from chalicelib.health.function import check_function
from chalicelib.health.regions import enabled_regions
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unread_history
from chalicelib.messages.payload import clean
from chalicelib.messages.phrases import phrases_in
from chalicelib.settings import Settings
from chalicelib.signin.events import SIGN_IN_PATTERN
from ops.account import Account
from ops.checks.post_test import check_of_webhook, skip_webhook
from ops.checks.release import check_release
from ops.checks.roles import check_role
from ops.checks.setup_drift import check_of_alarms, check_of_queue_setup
from ops.checks.vpc import check_vpc
from ops.checks.wait import first_silent_part, wait_for_decision
from ops.command import Command, profile_option, region_option, stage_option
from ops.project.config_file import ConfigFile, read_settings
from ops.terminal import console

_LOOK_BACK: Final = timedelta(days=3)
_PATIENCE_SECONDS: Final = 20.0
_MARKS: Final = {
    Status.OK: ("ok", "green"),
    Status.FAULT: ("FAULT", "red"),
    Status.UNKNOWN: ("?", "yellow"),
}
# What is hidden, and summed up in one line, while the stage is not deployed.
_DEPLOYED: Final = frozenset(
    {
        "rule",
        "read_only_rule",
        "target",
        "permission",
        "function",
        "concurrency",
        "retries",
        "errors",
        "release",
        "role",
        "redelivery",
        "logs",
    }
)
# What an operator reads where all is well, instead of names and facts.
_IN_WORDS: Final[Mapping[str, Callable[[Mapping[str, str]], str]]] = {
    "sign_ins": lambda facts: (
        f"{facts['seen']} events in {facts['regions']} regions in the last {_LOOK_BACK.days} days"
    ),
    "queue": lambda facts: f"{facts['depth']} waiting" if int(facts["depth"]) else "empty",
    "errors": lambda facts: f"errors {facts['errors']}, throttles {facts['throttles']} in a day",
    "baseline": lambda facts: f"remembers {facts['remembers_days']} days",
    "logs": lambda facts: f"kept for {facts['days']} days",
    "forward": lambda facts: f"role {facts['role'].rpartition('/')[2]}",
    "webhook": lambda _: "test message posted",
}
_LONGEST: Final = 1_000
_FEW: Final = 3


@click.command(
    "doctor",
    cls=Command,
    short_help="Check the whole way from a sign-in to the channel.",
    epilog="""
Examples:
  python -m ops doctor --stage prod
  python -m ops doctor --stage prod --post-test    post to the channel as well
  python -m ops doctor --stage prod --wait         wait for a sign-in of yours
  python -m ops doctor --stage prod --json | jq '.checks[].status'

Exit status: 0 without faults, 1 with, 2 if it could not look.
""",
)
@stage_option
@click.option("--post-test", is_flag=True, help="Post a test message through the webhook.")
@click.option("--wait", is_flag=True, help="Wait up to ten minutes for a real sign-in.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object for each result.")
@profile_option
@region_option
@click.pass_context
def command(  # one argument for each option
    context: click.Context,
    *,
    stage: str,
    post_test: bool,
    wait: bool,
    as_json: bool,
    profile: str | None,
    region: str | None,
) -> None:
    """Check everything between a console sign-in and the channel; change nothing."""
    if wait and as_json:
        raise click.UsageError("--wait and --json exclude each other.")
    config = ConfigFile.read()
    settings = _settings(config, stage, region)
    account = Account.open(profile, settings.sign_in_region)
    account.expect_home_of(stage)
    deployment = Deployment(
        settings=settings,
        account_id=account.account_id,
        pattern=SIGN_IN_PATTERN,
        partition=account.partition,
        environment=config.environment(stage),
    )
    clients = clients_of(account.session)
    functions = list(run_checks(deployment, clients, [Check("function", check_function)]))
    missing = {result.handler for result in functions if result.code == "function_missing"}
    is_deployed = "on_sign_in" not in missing
    found: list[CheckResult] = []
    out = console()
    for check in _checks(account, config, post_test=post_test):
        is_done = check.name == "function"
        results = [
            result
            for result in (functions if is_done else run_checks(deployment, clients, [check]))
            if result.status is not Status.OK or result.handler not in missing
        ]
        found += results
        if not as_json and (is_deployed or check.name not in _DEPLOYED):
            for result in fold(results):
                _show(out, result)
    if as_json:
        click.echo(json.dumps({"stage": stage, "checks": list(map(_as_json, found))}, indent=2))
    elif is_deployed:
        click.echo(_summary(found))
    else:
        click.echo(f"{stage} is not deployed yet. Next: {deployment.deploy_command}")
    has_faults = any(result.status is Status.FAULT for result in found)
    if wait and is_deployed:
        has_faults = not _wait(deployment, clients) or has_faults
    if has_faults:
        context.exit(1)


def _summary(found: Sequence[CheckResult]) -> str:
    counts = Counter(result.status for result in fold(found))
    faults = counts[Status.FAULT]
    return (
        f"{counts[Status.OK]} ok, {faults} {'fault' if faults == 1 else 'faults'}, "
        f"{counts[Status.UNKNOWN]} not checked"
    )


def _wait(deployment: Deployment, clients: Clients) -> bool:
    """Wait for a sign-in; return whether the function decided on it."""
    since = datetime.now(UTC)
    click.echo("Sign in to the console now. Waiting up to ten minutes …")
    line = wait_for_decision(deployment, clients, since)
    if line is None:
        click.secho(first_silent_part(deployment, clients, since), fg="red")
        return False
    delay = f"{int(line['delay_ms']) // 1000} s after it" if line.get("delay_ms") else "at once"
    click.secho(f"{line['event_name']} was {line['decision']} {delay}.", fg="green")
    return True


def _settings(config: ConfigFile, stage: str, region: str | None) -> Settings:
    """Read the stage's settings; without a ciphertext they are at fault, but can be looked at."""
    config.expect(stage)
    environment = config.environment(stage)
    home = {"SIGN_IN_REGION": region} if region else {}
    return read_settings({**environment, **home, "STAGE": stage})


def _checks(account: Account, config: ConfigFile, *, post_test: bool) -> Iterator[Check]:
    """Yield the checks in order: the stage's own, and what only an operator may or asks for."""
    besides = {
        "trail": (Check("sign_ins", check_sign_ins),),
        "errors": (
            Check("release", check_release),
            Check("role", check_role),
            Check("vpc", check_vpc),
        ),
        "queue": (check_of_queue_setup(account, config),),
    }
    yield Check("account", check_account)
    for check in CHECKS:
        yield check
        yield from besides.get(check.name, ())
    yield check_of_alarms(account)
    yield check_of_webhook(account) if post_test else Check("webhook", skip_webhook)


def check_account(deployment: Deployment, _: Clients) -> Iterator[CheckResult]:
    """Name the account that the credentials are for, and whether the stage has been set up."""
    yield CheckResult.ok("account", deployment.account_id, home_region=deployment.region)
    if not deployment.settings.webhook_url_encrypted:
        remedy = deployment.ops_command("setup")
        yield CheckResult.fault("settings", "settings_missing", remedy, "WEBHOOK_URL_ENCRYPTED")


def check_sign_ins(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """Count the sign-ins that CloudTrail has seen in each region in the last days."""
    now = datetime.now(UTC)
    windows = [
        event_history.Window(region=region, start=now - _LOOK_BACK, end=now)
        for region in enabled_regions(clients, deployment.region)
    ]
    counts: Counter[str] = Counter()
    until = time.monotonic() + _PATIENCE_SECONDS
    refusals = []
    for page in event_history.read(clients, windows, until=until):
        counts[page.window.region] += len(page.events)
        if page.refusal:
            refusals.append(unread_history(page.refusal))
    if len(refusals) < len(windows):
        regions = sum(count > 0 for count in counts.values())
        yield CheckResult.ok("sign_ins", seen=str(counts.total()), regions=str(regions))
    yield from refusals


def _show(out: Console, result: CheckResult) -> None:
    mark, colour = _MARKS[result.status]
    grid = Table.grid(padding=(0, 1))
    for width in (6, 20):
        grid.add_column(width=width)
    grid.add_column(overflow="fold")
    label = _english(f"check.{result.check}")
    grid.add_row(Text(mark, colour), label, Text(_described(result)))
    out.print(grid)
    for line in result.remedy.splitlines():  # unbroken, to be copied
        out.print(Text(f"{'':<28}{line}", "bold"), soft_wrap=True)


def _described(result: CheckResult) -> str:
    """Return what was found: names and facts where all is well, else a sentence."""
    if result.status is not Status.OK:
        return sentence(result, _english, _safe)
    safe = {name: _few(_safe(value)) for name, value in result.facts.items() if value}
    in_words = _IN_WORDS.get(result.check)
    facts = (
        [in_words(safe)]
        if in_words
        else [f"{name.replace('_', ' ')} {value}" for name, value in safe.items()]
    )
    places = [_few(_safe(value)) for value in (result.resource, result.region) if value]
    return "; ".join([*places, *facts])


def _few(listed: str) -> str:
    """Shorten a list to what one line holds."""
    items = listed.split(", ")
    return f"{items[0]} … {items[-1]} ({len(items)})" if len(items) > _FEW else listed


def _as_json(result: CheckResult) -> dict[str, Any]:
    described = "" if result.status is Status.OK else _described(fold([result])[0])
    return {**asdict(result), "sentence": described}


def _safe(text: str) -> str:
    return clean(text, _LONGEST)


_english: Final = phrases_in("en")
