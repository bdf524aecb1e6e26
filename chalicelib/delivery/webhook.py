"""The KMS-backed webhook lookup: from a ciphertext to a URL that masks itself.

The webhook's path is a credential. It lives in one small object, is written out for the request
and nowhere else, and nothing logs KMS's answer, which holds it.
"""

import base64
import hmac
import ipaddress
import logging
import re
from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import urlsplit

from chalicelib.aws.json_protocol import JSONClient
from chalicelib.errors import (
    AWSCallError,
    AWSUnreachable,
    WebhookError,
    WebhookUnavailable,
    WebhookUnusable,
)
from chalicelib.http import PROXY_REFUSALS
from chalicelib.log import mute_logger
from chalicelib.resource_names import deploy_command, ops_command
from chalicelib.settings import Settings

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
# In the message of an AccessDeniedException: the key is gone, of another region or account, or not
# to be used. The NotFoundException of "Decrypt" (AWS KMS API Reference) practically never comes.
_NO_KEY: Final = "does not exist in this region"

mute_logger("botocore.parsers", up_to=logging.DEBUG)  # a client's logs KMS's answer


class Webhook:
    """A webhook's URL, which shows itself only where it is asked to."""

    __slots__ = ("_url", "host", "origin")

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._url = url
        self.host: str = parts.netloc
        self.origin = f"{parts.scheme}://{parts.netloc}/"  # the URL without its secret path

    @classmethod
    def parse(cls, text: str, settings: Settings, setting: str = MAIN) -> Self:
        """Read the plaintext of a setting; it may lack `https:` and end in a newline.

        Raises WebhookUnusable if it is no URL of a webhook on an allowed host.
        """
        url = _normalized(text)
        fault = _fault(url, settings, setting)
        if fault is None:
            return cls(url)
        del text, url  # what reports errors may show the variables of each frame
        raise fault

    def reveal(self) -> str:
        """Return the whole URL, for the request and nothing else."""
        return self._url

    def derive_key(self, purpose: str) -> bytes:
        """Return a key of 32 bytes for a purpose, which reveals nothing of the URL or another key.

        Source: "HMAC-based Extract-and-Expand Key Derivation Function" (RFC 5869), with SHA-256.
        """
        extracted = hmac.digest(bytes(32), self._url.encode(), "sha256")
        return hmac.digest(extracted, purpose.encode() + b"\x01", "sha256")

    def __repr__(self) -> str:
        return f"Webhook('{self.origin}…')"


class WebhookLookup:
    """Decrypts the stage's webhooks, once each while that works."""

    def __init__(self, kms: JSONClient, settings: Settings) -> None:
        self._kms = kms
        self._settings = settings
        self._webhooks: dict[str, Webhook] = {}

    def webhook(self, setting: str) -> Webhook:
        """Return the webhook of MAIN or CRITICAL. Raises WebhookUnavailable or WebhookUnusable."""
        if setting not in self._webhooks:
            self._webhooks[setting] = Webhook.parse(self._decrypt(setting), self._settings, setting)
        return self._webhooks[setting]

    def known(self, setting: str) -> Webhook | None:
        """Return the webhook if it was looked up before."""
        return self._webhooks.get(setting)

    def forget(self, setting: str) -> None:
        """Look the webhook up again next time."""
        self._webhooks.pop(setting, None)

    def _decrypt(self, setting: str) -> str:
        settings = self._settings
        ciphertext = (
            settings.webhook_url_encrypted
            if setting == MAIN
            else settings.critical_webhook_url_encrypted
        )
        try:
            plaintext = _plaintext(
                self._kms.call(
                    "Decrypt",
                    CiphertextBlob=base64.b64encode(ciphertext or b"").decode(),
                    EncryptionContext=dict(settings.webhook_encryption_context),
                )
            )
        except AWSUnreachable as error:
            raise _unreachable(setting, settings, error.code) from None
        except AWSCallError as error:
            raise _refused(error, setting, settings) from None
        if plaintext is None:  # a portal on the way may answer anything
            raise _unreachable(setting, settings, "no plaintext")
        return plaintext


def _plaintext(answer: Mapping[str, Any]) -> str | None:
    try:
        return base64.b64decode(answer["Plaintext"], validate=True).decode(errors="replace")
    except (KeyError, TypeError, ValueError):
        return None


def _unreachable(setting: str, settings: Settings, why: str) -> WebhookError:
    if why in PROXY_REFUSALS:
        return WebhookUnusable(
            why,
            f"The proxy that HTTPS_PROXY names refuses the way to KMS ({why}). Correct its user, "
            f"its password or its rules, then: {deploy_command(settings.stage)}.",
        )
    return WebhookUnavailable(
        "kms_unreachable",
        f"KMS in {settings.sign_in_region} cannot be asked for {setting} ({why}).",
    )


def replacement(setting: str, settings: Settings) -> str:
    """Return the commands that ask for a setting's webhook, encrypt it and put it to use."""
    stage = settings.stage
    return f"{ops_command(stage, 'setup', SETUP_FLAG[setting])}, then {deploy_command(stage)}"


def says_no_key(message: str) -> bool:
    """Return whether KMS refuses because it knows no such key here, or for want of a right."""
    return _NO_KEY in message.lower()


def _refused(error: AWSCallError, setting: str, settings: Settings) -> WebhookError:
    """Return what KMS's refusal means and what to do. Source: "Decrypt" (AWS KMS API Reference)."""
    code = error.code
    again = f"Encrypt the URL again: {replacement(setting, settings)}."
    stage = settings.stage
    policies = f"{ops_command(stage, 'policies')}, then {deploy_command(stage)}"
    context = dict(settings.webhook_encryption_context)
    if code in _BUSY or error.status >= _SERVER_ERROR:
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
        case "AccessDeniedException" if says_no_key(error.message):
            return WebhookUnusable(
                "kms_key_not_found",
                f"KMS finds no key for {setting} in region {settings.sign_in_region} of this "
                "account that the function's role may use. Correct SIGN_IN_REGION. Or let the "
                f"role's policy allow it: {policies}. Or: {again}",
            )
        case "AccessDeniedException":
            return WebhookUnusable(
                "kms_access_denied",
                f"KMS does not let the function's role decrypt {setting} under the encryption "
                f"context {context}. Its policy file in .chalice and the key's own policy must "
                f"allow it: {policies}. A change of the key's tags or aliases takes up to five "
                "minutes to count. Or the key is another than the stage's, or not in region "
                f"{settings.sign_in_region}: correct SIGN_IN_REGION. Or: {again}",
            )
    return WebhookUnusable(
        "kms_refused",
        f"KMS refuses to decrypt {setting}: {code}. {ops_command(stage, 'doctor')} shows more.",
    )


def _normalized(text: str) -> str:
    """Return a plaintext as the URL that it means, if it means any."""
    url = text.strip()
    if url.startswith("//"):
        url = f"https:{url}"
    return re.sub("//[^/]+", lambda host: host[0].lower(), url, count=1)


def _fault(url: str, settings: Settings, setting: str) -> WebhookUnusable | None:
    """Return what keeps a URL from being posted to, the first to repair."""
    replace = replacement(setting, settings)
    parts = re.fullmatch(r"(https?)://([\w.:\[\]-]+)(/[!-~]+)", url, re.ASCII)
    if not parts:
        return WebhookUnusable(
            "webhook_not_a_url",
            f"What {setting} decrypts to is no webhook URL such as "
            f"https://hooks.slack.com/services/…. Encrypt the right one: {replace}.",
        )
    scheme, host, path = parts.groups()
    if host not in settings.webhook_hosts:
        return WebhookUnusable(
            "webhook_host_not_allowed",
            # Not named: of a plaintext that is no webhook, the host may be the secret.
            f"The webhook of {setting} is on another host than WEBHOOK_HOSTS names. Add its host "
            f"there, or encrypt another webhook: {replace}.",
        )
    if scheme == "http" and not _is_loopback(host):
        return WebhookUnusable(
            "webhook_not_https",
            f"The webhook of {setting} is not https, so that anyone on the way could read "
            f"it. Replace it by an https one: {replace}.",
        )
    if path.startswith(("/workflows/", "/triggers/")):
        return WebhookUnusable(
            "webhook_is_workflow",
            f"{setting} holds the trigger of a Slack workflow, which takes variables and no "
            f"messages. Make an incoming webhook instead, then: {replace}.",
        )
    return None


def _is_loopback(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
