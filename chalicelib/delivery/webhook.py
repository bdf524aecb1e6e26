"""The KMS-backed webhook lookup: from a ciphertext to a URL that masks itself.

The webhook's path is a credential. It lives in one small object, is written out for the request
and nowhere else, and botocore is kept from logging KMS's answer, which holds it.
"""

import ipaddress
import logging
import re
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from chalicelib.aws.client import aws_client
from chalicelib.errors import WebhookError, WebhookUnavailable, WebhookUnusable
from chalicelib.log import mute_logger
from chalicelib.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

MAIN: Final = "WEBHOOK_URL_ENCRYPTED"
CRITICAL: Final = "CRITICAL_WEBHOOK_URL_ENCRYPTED"
# What has `python -m ops setup` ask for a setting's webhook again.
SETUP_FLAG: Final = {MAIN: "--rotate-webhook", CRITICAL: "--critical-webhook"}

_BUSY: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "Throttling",
        "ThrottlingException",
    }
)
_SERVER_ERROR: Final = 500

mute_logger("botocore.parsers", up_to=logging.DEBUG)  # logs KMS's answer, plaintext and all


class Webhook:
    """A webhook's URL, which shows itself only where it is asked to."""

    __slots__ = ("_url", "host", "is_https")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = url
        self.host: str = parts.netloc
        self.is_https: bool = parts.scheme == "https"

    @classmethod
    def parse(cls, text: str, settings: Settings, setting: str = MAIN) -> Self:
        """Read the plaintext of a setting; it may lack `https:` and end in a newline.

        Raises WebhookUnusable if it is no URL of a webhook on an allowed host.
        """
        checked = _checked(text, settings, setting)
        if isinstance(checked, WebhookUnusable):
            del text  # what reports errors may show the variables of each frame
            raise checked
        return cls(checked)

    @property
    def origin(self) -> str:
        """The URL without its secret path."""
        return f"{'https' if self.is_https else 'http'}://{self.host}/"

    def reveal(self) -> str:
        """Return the whole URL, for the request and nothing else."""
        return self._url

    def __repr__(self) -> str:
        return f"Webhook('{self.origin}…')"


class WebhookLookup:
    """Decrypts the stage's webhooks, once each while that works."""

    def __init__(self, kms: "KMSClient", settings: Settings) -> None:
        self._kms = kms
        self._settings = settings
        self._webhooks: dict[str, Webhook] = {}

    def webhook(self, setting: str) -> Webhook:
        """Return the webhook of MAIN or CRITICAL. Raises WebhookUnavailable or WebhookUnusable."""
        if setting not in self._webhooks:
            self._webhooks[setting] = Webhook.parse(self._decrypt(setting), self._settings, setting)
        return self._webhooks[setting]

    def forget(self, setting: str) -> None:
        """Look the webhook up anew next time."""
        self._webhooks.pop(setting, None)

    def _decrypt(self, setting: str) -> str:
        from botocore.exceptions import ClientError  # noqa: PLC0415 — with the client

        settings = self._settings
        ciphertext = (
            settings.webhook_url_encrypted
            if setting == MAIN
            else settings.critical_webhook_url_encrypted
        )
        try:
            answer = self._kms.decrypt(
                CiphertextBlob=ciphertext or b"",
                EncryptionContext=settings.webhook_encryption_context,
            )
            return answer["Plaintext"].decode("utf-8", errors="replace")
        except ClientError as error:
            raise _refused(error.response, setting, settings) from None
        except Exception as error:  # noqa: BLE001 — a portal on the way may answer anything
            raise WebhookUnavailable(
                "kms_unreachable",
                f"KMS in {settings.sign_in_region} cannot be asked for {setting} "
                f"({type(error).__name__}).",
            ) from None


def kms_client(region: str) -> "KMSClient":
    """Make a KMS client that gives up soon: a sign-in must not wait for it."""
    client: KMSClient = aws_client("kms", region)
    return client


def _setup_command(setting: str, settings: Settings) -> str:
    """Return the command that asks for a setting's webhook, and encrypts it."""
    return f"python -m ops setup --stage {settings.stage} {SETUP_FLAG[setting]}"


def _refused(response: Any, setting: str, settings: Settings) -> WebhookError:  # noqa: ANN401
    """Return what KMS's refusal means and what to do. Source: "Decrypt" (AWS KMS API Reference)."""
    code = response.get("Error", {}).get("Code", "")
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    again = f"Encrypt the URL anew: {_setup_command(setting, settings)}."
    context = dict(settings.webhook_encryption_context)
    if code in _BUSY or status >= _SERVER_ERROR:
        return WebhookUnavailable("kms_busy", f"KMS is busy and did not decrypt {setting}: {code}.")
    match code:
        case "InvalidCiphertextException":
            return WebhookUnusable(
                "kms_invalid_ciphertext",
                f"KMS cannot decrypt {setting}. It is damaged, or it was encrypted in another "
                f"region than {settings.sign_in_region} or under another encryption context than "
                f"WEBHOOK_ENCRYPTION_CONTEXT, {context}. {again}",
            )
        case "NotFoundException" | "IncorrectKeyException":
            return WebhookUnusable(
                "kms_key_not_found",
                f"The key that encrypted {setting} is not in region {settings.sign_in_region} of "
                f"this account. Correct SIGN_IN_REGION. Or: {again}",
            )
        case "DisabledException" | "KMSInvalidStateException":
            return WebhookUnusable(
                "kms_key_disabled",
                f"The key that encrypted {setting} is disabled or waits for its deletion. Enable "
                "it: aws kms cancel-key-deletion, then aws kms enable-key.",
            )
        case "AccessDeniedException":  # KMS tells no stranger whether there is such a key
            return WebhookUnusable(
                "kms_access_denied",
                f"KMS does not let the function's role decrypt {setting} under the encryption "
                f"context {context}. Its policy file in .chalice and the key's own policy must "
                f"allow it: python -m ops policies --stage {settings.stage}, then chalice deploy. "
                "Or the key is another than the stage's, or not in region "
                f"{settings.sign_in_region}: correct SIGN_IN_REGION. Or: {again}",
            )
    return WebhookUnusable(
        "kms_refused",
        f"KMS refuses to decrypt {setting}: {code}. "
        f"python -m ops doctor --stage {settings.stage} shows more.",
    )


def _checked(text: str, settings: Settings, setting: str) -> str | WebhookUnusable:
    """Return the URL that a plaintext means, or why it is none to post to."""
    url = text.strip()
    command = _setup_command(setting, settings)
    if url.startswith("//"):
        url = f"https:{url}"
    found = re.fullmatch(r"(https?)://([\w.:\[\]-]+)(/[!-~]+)", url, re.ASCII)
    if not found:
        return WebhookUnusable(
            "webhook_not_a_url",
            f"What {setting} decrypts to is no webhook URL such as "
            "https://hooks.slack.com/services/…. Encrypt the right one: "
            f"{command}.",
        )
    scheme, host, path = found[1], found[2].lower(), found[3]
    if host not in settings.webhook_hosts:
        return WebhookUnusable(
            "webhook_host_not_allowed",
            f"The webhook of {setting} is on the host {host}, which WEBHOOK_HOSTS does not "
            f"name. Add the host there, or encrypt another webhook: {command}.",
        )
    if scheme == "http" and not _is_loopback(host):
        return WebhookUnusable(
            "webhook_not_https",
            f"The webhook of {setting} is not https, so that anyone on the way could read "
            f"it. Replace it by an https one: {command}.",
        )
    if path.startswith(("/workflows/", "/triggers/")):
        return WebhookUnusable(
            "webhook_is_workflow",
            f"{setting} holds the trigger of a Slack workflow, which takes variables and no "
            f"messages. Make an incoming webhook instead, then: {command}.",
        )
    return f"{scheme}://{host}{path}"


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
