"""The SQS queue that keeps what could not be posted."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from chalicelib import resource_names
from chalicelib.aws.error_codes import unless_missing
from ops.account import Account, tags_of
from ops.plan import Step
from ops.project.config_file import ConfigFile

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

DAYS: Final = 14
_LARGEST: Final = 1024 * 1024  # bytes: what EventBridge delivers, SQS takes
_BATCH_WINDOW: Final = 60  # seconds, as on_undelivered is registered
_TIMEOUT: Final = 60  # seconds, Chalice's own default
_DEPTHS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcoming:
    """What an operator's own queue should have and has not; `command` sets it.

    `is_refused` if Lambda would refuse to read from the queue.
    """

    attribute: str
    found: str
    why: str
    command: str
    is_refused: bool = False

    def __str__(self) -> str:
        return f"{self.attribute} is {self.found}: {self.why}"


_TAKER: Final = "on_undelivered"
# SetQueueAttributes and DeleteQueue stay with IAM, or a team could lock itself out.
_TAKING: Final = [
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:PurgeQueue",
    "sqs:ReceiveMessage",
]


class UndeliveredQueue:
    """The queue of one stage: what there is, and what is to be done.

    A queue that does not bear the stage's tag is the operator's own and is left alone.
    """

    def __init__(self, account: Account, config: ConfigFile, stage: str) -> None:
        named = config.environment(stage).get("UNDELIVERED_QUEUE", "").strip()
        self.name = named or resource_names.undelivered_queue(stage)
        self._timeout: int = config.setting("lambda_timeout", stage, "on_undelivered") or _TIMEOUT
        self._region = account.region
        roles = {
            handler: config.own_role(stage, handler)
            or account.role_arn(resource_names.function(stage, handler))
            for handler in resource_names.HANDLERS
        }
        policy = _policy(account, account.arn("sqs", self.name), [*roles.values()], roles[_TAKER])
        self._sqs: SQSClient = account.session.client("sqs")
        self._mark = tags_of(stage)
        self._tags = account.tags_for(stage)
        self._wanted: dict[QueueAttributeNameType, str] = {
            "MaximumMessageSize": str(_LARGEST),
            "MessageRetentionPeriod": str(DAYS * 24 * 3600),
            "Policy": json.dumps(policy),
            "SqsManagedSseEnabled": "true",
            "VisibilityTimeout": str(6 * self._timeout + _BATCH_WINDOW),
        }
        self._url = self._find()

    def steps(self) -> Iterator[Step]:
        """Return the steps to a queue that works."""
        if self._url is None:
            yield Step(
                f"make the SQS queue {self.name}",
                lambda: self._sqs.create_queue(
                    QueueName=self.name, Attributes=self._wanted, tags=self._tags
                ),
                f"encrypted, keeps {DAYS} days, takes 1 MB from the stage's own functions alone",
            )
        elif differing := self.differing:
            yield Step(
                f"set {', '.join(differing)} of the queue {self.name}",
                partial(self._sqs.set_queue_attributes, QueueUrl=self._url, Attributes=differing),
                kind="change",
            )

    def removal_steps(self) -> Iterator[Step]:
        """Return the step that deletes the queue, if `setup` made it."""
        if self._url and self._is_ours(self._url):
            yield Step(
                f"delete the queue {self.name}",
                partial(self._sqs.delete_queue, QueueUrl=self._url),
                kind="remove",
            )

    @property
    def differing(self) -> "dict[QueueAttributeNameType, str]":
        """The attributes that are not as they should be, and how they should; none if missing."""
        if self._url is None or not self._is_ours(self._url):
            return {}
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        found = answer["Attributes"]
        return {
            name: value
            for name, value in self._wanted.items()
            if _comparable(found.get(name, "")) != _comparable(value)
        }

    @property
    def is_there(self) -> bool:
        """Whether there is a queue of that name."""
        return self._url is not None

    @property
    def shortcomings(self) -> list[Shortcoming]:
        """What an operator's own queue lacks; nothing of a queue that `setup` made."""
        if self._url is None or self._is_ours(self._url):
            return []
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["All"])
        return list(self._shortcomings(answer["Attributes"]))

    def _shortcomings(self, found: "Mapping[QueueAttributeNameType, str]") -> Iterator[Shortcoming]:
        hidden = int(found["VisibilityTimeout"])
        is_refused = hidden < self._timeout
        reasons: dict[QueueAttributeNameType, str] = {
            "VisibilityTimeout": "Lambda refuses a queue that hides a message for less time than "
            "on_undelivered may run"
            if is_refused
            else "a message may come again while on_undelivered still works on it",
            "MessageRetentionPeriod": "what waits for longer is lost",
            "MaximumMessageSize": "a larger event cannot be kept",
        }
        for attribute, why in reasons.items():
            wanted = self._wanted[attribute]
            if int(found[attribute]) < int(wanted):
                yield Shortcoming(
                    attribute=attribute,
                    found=found[attribute],
                    why=f"{why}. {wanted} is needed.",
                    command=self._set_command(f"{attribute}={wanted}"),
                    is_refused=is_refused and attribute == "VisibilityTimeout",
                )
        if "RedrivePolicy" in found:
            other = json.loads(found["RedrivePolicy"])["deadLetterTargetArn"]
            yield Shortcoming(
                attribute="RedrivePolicy",
                found="set",
                why=f"what fails for long goes to {other}, from where nothing posts it.",
                command=self._set_command("""'{"RedrivePolicy": ""}'"""),
            )

    def _set_command(self, attribute: str) -> str:
        return (
            f"aws sqs set-queue-attributes --region {self._region} --queue-url {self._url} "
            f"--attributes {attribute}"
        )

    @property
    def depth(self) -> int:
        """How many messages it holds; 0 if it is not there."""
        if self._url is None:
            return 0
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=_DEPTHS)
        return sum(map(int, found["Attributes"].values()))

    def _find(self) -> str | None:
        return unless_missing(lambda: self._sqs.get_queue_url(QueueName=self.name)["QueueUrl"])

    def _is_ours(self, url: str) -> bool:
        return self._mark.items() <= self._sqs.list_queue_tags(QueueUrl=url).get("Tags", {}).items()


def _comparable(attribute: str) -> Any:  # noqa: ANN401  # AWS writes a policy with its own spaces
    return json.loads(attribute) if attribute.startswith("{") else attribute


def _policy(account: Account, queue: str, senders: list[str], taker: str) -> dict[str, Any]:
    """Let the stage's functions send and take, and nobody else, whatever IAM's policies say.

    AWS refuses a policy that names a role which is not there yet, so a condition names them.
    """
    send = {"Action": "sqs:SendMessage", "Resource": queue}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TheStageMaySend",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{account.partition}:iam::{account.account_id}:root"},
                **send,
                "Condition": {"ArnEquals": {"aws:PrincipalArn": senders}},
            },
            {
                "Sid": "NobodyElseMaySend",
                "Effect": "Deny",
                "Principal": "*",
                **send,
                "Condition": {"ArnNotEquals": {"aws:PrincipalArn": senders}},
            },
            {
                "Sid": "NobodyElseMayTake",
                "Effect": "Deny",
                "Principal": "*",
                "Action": _TAKING,
                "Resource": queue,
                "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [taker]}},
            },
        ],
    }
