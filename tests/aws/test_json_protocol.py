"""AWS's JSON protocol: against moto, and against a server that answers what moto never would."""

import base64
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, get_args

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.session import get_session

from chalicelib.aws import json_protocol as module
from chalicelib.aws.json_protocol import JSONClient, ServiceName, endpoint
from chalicelib.errors import AWSCallError, AWSUnreachable
from playground.aws.embedded import EmbeddedAws
from playground.slack.certificates import Certificates
from playground.slack.receiver import Receiver
from tests.support.proxy import Proxy
from tests.support.raw_server import RawServer
from tests.support.secrecy import everything_logged, everything_said_by, shows_secret
from tests.support.webhook import SECRET_PATH

SECRET: Final = f"https://hooks.slack.com{SECRET_PATH}"
SECRET_ANSWER: Final = b'{"Plaintext": "%s"}' % base64.b64encode(SECRET.encode())


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module._session.cache_clear()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "fake-token")
    yield
    module._session.cache_clear()


def client(service: ServiceName, region: str = "us-east-1") -> JSONClient:
    return JSONClient(service, region, sleep=lambda _: None)


def failure(call: Callable[[], object]) -> AWSCallError:
    with pytest.raises(AWSCallError) as raised:
        call()
    return raised.value


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"))
    return f"{head}\r\nConnection: close\r\n\r\n".encode() + body


def decrypt(*answers: bytes, times: int) -> AWSCallError:
    """Return how Decrypt fails on a server that answers so, and that is asked so many times."""
    with RawServer(*answers) as server, pytest.MonkeyPatch.context() as shell:
        shell.setenv("AWS_ENDPOINT_URL", f"http://{server.host}")
        error = failure(lambda: client("kms").call("Decrypt"))
    assert len(server.requests) == times
    return error


def test_an_action_of_each_service_is_called(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    aws.make_key("alias/a")
    ciphertext = aws.encrypt(SECRET, "alias/a", {"stage": "prod"})
    url = aws.make_queue("undelivered")
    aws.make_table("baseline", key="person", expiry="expires")
    item = {"person": {"S": "alice"}, "seen": {"N": "1"}}
    decrypted = client("kms").call(
        "Decrypt", CiphertextBlob=ciphertext, EncryptionContext={"stage": "prod"}
    )
    assert base64.b64decode(decrypted["Plaintext"]).decode() == SECRET
    assert client("sqs").call("GetQueueUrl", QueueName="undelivered") == {"QueueUrl": url}
    assert client("sqs").call("SendMessage", QueueUrl=url, MessageBody="로그인")["MessageId"]
    updated = client("dynamodb").call(
        "UpdateItem",
        TableName="baseline",
        Key={"person": item["person"]},
        UpdateExpression="SET seen = :seen",
        ExpressionAttributeValues={":seen": item["seen"]},
        ReturnValues="ALL_NEW",
    )
    assert updated["Attributes"] == item
    unknown = failure(
        lambda: client("identitystore").call("DescribeUser", IdentityStoreId="d-1", UserId="u")
    )
    assert unknown.code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "region",
    [
        "us-east-1",
        "me-west-1",
        "us-gov-west-1",
        "cn-north-1",
        "eusc-de-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
    ],
)
def test_requests_go_where_botocore_would_send_them(region: str) -> None:
    botocore = get_session()
    for service in get_args(ServiceName):
        theirs = botocore.create_client(service, region)
        assert endpoint(service, region) == f"{theirs.meta.endpoint_url}/"


def test_the_environment_may_name_an_endpoint_for_all_and_for_one_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://kms.example")
    assert endpoint("kms", "us-east-1") == "http://kms.example"
    assert endpoint("sqs", "us-east-1") == "http://all.example"


def test_what_is_sent_is_what_was_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(http("200 OK", b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.host}")
        assert client("sqs", "eu-west-1").call("SendMessage", MessageBody="로그인") == {}
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    request_line, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert request_line == "POST / HTTP/1.1"
    assert headers["Content-Type"] == "application/x-amz-json-1.0"
    found = re.search(r"SignedHeaders=([\w;-]+), Signature=(\w+)", headers["Authorization"])
    assert found
    assert found[1] == "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
    signed = {name: text for name, text in headers.items() if name.lower() in found[1].split(";")}
    request = AWSRequest("POST", f"http://{server.host}/", signed, body)
    request.context["timestamp"] = headers["X-Amz-Date"]
    credentials = ReadOnlyCredentials("key", "secret", "fake-token")
    signer = SigV4Auth(credentials, "sqs", "eu-west-1")
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert signer.signature(text, request) == found[2]


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (
            http("400 Bad", b'{"__type": "com.amazonaws.kms#NotFoundException:", "message": "m"}'),
            "NotFoundException",
            "m",
        ),
        (
            http(
                "400 Bad",
                b'{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "Message": "m"}',
                "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender",
            ),
            "AWS.SimpleQueueService.NonExistentQueue",
            "m",
        ),
        (http("403 Forbidden", b"<html>the proxy forbids it</html>"), "403", ""),
        (http("413 Too Large"), "413", ""),
        (http("302 Found", b"[]", "Location: http://portal.example/"), "302", ""),
    ],
)
def test_a_refusal_is_final_and_has_awss_own_code(answer: bytes, code: str, message: str) -> None:
    error = decrypt(answer, times=1)
    assert (type(error), error.code, error.message) == (AWSCallError, code, message)


def test_a_refusal_says_which_call_and_which_request() -> None:
    body = b'{"__type": "AccessDeniedException", "message": "You may not."}'
    error = decrypt(http("400 Bad", body, "x-amzn-RequestId: 1-2-3"), times=1)
    assert str(error) == "kms:Decrypt failed (AccessDeniedException). You may not."
    assert (error.status, error.request_id) == (400, "1-2-3")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (http("400 Bad", b'{"__type": "ThrottlingException"}'), "ThrottlingException"),
        (http("408 Timeout", b'{"__type": "RequestTimeout"}'), "RequestTimeout"),
        (http("429 Too Many"), "429"),
        (http("503 Unavailable", b"<html>"), "503"),
        (b"", "connection_error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + SECRET_ANSWER[:40], "protocol_error"),
    ],
)
def test_what_may_work_in_a_moment_is_called_once_more(
    answer: bytes, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert decrypt(answer, times=2).code == code
    with RawServer(answer, http("200 OK", b'{"a": 1}')) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.host}")
        assert client("kms").call("Decrypt") == {"a": 1}


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize(
    "body", [b"", b"<html>Sign in to the network</html>", b"[]", b"\xff", b"[" * 99_999]
)
def test_what_is_no_answer_of_awss_is_none_though_its_status_is_200(body: bytes) -> None:
    error = decrypt(http("200 OK", body), times=1)
    assert (type(error), error.code) == (AWSUnreachable, "not_aws")


def test_a_service_that_is_silent_is_given_up_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWS_ATTEMPT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        error = failure(lambda: client("kms").call("Decrypt"))
        assert (type(error), error.code) == (AWSUnreachable, "timeout_error")
        for _ in range(2):
            silent.accept()[0].close()


def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    error = failure(lambda: client("kms").call("Decrypt"))
    assert (type(error), error.code) == (AWSUnreachable, "NoCredentialsError")


def test_outside_of_lambda_the_credentials_are_those_of_botocores_chain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = chain\naws_secret_access_key = fake\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with RawServer(http("200 OK", b"{}")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.host}")
        client("kms").call("Decrypt")
    assert b"Credential=chain/" in server.requests[0]


def test_a_proxy_is_used_and_the_certificate_behind_it_is_checked(
    monkeypatch: pytest.MonkeyPatch, certificates: Certificates
) -> None:
    with Receiver(tls=certificates.good) as receiver, Proxy(receiver.host) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://hooks.slack.com")
        assert failure(lambda: client("kms").call("Decrypt")).code == "ssl_error"
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.ca_file))
        assert failure(lambda: client("kms").call("Decrypt")).code == "404"
    assert proxy.asked_for == ["hooks.slack.com:443"] * 3
    assert len(receiver.posts) == 1


def test_a_plaintext_and_the_session_token_are_in_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    with everything_logged() as logged, RawServer(http("200 OK", SECRET_ANSWER)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.host}")
        assert client("kms").call("Decrypt")
    assert not shows_secret("\n".join(logged))
    assert "fake-token" not in "\n".join(logged)


def test_an_answer_that_is_cut_off_shows_no_secret() -> None:
    assert not shows_secret(
        everything_said_by(decrypt(http("200 OK", SECRET_ANSWER[:-1]), times=1))
    )
