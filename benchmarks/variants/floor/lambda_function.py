"""The floor: a connection opened at INIT and kept; no KMS, no Chalice, no boto3."""

import json
import os
import ssl
from http.client import HTTPSConnection
from urllib.parse import urlsplit

WEBHOOK = urlsplit(os.environ["WEBHOOK_URL"])
connection = HTTPSConnection(WEBHOOK.netloc, timeout=10, context=ssl.create_default_context())
connection.connect()


def lambda_handler(event: dict, _context: object) -> str:
    """Post a sign-in; return Slack's answer."""
    detail = event["detail"]
    body = json.dumps({"text": f"{detail['userIdentity'].get('userName')} signed in."})
    try:
        return post(body)
    except OSError:  # the kept connection has ended
        connection.close()
        return post(body)


def post(body: str) -> str:
    """Post a body, on a new connection if there is none."""
    connection.request("POST", WEBHOOK.path, body, {"Content-Type": "application/json"})
    return connection.getresponse().read().decode()
