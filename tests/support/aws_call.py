"""A call of AWS as it is seen on the wire: its action, region, caller and parameters."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import botocore.session

from playground.aws.embedded import ACCOUNT_ID

_IAM_NAMES = {"monitoring": "cloudwatch"}  # services that sign under another name than IAM's

_BATCHES = ("sqs:ChangeMessageVisibilityBatch", "sqs:DeleteMessageBatch", "sqs:SendMessageBatch")
# What an ARN says before a resource's name, and the parameters that name it.
_RESOURCES = {
    "cloudtrail": ("trail/", "Name", "TrailName"),
    "dynamodb": ("table/", "TableName"),
    "events": ("rule/", "Name", "Rule"),
    "iam": ("role/", "RoleName", "PolicySourceArn"),
    "lambda": ("function:", "FunctionName"),
    "logs": ("log-group:", "logGroupName"),
    "sqs": ("", "QueueName", "QueueUrl"),
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call. `action` is IAM's name for it, such as `kms:Encrypt`.

    `caller` is the access key id that signed. `parameters` has AWS's own names; those of the CBOR
    protocol (CloudWatch's) are not read.
    """

    action: str
    region: str = ""
    caller: str = ""
    user_agent: str = ""
    content_type: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def right(self) -> str:
        """The action that a policy must allow: SQS's batches have none of their own."""
        return self.action.removesuffix("Batch") if self.action in _BATCHES else self.action

    @property
    def resource(self) -> str:
        """The ARN that a policy must allow; `*` for an action that names no resource."""
        service = self.action.partition(":")[0]
        if service == "kms":  # the key of a ciphertext is not in the call
            return f"arn:aws:kms:{self.region}:{ACCOUNT_ID}:key/*"
        kind, *names = _RESOURCES.get(service, ("",))
        name = next((self.parameters[name] for name in names if name in self.parameters), "*")
        if name == "*" or name.startswith("arn:"):
            return str(name)
        if name.startswith("http"):
            name = name.rpartition("/")[2]
        end = ":*" if service == "logs" else ""
        region = "" if service == "iam" else self.region
        return f"arn:aws:{service}:{region}:{ACCOUNT_ID}:{kind}{name}{end}"


def read_call(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Call:
    """Read a call of any of AWS's protocols; the headers' names are in lower case."""
    scope = re.search(r"Credential=([^,]+)", headers.get("authorization", ""))
    caller, _, region, service, _ = scope[1].split("/") if scope else [""] * 5
    content_type = headers.get("content-type", "")
    if target := headers.get("x-amz-target"):
        operation, parameters = target.rpartition(".")[2], json.loads(body or b"{}")
    elif "/operation/" in path:
        operation, parameters = path.rpartition("/")[2], {}
    elif "form" in content_type:
        parameters = dict(parse_qsl(body.decode()))
        operation = parameters.pop("Action")
    else:
        operation, parameters = _rest_call(service, method, path)
        if "json" in content_type and body:
            parameters |= json.loads(body)
    return Call(
        action=f"{_IAM_NAMES.get(service, service)}:{operation}",
        region=region,
        caller=caller,
        user_agent=headers.get("user-agent", ""),
        content_type=content_type,
        parameters=parameters,
    )


def _rest_call(service: str, method: str, address: str) -> tuple[str, dict[str, Any]]:
    parts = urlsplit(address)
    for operation, verb, pattern in _rest_operations(service):
        if verb == method and (found := re.fullmatch(pattern, parts.path)):
            in_path = {name: unquote(value) for name, value in found.groupdict().items()}
            return operation, in_path | dict(parse_qsl(parts.query))
    raise LookupError(address)


@cache
def _rest_operations(service: str) -> list[tuple[str, str, str]]:
    """Return each operation of a REST service with its method and a pattern of its path."""
    model = botocore.session.get_session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = re.escape(http["requestUri"].split("?")[0].rstrip("/"))
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.sub(r"\\\+", "", path))
        found.append((name, http["method"], f"{pattern}/?"))
    return found
