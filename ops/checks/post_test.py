"""Whether a message reaches the channel, found out by posting a message."""

from collections.abc import Iterator

from chalicelib.aws.clients import Clients
from chalicelib.aws.json_protocol import Credentials, JSONClient
from chalicelib.delivery.channel import Delivery
from chalicelib.delivery.webhook import WebhookLookup
from chalicelib.errors import DeliveryError
from chalicelib.health.checks import Check
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.messages.message import build_message
from chalicelib.messages.phrases import phrases_in
from chalicelib.settings import Settings
from chalicelib.signin.severity import Severity
from chalicelib.timeout import Deadline
from ops.account import Account

_SECONDS = 20.0


def skip_webhook(_: Deployment, __: Clients) -> Iterator[CheckResult]:
    """Report that nobody asked for the test."""
    yield CheckResult(check="webhook", status=Status.UNKNOWN, code="not_tried")


def post_test(account: Account, settings: Settings) -> None:
    """Post a test message through the stage's webhook. Raises DeliveryError."""
    kms = JSONClient(
        "kms",
        settings.sign_in_region,
        credentials=lambda: Credentials.of_session(account.session),
    )
    text = phrases_in(settings.message_language)("post_test", stage=settings.stage)
    message = build_message(text, Severity.INFO, settings)
    delivery = Delivery(settings, WebhookLookup(kms, settings))
    delivery.post(message, Deadline(_SECONDS), patient=True)


def check_of_webhook(account: Account) -> Check:
    """Return the check that posts a test message through the stage's webhook."""

    def check_webhook(deployment: Deployment, _: Clients) -> Iterator[CheckResult]:
        try:
            post_test(account, deployment.settings)
        except DeliveryError as error:
            replace = deployment.ops_command("setup", "--rotate-webhook")
            remedy = (
                f"{replace}\n{deployment.deploy_command}"
                if error.act == "operator"
                else deployment.ops_command("doctor", "--post-test")
            )
            yield CheckResult.fault("webhook", "webhook_refused", remedy, why=str(error))
        else:
            yield CheckResult.ok("webhook")

    return Check("webhook", check_webhook)
