"""AWS's JSON protocol, for the few calls that a sign-in waits for.

botocore's client reads folders of models before its first call, which would be most of a cold
start. Here botocore signs, and requests sends. What no sign-in waits for uses botocore's client.

Sources: "AWS JSON 1.0 protocol" and "AWS JSON 1.1 protocol" (Smithy); for what is tried again,
"Retry behavior" (AWS SDKs and Tools Reference Guide), standard mode.
"""

import json
import logging
import os
import random
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self

import botocore
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from chalicelib import __version__
from chalicelib.errors import AWSCallError, AWSUnreachable, NoAnswer
from chalicelib.http import Connection, Response
from chalicelib.log import mute_logger
from chalicelib.signin.json_fields import parse_object
from chalicelib.timeout import AWS_ATTEMPT_SECONDS, AWS_WAIT_SECONDS

if TYPE_CHECKING:
    from botocore.session import Session

ServiceName = Literal["dynamodb", "identitystore", "kms", "sqs"]

# The prefix of an action, and the protocol's version: botocore's service models.
_PROTOCOLS: Final[Mapping[ServiceName, tuple[str, str]]] = {
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "identitystore": ("AWSIdentityStore", "1.1"),
    "kms": ("TrentService", "1.1"),
    "sqs": ("AmazonSQS", "1.0"),
}
# Domains by how a region's name begins: botocore's partitions.json.
_DOMAIN: Final = "amazonaws.com"
_OTHER_DOMAINS: Final = {
    "cn-": "amazonaws.com.cn",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}
_THROTTLING: Final = frozenset(
    {
        "429",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
_TRANSIENT_CODES: Final = frozenset({"RequestTimeout", "RequestTimeoutException"})
_TRANSIENT_STATUSES: Final = frozenset({0, 500, 502, 503, 504})  # 0: there was no answer

# The longest wait before the retry of what failed on AWS's side or on the way.
_TRANSIENT_SECONDS: Final = 0.05
_LONGEST_CODE: Final = 100  # characters, for a portal on the way may answer anything
_LONGEST_MESSAGE: Final = 500
_OK: Final = 200

mute_logger("botocore.auth", up_to=logging.DEBUG)  # logs the session token


class Credentials(NamedTuple):
    """What a request is signed with."""

    access_key: str
    secret_key: str
    token: str | None

    @classmethod
    def of_session(cls, session: Any) -> Self | None:  # noqa: ANN401 — botocore's or boto3's
        """Return what a session's chain finds, as the AWS CLI does."""
        found = session.get_credentials()
        return cls(*found.get_frozen_credentials()[:3]) if found else None


def find_credentials() -> Credentials | None:
    """Return the function's own credentials, else those of botocore's chain."""
    access_key = os.environ.get("AWS_ACCESS_KEY_ID")
    secret_key = os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return Credentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
    return Credentials.of_session(_session())


@cache
def _session() -> "Session":
    from botocore.session import get_session  # noqa: PLC0415 — slow, and Lambda needs none

    return get_session()


class JSONClient:
    """Calls one service in one region, over a connection that is kept."""

    def __init__(
        self,
        service: ServiceName,
        region: str,
        *,
        url: str | None = None,
        credentials: Callable[[], Credentials | None] = find_credentials,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service = service
        self._region = region
        self._credentials = credentials
        self._sleep = sleep
        self._url = url = url or endpoint(service, region)
        bundles = "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"
        self._connection = Connection(url, lambda: url, ca_bundles=bundles)

    def call(self, action: str, /, **parameters: object) -> dict[str, Any]:
        """Call an action and return its answer. Bytes are text in base64, both ways.

        What was throttled, or failed on AWS's side or on the way, is called once more.
        Raises AWSCallError if AWS refuses, AWSUnreachable if AWS does not answer.
        """
        body = json.dumps(parameters).encode()
        headers = self._signed(action, body)
        try:
            return self._send(action, headers, body)
        except AWSCallError as error:
            wait = _longest_wait(error)
            if wait is None:
                raise
        self._sleep(random.random() * wait)  # noqa: S311 — spreads retries, keeps no secret
        return self._send(action, headers, body)

    def connect(self) -> None:
        """Open the connection ahead of the first call. Raises AWSUnreachable."""
        try:
            self._connection.open()
        except NoAnswer as error:
            raise AWSUnreachable(self._service, error.reason) from None

    def _signed(self, action: str, body: bytes) -> Mapping[str, str]:
        prefix, version = _PROTOCOLS[self._service]
        headers = {
            "Content-Type": f"application/x-amz-json-{version}",
            "User-Agent": f"signin-monitor/{__version__} Botocore/{botocore.__version__}",
            "X-Amz-Target": f"{prefix}.{action}",
        }
        request = AWSRequest("POST", self._url, headers, body)
        try:
            credentials: Any = self._credentials()  # botocore signs with any three such attributes
            SigV4Auth(credentials, self._service, self._region).add_auth(request)
        except Exception as error:  # noqa: BLE001 — botocore's chain asks files, programs and hosts
            code = type(error).__name__
        else:
            return dict(request.headers.items())
        raise AWSUnreachable(f"{self._service}:{action}", code)

    def _send(self, action: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        call = f"{self._service}:{action}"
        try:
            response = self._connection.post(body, headers, AWS_ATTEMPT_SECONDS)
        except NoAnswer as error:
            raise AWSUnreachable(call, error.reason) from None
        answer = parse_object(response.body)
        if answer is not None and response.status == _OK:
            return answer
        failure = _failure(call, response, answer or {})
        del response  # it may hold part of a secret: reports show the variables of a frame
        raise failure


def endpoint(service: ServiceName, region: str) -> str:
    """Return the URL that the environment names for a service, else AWS's own."""
    for name in (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL"):
        if url := os.environ.get(name):
            return url
    domain = next(
        (_OTHER_DOMAINS[begin] for begin in _OTHER_DOMAINS if region.startswith(begin)), _DOMAIN
    )
    return f"https://{service}.{region}.{domain}/"


def _longest_wait(error: AWSCallError) -> float | None:
    """Return how many seconds to wait at most before a call is made again; None if it is not."""
    if error.code in _THROTTLING:
        return AWS_WAIT_SECONDS
    if error.code in _TRANSIENT_CODES or error.status in _TRANSIENT_STATUSES:
        return _TRANSIENT_SECONDS
    return None


def _failure(call: str, response: Response, answer: Mapping[str, Any]) -> AWSCallError:
    """Return the error that an answer means.

    SQS keeps the codes of its older protocol in a header ("AWS Query Compatible", Smithy).
    """
    if response.status == _OK:
        return AWSUnreachable(call, "not_aws", status=_OK)
    query_code = response.headers.get("x-amzn-query-error", "").partition(";")[0]
    type_ = str(answer.get("__type", "")).partition(":")[0].rpartition("#")[2]
    return AWSCallError(
        call,
        (query_code or type_ or str(response.status))[:_LONGEST_CODE],
        message=str(answer.get("message") or answer.get("Message") or "")[:_LONGEST_MESSAGE],
        status=response.status,
        request_id=response.headers.get("x-amzn-requestid", ""),
    )
