"""A lean notifier: the standard library and boto3, decrypted once, at import."""

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
    """Tell Slack of a sign-in; give its answer."""
    logger.info("Event: %s", event)
    detail = event["detail"]
    identity = detail["userIdentity"]
    message = {
        "text": f"{identity.get('userName', identity['type'])} signed in to account "
        f"{event['account']} from {detail['sourceIPAddress']}: "
        f"{detail['responseElements']['ConsoleLogin']}."
    }
    request = Request(
        WEBHOOK_URL, json.dumps(message).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=10) as response:
        answer = response.read().decode()
    logger.info("Message posted: %s", answer)
    return answer
