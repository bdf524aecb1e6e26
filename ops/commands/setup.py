"""`setup`: everything a stage needs in its account, but for what Chalice deploys itself."""

import click

from chalicelib.delivery.webhook import CRITICAL, MAIN
from ops.account import Account
from ops.command import Command, profile_option, region_option, stage_option, yes_option
from ops.plan import apply_plan
from ops.project.config_file import ConfigFile
from ops.resources import webhook_ciphertext
from ops.resources.alarms import Alarms
from ops.resources.forwards import Forwards
from ops.resources.key import StageKey
from ops.resources.queue import UndeliveredQueue
from ops.resources.read_only_rule import ReadOnlyRule
from ops.resources.stage_files import StageFiles
from ops.resources.table import StageTable


@click.command(
    "setup",
    cls=Command,
    epilog="""
Examples:
  python -m ops setup --stage prod --alarm-email security@example.com
  python -m ops setup --stage prod --profile monitor --region ap-northeast-2
  python -m ops setup --stage prod --yes < webhook.txt      from a pipe or a file
  python -m ops setup --stage prod --baseline               and learn: python -m ops baseline
  python -m ops setup --stage prod --rotate-webhook         after the webhook was replaced

Then: chalice deploy --stage prod
""",
)
@stage_option
@click.option("--rotate-webhook", is_flag=True, help="Replace the webhook by another.")
@click.option("--critical-webhook", is_flag=True, help="Ask for one of critical messages, too.")
@click.option("--key", metavar="ID", help="Use a KMS key that exists, by its id or ARN.")
@click.option("--alarm-email", metavar="ADDRESS", help="Who hears that messages do not arrive.")
@click.option("--baseline", is_flag=True, help="Remember from where each person signs in.")
@click.option("--home-region-only", is_flag=True, help="Leave the other regions blind.")
@yes_option
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
    home_region_only: bool,
    yes: bool,
    profile: str | None,
    region: str | None,
) -> None:
    """Make what a stage needs: key, webhook, queue, alarms, forwards of the other regions.

    Shows what is missing and asks before making it; what is there stays. The webhook is typed
    without echo or read from standard input, checked, and kept as KMS ciphertext in
    .chalice/config.json.
    """
    config = ConfigFile.read()
    files = StageFiles(config, stage, region, baseline=baseline)
    settings = files.settings
    account = Account.open(profile, settings.sign_in_region)
    account.expect_home_of(stage)
    click.echo(f"Stage {stage}, account {account.account_id}, home region {account.region}.")

    kms = account.session.client("kms")
    stage_key = StageKey(account, stage, key)
    asked = {MAIN: rotate_webhook or MAIN not in files.held, CRITICAL: critical_webhook}
    webhooks = webhook_ciphertext.to_encrypt(kms, settings, stage_key, held=files.held, asked=asked)
    queue = UndeliveredQueue(account, config, stage)
    alarms = Alarms(account, stage)
    forwards = None if home_region_only else Forwards(account, stage)
    steps = [
        *stage_key.steps(),
        *queue.steps(),
        *(StageTable(account, config, stage).steps() if settings.baseline_table else ()),
        *files.steps(kms, webhooks),
        *alarms.steps(settings, alarm_email),
        *ReadOnlyRule(account, stage).steps(),
        *(forwards.steps() if forwards else ()),
    ]
    if steps:
        apply_plan(steps, yes=yes)
        click.echo(f"Next: chalice deploy --stage {stage}")
        if baseline:
            click.echo(
                f"To learn who is familiar: python -m ops baseline --stage {stage} --since 90d"
            )
    else:
        click.echo(f"Nothing to do: the stage {stage} is set up.")
    for one in forwards.unknown if forwards else ():
        click.secho(f"Perhaps blind: {one.region}. {one.why}", fg="yellow")
    if not (alarm_email or alarms.are_subscribed):
        click.echo("Nobody hears the alarms yet. To subscribe: --alarm-email ADDRESS")
