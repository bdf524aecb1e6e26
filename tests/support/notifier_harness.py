"""A stage to make notifiers of: real webhook, queue and key; only the waiting is not real."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.delivery.channel import Delivery
from chalicelib.delivery.undelivered import Undelivered
from chalicelib.delivery.webhook import WebhookLookup
from chalicelib.errors import StillUndelivered
from chalicelib.notifier import Notifier, identity_store_of, origins_of
from chalicelib.reports import report_in
from playground.aws.embedded import EmbeddedAws
from playground.catalogue import read, renewed
from playground.slack.receiver import Receiver
from tests.support.json_client import client_of
from tests.support.records import changed
from tests.support.stage import stage

KEY = "alias/signin-monitor-prod"
SECONDS = 60.0
TABLE = "people"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0"

MakeNotifier = Callable[..., Notifier]


class NotifierHarness:
    """A stage, and what its channel, its queue and its log got; `slept` is what nobody waited."""

    def __init__(
        self, aws: EmbeddedAws, receiver: Receiver, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.aws = aws
        self.receiver = receiver
        self.slept: list[float] = []
        self.sqs = aws.client("sqs")
        self._json_sqs = client_of(aws, "sqs")
        self._capsys = capsys
        self._queue_url = aws.make_queue("undelivered", {"VisibilityTimeout": "0"})
        self.variables = {
            "STAGE": "prod",
            "WEBHOOK_URL_ENCRYPTED": aws.encrypt(receiver.url, KEY),
            "WEBHOOK_HOSTS": receiver.host,
            "UNDELIVERED_QUEUE": "undelivered",
        }

    def notifier(self, **variables: str) -> Notifier:
        """Make the notifier of the stage, with settings of the test's own."""
        settings = stage(**{**self.variables, **variables})
        queue = settings.undelivered_queue
        return Notifier(
            settings,
            Delivery(settings, WebhookLookup(client_of(self.aws, "kms"), settings)),
            Undelivered(self._json_sqs, queue, "prod") if queue else None,
            origins_of(settings),
            identity_store_of(settings),
            sleep=self.slept.append,
        )

    def lead_critical_to(self, receiver: Receiver) -> None:
        """Return the stage a critical webhook too."""
        self.variables["CRITICAL_WEBHOOK_URL_ENCRYPTED"] = self.aws.encrypt(receiver.url, KEY)
        self.variables["WEBHOOK_HOSTS"] += f",{receiver.host}"

    def park(self, *events: object) -> list[dict[str, Any]]:
        """Put events into the queue; give the records that Lambda would hand to the function."""
        queue = Undelivered(self._json_sqs, "undelivered", "prod")
        for event in events:
            queue.park(event, reason="no_service", act="operator")
        return self.records()

    def records(self) -> list[dict[str, Any]]:
        """Receive what is in the queue, ten at most."""
        answer = self.sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10)
        return [
            {"body": message["Body"], "receiptHandle": message["ReceiptHandle"]}
            for message in answer.get("Messages", [])
        ]

    @property
    def parked(self) -> list[dict[str, Any]]:
        """The bodies in the queue."""
        return [json.loads(record["body"]) for record in self.records()]

    @property
    def texts(self) -> list[str]:
        """What the channel shows on a phone."""
        return [post.payload["text"] for post in self.receiver.messages]

    def log(self) -> list[dict[str, Any]]:
        """Return the lines written since the last look."""
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]

    def decisions(self) -> list[tuple[str, str | None, str]]:
        """Return what was decided since the last look, why, and of which event."""
        return [
            (line["decision"], line["reason"], line["event_id"])
            for line in self.log()
            if "decision" in line
        ]


def event(name: str, *, minutes_ago: float = 0) -> dict[str, Any]:
    """Return a sign-in of its own that happened just now, or a while ago."""
    return renewed(read(name), datetime.now(UTC) - timedelta(minutes=minutes_ago))


def events(*names: str) -> list[dict[str, Any]]:
    return [event(name) for name in names]


def alice(address: str = "203.0.113.5", agent: str | None = None) -> dict[str, Any]:
    """Return a sign-in of alice's, from Chrome on macOS unless the test says otherwise."""
    sign_in = changed(event("iam-user-with-mfa"), "detail", "sourceIPAddress", to=address)
    return changed(sign_in, "detail", "userAgent", to=agent) if agent else sign_in


def id_of(event: dict[str, Any]) -> str:
    return str(event["detail"]["eventID"])


def report_decided(notifier: Notifier, event: dict[str, Any]) -> tuple[str, str | None]:
    report = report_in(event)
    assert report
    decision = notifier.notify_report(report, event, SECONDS)
    return decision["decision"], decision["reason"]


def decided(notifier: Notifier, event: dict[str, Any]) -> tuple[str, str | None]:
    decision = notifier.notify(event, SECONDS)
    return decision["decision"], decision["reason"]


def severity_and_reasons(notifier: Notifier, event: dict[str, Any]) -> tuple[str, list[str]]:
    decision = notifier.notify(event, SECONDS)
    return decision["severity"], decision["reasons"]


def stuck(notifier: Notifier, records: list[dict[str, Any]]) -> str:
    """Tell a batch of which something must stay; give the error's text."""
    with pytest.raises(StillUndelivered) as raised:
        notifier.redeliver(records, SECONDS, report_in)
    return str(raised.value)
