"""Whether what `setup` made is still as it made it: what is lost otherwise shows late."""

from collections.abc import Iterator

from chalicelib.aws.clients import Clients
from chalicelib.health.checks import Check
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from ops.account import Account
from ops.project.config_file import ConfigFile
from ops.resources.alarms import Alarms
from ops.resources.queue import UndeliveredQueue


def check_of_queue_setup(account: Account, config: ConfigFile) -> Check:
    """Return the check of how a stage's queue keeps and of who may send to it."""

    def check_queue_setup(deployment: Deployment, _: Clients) -> Iterator[CheckResult]:
        if not (name := deployment.settings.undelivered_queue):
            return
        found = UndeliveredQueue(account, config, deployment.stage)
        if differing := found.differing:
            remedy, attributes = deployment.ops_command("setup"), ", ".join(differing)
            yield CheckResult.fault("queue", "queue_differs", remedy, name, attributes=attributes)
        for lack in found.shortcomings:
            shortcoming = f"{lack}"
            yield CheckResult.fault(
                "queue", "queue_unfit", lack.command, name, shortcoming=shortcoming
            )

    return Check("queue", check_queue_setup)


def check_of_alarms(account: Account) -> Check:
    """Return the check of a stage's alarms, which speak where Slack does not get a message."""

    def check_alarms(deployment: Deployment, _: Clients) -> Iterator[CheckResult]:
        alarms = Alarms(account, deployment.stage)
        if list(alarms.steps(deployment.settings, None)):
            yield CheckResult.fault("alarms", "alarms_missing", deployment.ops_command("setup"))
        elif subscribers := alarms.subscribers:
            yield CheckResult.ok("alarms", alarms.topic, subscribers=", ".join(subscribers))
        else:
            yield CheckResult(
                check="alarms",
                status=Status.UNKNOWN,
                code="alarms_unheard",
                resource=alarms.topic,
                remedy=deployment.ops_command("setup", "--alarm-email ADDRESS"),
            )

    return Check("alarms", check_alarms)
