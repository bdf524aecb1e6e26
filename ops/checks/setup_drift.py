"""Is what `setup` made still as it made it? The chain works without; what it loses shows late."""

from collections.abc import Iterator

from chalicelib.aws.clients import Clients
from chalicelib.health.checks import Check
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from ops.account import Account
from ops.project.config_file import ConfigFile
from ops.resources.alarms import Alarms
from ops.resources.queue import UndeliveredQueue


def queue_of(account: Account, config: ConfigFile) -> Check:
    """Return the check of how a stage's queue keeps and of who may send to it."""

    def queue(deployment: Deployment, _: Clients) -> Iterator[CheckResult]:
        """See that the queue keeps and takes what it should; a missing one is told already."""
        if not (name := deployment.settings.undelivered_queue):
            return
        found = UndeliveredQueue(account, config, deployment.stage)
        if differing := found.differing:
            yield CheckResult.fault(
                "queue",
                "queue_differs",
                deployment.ops_command("setup"),
                queue=name,
                attributes=", ".join(differing),
            )
        for lack in found.shortcomings:
            yield CheckResult.fault(
                "queue", "queue_unfit", lack.command, queue=name, shortcoming=f"{lack}"
            )

    return queue


def alarms_of(account: Account) -> Check:
    """Return the check of a stage's alarms, which speak where Slack cannot be told."""

    def alarms(deployment: Deployment, _: Clients) -> Iterator[CheckResult]:
        """See that the alarms are as `setup` makes them, and that somebody is told of them."""
        made = Alarms(account, deployment.stage)
        if list(made.steps(deployment.settings, None)):
            yield CheckResult.fault("alarms", "alarms_missing", deployment.ops_command("setup"))
        elif subscribers := made.heard_by:
            yield CheckResult.ok("alarms", told_to=", ".join(subscribers))
        else:
            yield CheckResult(
                name="alarms",
                state=Status.UNKNOWN,
                code="alarms_unheard",
                facts={"topic": made.topic},
                remedy=deployment.ops_command("setup", "--alarm-email ADDRESS"),
            )

    return alarms
