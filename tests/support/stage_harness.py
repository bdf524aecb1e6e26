"""The stage prod and all that it talks to, each part to be broken at will."""

import json
from contextlib import AbstractContextManager, ExitStack, suppress
from functools import cached_property
from typing import Any, Self, TypeVar

import pytest
from botocore.exceptions import ClientError

from chalicelib.errors import StillUndelivered
from chalicelib.notifier import Notifier, notifier
from chalicelib.reports import report_in
from chalicelib.settings import Settings
from ops.iam import grants
from playground.aws.settings import provision
from playground.slack.certificates import Certificates
from playground.slack.receiver import Receiver
from tests.support.proxy import Proxy
from tests.support.strict_aws import StrictAws
from tests.support.webhook import SECRET_PATH, SLACK

T = TypeVar("T")

MOST_IN_BATCH = 500
_ALIAS = "alias/signin-monitor-prod"


class StageHarness:
    """A context manager.

    `settings` are the stage's own, `surroundings` the variables that lead the app to this AWS and
    let it trust the receiver. Both may be changed until the app is first asked for.
    """

    def __init__(
        self,
        aws: StrictAws,
        receiver: Receiver,
        certificates: Certificates,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.aws = aws
        self.receiver = receiver
        self.certificates = certificates
        self.settings = provision("prod", aws=aws, receiver=receiver)
        self._monkeypatch = monkeypatch
        self._stack = ExitStack()
        self.surroundings = {
            **aws.environment,
            "REQUESTS_CA_BUNDLE": str(certificates.ca_file),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def enter(self, part: AbstractContextManager[T]) -> T:
        """Start a part that ends with the stage."""
        return self._stack.enter_context(part)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of a function of the stage."""
        return self.settings | self.surroundings

    def environment_of(self, handler: str) -> dict[str, str]:
        """Return the variables of one function, whose calls are held to its policy."""
        settings = Settings.from_environment(self.settings)
        self.aws.limit(handler, grants.document(settings, handler))
        return self.environment | {"AWS_ACCESS_KEY_ID": handler}

    @property
    def app(self) -> Notifier:
        """Return the app in this process, the same one each time."""
        for name, value in self.surroundings.items():
            self._monkeypatch.setenv(name, value)
        return notifier(self.settings)

    def encrypted(self, url: str) -> str:
        """Encrypt a webhook under the stage's key and context."""
        context = json.loads(self.settings["WEBHOOK_ENCRYPTION_CONTEXT"])
        return self.aws.encrypt(url, _ALIAS, context)

    def lead_to(self, url: str, host: str) -> None:
        """Let the webhook be another one, on a host that is allowed."""
        self.settings["WEBHOOK_URL_ENCRYPTED"] = self.encrypted(url)
        self.settings["WEBHOOK_HOSTS"] = host

    def lead_to_host(self, host: str, *, scheme: str = "https") -> None:
        """Let the webhook be on another host."""
        self.lead_to(f"{scheme}://{host}{SECRET_PATH}", host)

    def use_slacks_name(self) -> None:
        """Lead hooks.slack.com to the receiver, through a proxy."""
        self.surroundings["HTTPS_PROXY"] = self.enter(Proxy(self.receiver.host)).url
        self.lead_to_host(SLACK)

    def parked(self) -> list[dict[str, Any]]:
        """Return the bodies of what waits in the undelivered queue."""
        return [json.loads(record["body"]) for record in self.records()]

    def records(self) -> list[dict[str, Any]]:
        """Receive a batch from the undelivered queue, as Lambda's poller does."""
        batch: list[dict[str, Any]] = []
        while len(batch) < MOST_IN_BATCH:
            answer = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10)
            if not answer.get("Messages"):
                break
            batch += map(_record, answer["Messages"])
        return batch

    def deliver(self, seconds: float = 60) -> StillUndelivered | None:
        """Let the app tell a batch, as Lambda does: delete it whole, or let what stays come again.

        Give what the app raised.
        """
        records = self.records()
        try:
            self.app.redeliver(records, seconds, report_in)
        except StillUndelivered as error:
            for record in records:
                with suppress(ClientError):  # the app has deleted it
                    self._sqs.change_message_visibility(
                        QueueUrl=self._queue_url,
                        ReceiptHandle=record["receiptHandle"],
                        VisibilityTimeout=0,
                    )
            return error
        for record in records:
            self._sqs.delete_message(
                QueueUrl=self._queue_url, ReceiptHandle=record["receiptHandle"]
            )
        return None

    @cached_property
    def _sqs(self) -> Any:  # noqa: ANN401 — a boto3 client
        return self.aws.client("sqs")

    @property
    def _queue_url(self) -> str:
        answer = self._sqs.get_queue_url(QueueName=self.settings["UNDELIVERED_QUEUE"])
        return str(answer["QueueUrl"])


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:undelivered",
        "awsRegion": "us-east-1",
    }
