"""The lean notifier, tuned: the TLS context made at import, the connection kept by urllib3."""

import base64
import json
import logging
import os
import ssl

import boto3
import urllib3  # in Lambda's runtime, for boto3 needs it

logger = logging.getLogger()
logger.setLevel(logging.INFO)

ENCRYPTED = base64.b64decode(os.environ["WEBHOOK_URL_ENCRYPTED"])
WEBHOOK_URL = "https:" + boto3.client("kms").decrypt(CiphertextBlob=ENCRYPTED)["Plaintext"].decode()
http = urllib3.PoolManager(ssl_context=ssl.create_default_context())


def lambda_handler(event: dict, _context: object) -> str:
    """Post a sign-in; return Slack's answer."""
    logger.info("Event: %s", json.dumps(event))
    body = json.dumps({"text": message(event["detail"])}).encode()
    headers = {"Content-Type": "application/json"}
    answer = http.request("POST", WEBHOOK_URL, body=body, headers=headers, timeout=10).data.decode()
    logger.info("Slack answered: %s", answer)
    return answer


def message(detail: dict) -> str:
    """Return who signed in, to which account, from where, and how that went."""
    identity = detail["userIdentity"]
    name = identity.get("userName", identity["type"])
    outcome = detail["responseElements"]["ConsoleLogin"]
    account, address = detail["recipientAccountId"], detail["sourceIPAddress"]
    return f"Console sign-in of {name} to account {account} from {address}: {outcome}."
