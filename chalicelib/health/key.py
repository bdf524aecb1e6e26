"""Can the webhook be decrypted: the key, and the ciphertexts that it must decrypt."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import code_of, is_missing
from chalicelib.delivery.webhook import CRITICAL, MAIN, SETUP_FLAG, Webhook, says_no_key
from chalicelib.errors import WebhookUnusable
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


_WRONG: Final = ("InvalidCiphertextException", "IncorrectKeyException")
_KEY_AT_FAULT: Final = ("DisabledException", "KMSInvalidStateException", "NotFoundException")


def check_key(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that the stage's alias leads to a key that is enabled."""
    kms: KMSClient = clients("kms", deployment.region)
    alias = deployment.key_alias
    try:
        found = kms.describe_key(KeyId=alias)["KeyMetadata"]
    except ClientError as error:
        if not is_missing(error):
            raise
        remedy = deployment.ops_command("setup")
        yield CheckResult.fault("key", "key_missing", remedy, alias)
        return
    state = found.get("KeyState", "")
    command = f"aws kms {{}} --region {deployment.region} --key-id {found['KeyId']}"
    if state == "Enabled":
        yield CheckResult.ok("key", alias)
    elif state == "PendingDeletion":
        remedy = f"{command.format('cancel-key-deletion')} && {command.format('enable-key')}"
        yield CheckResult.fault("key", "key_pending_deletion", remedy, alias)
    else:
        remedy = command.format("enable-key")
        yield CheckResult.fault("key", "key_disabled", remedy, alias, state=state)


def check_ciphertext(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that the key under the stage's alias decrypts its ciphertexts in their context."""
    kms: KMSClient = clients("kms", deployment.region)
    settings = deployment.settings
    by_setting = {
        MAIN: settings.webhook_url_encrypted,
        CRITICAL: settings.critical_webhook_url_encrypted,
    }
    for setting, blob in by_setting.items():
        if not blob:
            continue
        replace = deployment.ops_command("setup", SETUP_FLAG[setting])
        remedy = f"{replace}\n{deployment.deploy_command}"
        try:
            answer = kms.decrypt(
                CiphertextBlob=blob, EncryptionContext=settings.webhook_encryption_context
            )
            alias = kms.describe_key(KeyId=deployment.key_alias)["KeyMetadata"]["Arn"]
            text = answer["Plaintext"].decode("utf-8", errors="replace")
            Webhook.parse(text, settings, setting)
        except WebhookUnusable as error:
            yield CheckResult.fault(
                "ciphertext", "webhook_unusable", remedy, setting, why=str(error)
            )
        except ClientError as error:
            code = code_of(error)
            if code in _WRONG or says_no_key(str(error)):
                yield CheckResult.fault("ciphertext", "ciphertext_wrong", remedy, setting)
            elif code not in _KEY_AT_FAULT:  # reported with the key
                raise
        else:
            if answer["KeyId"] == alias:
                yield CheckResult.ok("ciphertext", setting)
            else:
                yield CheckResult.fault(
                    "ciphertext",
                    "ciphertext_of_other_key",
                    remedy,
                    setting,
                    alias=deployment.key_alias,
                )
