"""The article's shape on Chalice: a client, a decryption and a connection for every message."""

import base64
import json
import os

import boto3
import requests
from chalice import Chalice
from chalice.app import CloudWatchEvent

app = Chalice(app_name="article")


@app.on_cw_event({"source": ["aws.signin"]})
def on_sign_in(event: CloudWatchEvent) -> str:
    """Post a sign-in."""
    print("Received event: " + json.dumps(event.to_dict()))
    return notify(create_message(event.detail), webhook_url(os.environ["WEBHOOK_URL_ENCRYPTED"]))


def create_message(detail: dict) -> str:
    """Build the article's five lines."""
    name = detail["eventName"]
    return (
        "AWSコンソールへのログインを検知しました\n"
        f"・ユーザ名: {user_name(detail['userIdentity'])}\n"
        f"・イベント名: {name}\n"
        f"・結果: {detail['responseElements'][name]}\n"
        f"・発生時刻: {detail['eventTime']}"
    )


def user_name(identity: dict) -> str:
    """Name who signed in."""
    if identity["type"] == "Root":
        return "root"
    if identity["type"] == "IAMUser":
        return identity["userName"]
    return json.dumps(identity)


def webhook_url(encrypted: str) -> str:
    """Decrypt the webhook's URL, which was encrypted without its scheme."""
    answer = boto3.client("kms").decrypt(CiphertextBlob=base64.b64decode(encrypted))
    return "https:" + answer["Plaintext"].decode()


def notify(message: str, url: str) -> str:
    """Post a message; return Slack's answer."""
    payload = {
        "text": message,
        "username": "AWSアカウントモニターBot",
        "icon_emoji": ":ghost:",
    }
    return requests.post(url, json=payload, timeout=10).text
