"""An embedded AWS: moto's server in this process, on a loopback address."""

import base64
import os
from collections.abc import Iterable, Mapping
from contextlib import closing, nullcontext
from functools import cache
from http.client import HTTPConnection
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import boto3
from moto.backends import get_backend
from moto.core import responses
from moto.core.utils import method_names_from_class
from moto.kms import models as kms
from moto.kms.utils import generate_private_key
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

from playground.server import LOOPBACK, Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ACCOUNT_ID = "123456789012"  # moto's own
HOME_REGION = "us-east-1"
_ONE_AT_A_TIME: Final = Lock()
# moto makes a private key for each key, which a symmetric key has no use for, and lists a service's
# actions for each call: that is most of what it takes.
vars(kms)["generate_private_key"] = cache(generate_private_key)
vars(responses)["method_names_from_class"] = cache(method_names_from_class)
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # nobody asks for them, and they take long


class _Request(MotoRequestHandler):
    disable_nagle_algorithm = True  # else delayed acknowledgements add 40 ms to an answer

    def log(self, *_: object) -> None:
        """Leave the terminal to what the app says."""


class EmbeddedAws(Server):
    """An AWS account, empty at first, as a context manager.

    moto keeps one state for the whole process: use one account at a time.
    """

    def __init__(self, *, region: str = HOME_REGION) -> None:
        self.region = region
        self._moto = DomainDispatcherApplication(create_backend_app)
        # It lists moto's folder for each call, which takes longer than the call.
        vars(self._moto)["get_backend_for_host"] = cache(self._moto.get_backend_for_host)
        super().__init__(
            make_server(LOOPBACK, 0, self.serve, threaded=True, request_handler=_Request)
        )
        self.url = f"http://{self.host}"

    def start(self) -> None:
        """Begin to serve an account that is empty."""
        super().start()
        self.reset()

    def serve(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one call. DynamoDB updates an item in one step; moto needs to be held to that."""
        is_dynamodb = environ.get("HTTP_X_AMZ_TARGET", "").startswith("DynamoDB_")
        with _ONE_AT_A_TIME if is_dynamodb else nullcontext():
            answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead any AWS client or command here, whatever the shell's own say."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str, region: str | None = None, *, caller: str = "testing") -> Any:  # noqa: ANN401  # any service's
        """Return a boto3 client of this account, which signs under that access key id."""
        return boto3.client(  # type: ignore[call-overload]  # its overloads name each service
            service,
            endpoint_url=self.url,
            region_name=region or self.region,
            aws_access_key_id=caller,
            aws_secret_access_key="testing",  # noqa: S106  # moto takes any
        )

    def reset(self) -> None:
        """Empty the account."""
        connection = HTTPConnection(self.host)
        with closing(connection):
            connection.request("POST", "/moto-api/reset")
            connection.getresponse().read()

    def make_key(self, alias: str, region: str | None = None) -> str:
        """Make a KMS key under an alias, given with its prefix `alias/`; return the key's id."""
        client = self.client("kms", region)
        key_id: str = client.create_key()["KeyMetadata"]["KeyId"]
        client.create_alias(AliasName=alias, TargetKeyId=key_id)
        return key_id

    def encrypt(
        self,
        text: str,
        alias: str,
        context: Mapping[str, str] | None = None,
        region: str | None = None,
    ) -> str:
        """Encrypt under a key, by alias or id, bound to a context; return base64."""
        answer = self.client("kms", region).encrypt(
            KeyId=alias, Plaintext=text.encode(), EncryptionContext=dict(context or {})
        )
        return base64.b64encode(answer["CiphertextBlob"]).decode()

    def make_queue(self, name: str, attributes: Mapping[str, str] | None = None) -> str:
        """Make an SQS queue; return its URL."""
        queue = self.client("sqs").create_queue(QueueName=name, Attributes=dict(attributes or {}))
        url: str = queue["QueueUrl"]
        return url

    def make_table(self, name: str, *, key: str, expiry: str) -> None:
        """Make a DynamoDB table with a text as its key, whose items expire at a time of theirs."""
        dynamodb = self.client("dynamodb")
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            DeletionProtectionEnabled=True,
        )
        setting = {"Enabled": True, "AttributeName": expiry}
        dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=setting)

    def items(self, table: str) -> list[dict[str, Any]]:
        """List the items of a DynamoDB table."""
        items: list[dict[str, Any]] = self.client("dynamodb").scan(TableName=table)["Items"]
        return items

    def leave_alone(self, queue: str) -> None:
        """Keep moto from giving what comes into a queue to its function, in Docker."""
        get_backend("sqs")[ACCOUNT_ID][self.region].queues[queue].lambda_event_source_mappings = {}

    def make_user(self, name: str, *, has_password: bool = False, has_mfa: bool = False) -> None:
        """Make an IAM user; the MFA device is a virtual device under the user's name."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if has_password:
            iam.create_login_profile(UserName=name, Password="fake")  # noqa: S106  # moto takes any
        if has_mfa:
            device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
            iam.enable_mfa_device(
                UserName=name,
                SerialNumber=device["SerialNumber"],
                AuthenticationCode1="123456",
                AuthenticationCode2="654321",
            )

    def package_of(self, function: str, region: str | None = None) -> bytes:
        """Return the zip archive that was uploaded as a Lambda function's code."""
        functions = get_backend("lambda")[ACCOUNT_ID][region or self.region]
        code: bytes = functions.get_function(function).code_bytes
        return code
