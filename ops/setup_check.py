"""Is what `setup` made still as it made it? The chain works without; what it loses shows late."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chalicelib.chain import Check, Clients, Deployment, Link, State

from .account import Account
from .alarms import Alarms
from .config_file import ConfigFile
from .undelivered_queue import UndeliveredQueue

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import SubscriptionTypeDef


def queue_of(account: Account, config: ConfigFile) -> Check:
    """Give the check of how a stage's queue keeps and of who may send to it."""

    def queue(deployment: Deployment, _: Clients) -> Iterator[Link]:
        """See that the queue keeps and takes what it should; a missing one is told already."""
        if not (name := deployment.settings.undelivered_queue):
            return
        if differing := UndeliveredQueue(account, config, deployment.stage).differing:
            yield Link.fault(
                "queue",
                "queue_differs",
                deployment.ops_command("setup"),
                queue=name,
                attributes=", ".join(differing),
            )

    return queue


def alarms_of(account: Account) -> Check:
    """Give the check of a stage's alarms, which speak where Slack cannot be told."""

    def alarms(deployment: Deployment, clients: Clients) -> Iterator[Link]:
        """See that the alarms are as `setup` makes them, and that somebody is told of them."""
        lacking = list(Alarms(account, deployment.stage).steps(deployment.settings, None))
        if lacking:
            yield Link.fault("alarms", "alarms_missing", deployment.ops_command("setup"))
            return
        topic = f"signin-monitor-{deployment.stage}-alarms"
        sns: SNSClient = clients("sns", deployment.region)
        answer = sns.list_subscriptions_by_topic(TopicArn=deployment.arn("sns", topic))
        ears = [one["Endpoint"] for one in answer["Subscriptions"] if _is_confirmed(one)]
        if ears:
            yield Link.ok("alarms", told_to=", ".join(ears))
        else:
            yield Link(
                name="alarms",
                state=State.CANNOT_TELL,
                code="alarms_unheard",
                facts={"topic": topic},
                remedy=deployment.ops_command("setup", "--alarm-email ADDRESS"),
            )

    return alarms


def _is_confirmed(subscription: "SubscriptionTypeDef") -> bool:
    """Say whether a subscriber has followed the link that AWS sent; until then it gets nothing."""
    return subscription["SubscriptionArn"].startswith("arn:")
