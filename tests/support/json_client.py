"""Clients of AWS's JSON protocol for tests: one of the embedded AWS, one that follows a script."""

import base64
from typing import Any

from chalicelib.aws.json_protocol import Credentials, JSONClient, ServiceName
from chalicelib.errors import AWSCallError
from playground.aws.embedded import HOME_REGION, EmbeddedAws


def client_of(aws: EmbeddedAws, service: ServiceName, region: str = HOME_REGION) -> JSONClient:
    """Return a client of the embedded AWS, whatever the environment says."""
    credentials = Credentials("testing", "testing", None)
    return JSONClient(service, region, url=aws.url, credentials=lambda: credentials)


class ScriptedClient(JSONClient):
    """Gives the answers of a script, one a call, and raises those that are errors."""

    def __init__(self, *script: dict[str, Any] | AWSCallError) -> None:
        super().__init__("kms", HOME_REGION)
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.script = list(script)

    def call(self, action: str, /, **parameters: object) -> dict[str, Any]:
        """Note the call, and give the next answer."""
        self.calls.append((action, parameters))
        answer = self.script.pop(0)
        if isinstance(answer, AWSCallError):
            raise answer
        return answer


def decrypted(text: str) -> dict[str, Any]:
    """Return KMS's answer to Decrypt."""
    return {"Plaintext": base64.b64encode(text.encode()).decode()}


def refused(code: str, *, status: int = 400, message: str = "") -> AWSCallError:
    """Return a refusal as KMS makes it."""
    return AWSCallError("kms:Decrypt", code, status=status, message=message)
