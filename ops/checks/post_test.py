"""Does a message reach the channel? There is one way to know."""

from collections.abc import Iterator

from chalicelib.aws.clients import Clients
from chalicelib.delivery.channel import Delivery
from chalicelib.delivery.webhook import WebhookLookup
from chalicelib.errors import DeliveryError
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.messages.payload import envelope
from chalicelib.messages.phrases import phrases_in
from chalicelib.messages.sign_in import Message
from chalicelib.signin.severity import Severity
from chalicelib.timeout import Deadline

_SECONDS = 20.0


def untried(_: Deployment, __: Clients) -> Iterator[CheckResult]:
    """Return that nobody asked for the test."""
    yield CheckResult(name="webhook", state=Status.UNKNOWN, code="not_tried")


def webhook(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """Post a test message through the stage's webhook."""
    settings = deployment.settings
    lookup = WebhookLookup(clients("kms", deployment.region), settings)
    text = phrases_in(settings.message_language)("post_test", stage=settings.stage)
    payload = {"text": text, **envelope(settings)}
    message = Message(payload, Severity.INFO, payload)
    try:
        Delivery(settings, lookup).post(message, Deadline(_SECONDS), patient=True)
    except DeliveryError as error:
        remedy = (
            deployment.ops_command("setup", "--rotate-webhook")
            if error.act == "operator"
            else deployment.ops_command("doctor", "--post-test")
        )
        yield CheckResult.fault("webhook", "webhook_refused", remedy, why=str(error))
    else:
        yield CheckResult.ok("webhook")
