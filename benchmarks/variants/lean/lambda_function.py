"""Post a sign-in to Slack: boto3 and the standard library, decrypted once, at import."""

import base64
import json
import logging
import os
from urllib.request import Request, urlopen

import boto3

logger = logging.getLogger()
logger.setLevel(logging.INFO)

ENCRYPTED = base64.b64decode(os.environ["WEBHOOK_URL_ENCRYPTED"])
WEBHOOK_URL = "https:" + boto3.client("kms").decrypt(CiphertextBlob=ENCRYPTED)["Plaintext"].decode()


def lambda_handler(event: dict, _context: object) -> str:
    """Post a sign-in; return Slack's answer."""
    logger.info("Event: %s", json.dumps(event))
    body = json.dumps({"text": message(event["detail"])}).encode()
    request = Request(WEBHOOK_URL, body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=10) as response:
        answer = response.read().decode()
    logger.info("Slack answered: %s", answer)
    return answer


def message(detail: dict) -> str:
    """Return who signed in, to which account, from where, and how that went."""
    identity = detail["userIdentity"]
    name = identity.get("userName", identity["type"])
    outcome = detail["responseElements"]["ConsoleLogin"]
    account, address = detail["recipientAccountId"], detail["sourceIPAddress"]
    return f"Console sign-in of {name} to account {account} from {address}: {outcome}."
