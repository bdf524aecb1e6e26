"""`setup`: everything a stage needs in its account, but for what Chalice deploys itself."""

import re
import sys
from collections.abc import Iterator

import click

from chalicelib import resource_names
from chalicelib.delivery.webhook import CRITICAL, MAIN, Webhook
from chalicelib.errors import DeliveryError
from chalicelib.settings import Settings
from ops.account import Account
from ops.checks.post_test import post_test
from ops.checks.vpc import destinations
from ops.command import (
    Command,
    dry_run_option,
    profile_option,
    region_option,
    stage_option,
    yes_option,
)
from ops.plan import Step, apply_plan
from ops.project.config_file import ConfigFile
from ops.resources.alarms import Alarms
from ops.resources.forwards import Forwards
from ops.resources.identity_store import find_identity_store
from ops.resources.key import StageKey
from ops.resources.queue import UndeliveredQueue
from ops.resources.read_only_rule import ReadOnlyRule
from ops.resources.stage_files import StageFiles
from ops.resources.table import StageTable
from ops.resources.webhook_ciphertext import plan_webhooks

_AUDIT = "cron(0 9 ? * MON *)"


def _address(text: str) -> str:
    if text and not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise click.BadParameter("an email address looks like security@example.com.")
    return text


def _policy_arn(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text and not re.fullmatch(r"arn:[\w-]+:iam::(\d{12}|aws):policy/[!-~]+", text):
        raise click.BadParameter("the ARN of an IAM policy looks like arn:aws:iam::…:policy/NAME.")
    return text


@click.command(
    "setup",
    cls=Command,
    short_help="Make the key, queue, alarms and forwards of a stage.",
    epilog="""
Examples:
  python -m ops setup --stage prod --alarm-email security@example.com
  python -m ops setup --stage prod --profile monitor --region ap-northeast-2
  python -m ops setup --stage prod --yes < webhook.txt    from a pipe or a file
  python -m ops setup --stage prod --baseline             then: ops baseline
  python -m ops setup --stage prod --rotate-webhook       for another webhook

Then: chalice deploy --stage prod
""",
)
@stage_option
@click.option("--rotate-webhook", is_flag=True, help="Replace the webhook.")
@click.option(
    "--critical-webhook", is_flag=True, help="Set or replace a webhook for critical messages."
)
@click.option("--key", metavar="ID", help="Use an existing KMS key, by its id or ARN.")
@click.option(
    "--alarm-email", metavar="ADDRESS", type=_address, help="Send the alarms to this address."
)
@click.option("--baseline", is_flag=True, help="Remember from where each person signs in.")
@click.option(
    "--home-region-only/--all-regions",
    default=None,
    help="Do not forward sign-ins of other regions; remembered.",
)
@click.option(
    "--permissions-boundary",
    metavar="ARN",
    callback=_policy_arn,
    help="Bound the rights of the roles by this IAM policy; remembered. Empty for none.",
)
@yes_option
@dry_run_option
@profile_option
@region_option
def command(  # noqa: PLR0913  # one argument for each option
    *,
    stage: str,
    rotate_webhook: bool,
    critical_webhook: bool,
    key: str | None,
    alarm_email: str | None,
    baseline: bool,
    home_region_only: bool | None,
    permissions_boundary: str | None,
    yes: bool,
    dry_run: bool,
    profile: str | None,
    region: str | None,
) -> None:
    """Make what a stage needs: key, webhook, queue, alarms, forwards of the other regions.

    Shows what is missing and asks before making it; what is there stays. The webhook is typed
    without echo or read from standard input, checked, and kept as KMS ciphertext in
    .chalice/config.json. --yes takes every default and posts nothing.
    """
    config = ConfigFile.read()
    files = StageFiles(config, stage, region)
    boundary = files.remember("permissions_boundary", permissions_boundary, default="")
    account = Account.open(profile, files.settings.sign_in_region, config.tags(stage), boundary)
    account.expect_home_of(stage)
    click.echo(f"Stage {stage}, account {account.account_id}, home region {account.region}.")
    is_asking = sys.stdin.isatty() and not (yes or dry_run)

    alarms = Alarms(account, stage)
    if files.is_new:
        files.want(FAILURES="digest")
        if is_asking:
            alarm_email = alarm_email or _ask_for_email(alarms)
            baseline = baseline or click.confirm("Remember from where each person signs in?")
        _schedule(files, is_asking=is_asking)
    store = files.settings.identity_store_id or find_identity_store(account)
    if store:
        files.want(IDENTITY_STORE_ID=store)
    if baseline:
        files.want(BASELINE_TABLE=resource_names.baseline_table(stage))
    kms = account.session.client("kms")
    stage_key = StageKey(account, stage, key)
    replaced = {MAIN: rotate_webhook or MAIN not in files.held, CRITICAL: critical_webhook}
    plan = plan_webhooks(
        kms,
        files.settings,
        stage_key,
        held=files.held,
        replaced=[name for name, is_replaced in replaced.items() if is_replaced],
    )
    webhooks: dict[str, Webhook] = {}
    at_home_only = files.remember("home_region_only", home_region_only, default=False)
    forwards = None if at_home_only else Forwards(account, stage)
    settings = files.settings
    deployed_with = [
        *stage_key.steps(),
        *_queue_steps(UndeliveredQueue(account, config, stage), settings),
        *(StageTable(account, config, stage).steps() if settings.baseline_table else ()),
        *files.steps(stage_key, plan.changing, webhooks),
    ]
    steps = [
        *deployed_with,
        *alarms.steps(settings, alarm_email),
        *ReadOnlyRule(account, stage).steps(),
        *(forwards.steps() if forwards else ()),
    ]
    if steps:
        prepare = lambda: webhooks.update(plan.ask(settings))  # noqa: E731  # after the plan's yes
        apply_plan(steps, yes=yes, dry_run=dry_run, prepare=prepare)
    else:
        click.echo(f"Nothing to do: the stage {stage} is set up.")
    _print_notes(config, settings, forwards)
    if dry_run:
        return
    is_tested = bool(plan.asked) and is_asking and _test(account, config, stage)
    if not (alarm_email or alarms.are_subscribed):
        click.echo(
            "Nobody gets the alarms yet: "
            f"python -m ops setup --stage {stage} --alarm-email you@example.com"
        )
    if deployed_with:
        _print_next_steps(stage, is_tested=is_tested, has_baseline=baseline)


def _print_notes(config: ConfigFile, settings: Settings, forwards: Forwards | None) -> None:
    """Print what the operator should know and no step can do."""
    if not settings.identity_store_id:
        click.echo(
            "No identity store is seen from this account and region: users of IAM Identity Center "
            "may be shown by their ids. The management account and a delegated administrator see "
            "it; name it yourself as IDENTITY_STORE_ID."
        )
    if config.subnets(settings.stage, "on_sign_in"):
        click.echo(f"The functions are in a VPC. It needs a way to {destinations(settings)}.")
    for unknown in forwards.unknown if forwards else ():
        click.secho(f"Perhaps not covered: {unknown.name}. {unknown.why}", fg="yellow")


def _schedule(files: StageFiles, *, is_asking: bool) -> None:
    """Let a new stage look for what was missed, and audit if the operator agrees."""
    text = "Look each hour for sign-ins that were missed?"
    if not is_asking or click.confirm(text, default=True):
        files.want(SELF_CHECK_SCHEDULE="rate(1 hour)")
    if is_asking and click.confirm("Post each Monday who has no MFA?", default=True):
        files.want(MFA_AUDIT_SCHEDULE=_AUDIT)


def _ask_for_email(alarms: Alarms) -> str | None:
    """Return the address for the alarms, unless somebody gets them already or nobody shall."""
    if alarms.are_subscribed:
        return None
    text = "Email address for the alarms (empty for none)"
    given: str = click.prompt(text, default="", show_default=False, value_proc=_address)
    return given or None


def _queue_steps(queue: UndeliveredQueue, settings: Settings) -> Iterator[Step]:
    if settings.undelivered_queue:
        yield from queue.steps()
        for lack in queue.shortcomings:
            click.secho(
                f"The queue {queue.name} is your own and stays as it is. {lack}\n  {lack.command}",
                fg="yellow",
            )
    elif depth := queue.depth:
        click.secho(
            f"UNDELIVERED_QUEUE is unset, but {queue.name} still holds {depth} undelivered, "
            "which nothing posts. Set it again, deploy, and wait until the queue is empty.",
            fg="yellow",
        )


def _test(account: Account, config: ConfigFile, stage: str) -> bool:
    """Post a test message; what keeps it from arriving is a warning. Return whether it did."""
    try:
        post_test(account, config.settings(stage))
    except DeliveryError as error:
        click.secho(f"The test message did not arrive. {error}", fg="yellow")
        return False
    click.echo("A test message was posted.")
    return True


def _print_next_steps(stage: str, *, is_tested: bool, has_baseline: bool) -> None:
    click.echo(f"Next:\n  chalice deploy --stage {stage}")
    click.echo(f"  python -m ops doctor --stage {stage}{'' if is_tested else ' --post-test'}")
    if has_baseline:
        click.echo(f"  python -m ops baseline --stage {stage} --since 90d")
