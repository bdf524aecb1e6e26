"""Everything that may go wrong between a sign-in and its message, by name.

Each fault breaks a stage; the app then says a reason, and who must act.
"""

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import Act
from playground.slack.receiver import Receiver
from tests.support.raw_server import RawServer
from tests.support.stage_harness import StageHarness
from tests.support.webhook import SECRET_PATH, closed_port

DECRYPT = "kms:Decrypt"
SEND = "sqs:SendMessage"
FIND_QUEUE = "sqs:GetQueueUrl"

Break = Callable[[StageHarness], object]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How to break a stage, and what the app then says; `seconds` bounds what would hang."""

    cause: Break
    reason: str
    act: Act = "nobody"
    seconds: float = 60
    possibly_posted: bool = False

    def body(self, event: object) -> dict[str, Any]:
        """Return what the queue then keeps of an event."""
        mark = {"possibly_posted": True} if self.possibly_posted else {}
        return {"reason": self.reason, "act": self.act, **mark, "event": event}


def _answer(name: str) -> Break:
    return lambda harness: harness.receiver.behave(name, retry_after=30)


ANSWERS: Mapping[str, Fault] = {
    # One of Slack's words for each who must act; `playground.slack.answers` has them all.
    "invalid_payload": Fault(
        cause=_answer("invalid_payload"), reason="invalid_payload", act="developers"
    ),
    "no_service": Fault(cause=_answer("no_service"), reason="no_service", act="operator"),
    "rollup_error": Fault(cause=_answer("rollup_error"), reason="rollup_error"),
    "rate_limited": Fault(cause=_answer("rate_limited"), reason="rate_limited"),
    "html_500": Fault(cause=_answer("html_500"), reason="http_500"),
    "html_200": Fault(cause=_answer("html_200"), reason="http_200", act="operator"),
    "redirect": Fault(cause=_answer("redirect"), reason="http_302", act="operator"),
    "not_ok": Fault(cause=_answer("not_ok"), reason="http_200", act="operator"),
    "reset": Fault(cause=_answer("reset"), reason="connection_error", possibly_posted=True),
    "reset_in_answer": Fault(
        cause=_answer("reset_in_answer"), reason="protocol_error", possibly_posted=True
    ),
    "close": Fault(cause=_answer("close"), reason="connection_error", possibly_posted=True),
    "hang": Fault(cause=_answer("hang"), reason="timeout_error", seconds=1, possibly_posted=True),
    "hang_in_answer": Fault(
        cause=_answer("hang_in_answer"), reason="timeout_error", seconds=1, possibly_posted=True
    ),
    "drip": Fault(cause=_answer("drip"), reason="timeout_error", seconds=1, possibly_posted=True),
}
"""What the receiver can do with a post."""


def _raw(answer: bytes) -> Break:
    return lambda harness: harness.lead_to_host(
        harness.enter(RawServer(answer)).host, scheme="http"
    )


def _certificate(name: str) -> Break:
    def cause(harness: StageHarness) -> None:
        tls = getattr(harness.certificates, name)
        harness.lead_to_host(harness.enter(Receiver(tls=tls, path=SECRET_PATH)).host)

    return cause


def _silent_server(harness: StageHarness) -> None:
    server = harness.enter(socket.create_server(("127.0.0.1", 0)))
    harness.lead_to_host(f"127.0.0.1:{server.getsockname()[1]}")


def _proxy_down(harness: StageHarness) -> None:
    harness.surroundings["HTTPS_PROXY"] = f"http://{closed_port()}"


def _no_ca_bundle(harness: StageHarness) -> None:
    harness.surroundings["REQUESTS_CA_BUNDLE"] = "/nowhere/ca.pem"


CONNECTIONS: Mapping[str, Fault] = {
    "refused": Fault(
        cause=lambda harness: harness.lead_to_host(closed_port()), reason="new_connection_error"
    ),
    "handshake hangs": Fault(cause=_silent_server, reason="timeout_error", seconds=1),
    "certificate for another host": Fault(cause=_certificate("wrong_host"), reason="ssl_error"),
    "certificate expired": Fault(cause=_certificate("expired"), reason="ssl_error"),
    "certificate of an unknown CA": Fault(cause=_certificate("unknown_ca"), reason="ssl_error"),
    "CA bundle missing": Fault(cause=_no_ca_bundle, reason="file_not_found_error"),
    "name not found": Fault(
        cause=lambda harness: harness.lead_to_host("nowhere.invalid"),
        reason="name_resolution_error",
        seconds=10,
    ),
    "proxy down": Fault(cause=_proxy_down, reason="proxy_error"),
    "not HTTP": Fault(
        cause=_raw(b"220 smtp.example ESMTP\r\n"), reason="connection_error", possibly_posted=True
    ),
    "answer cut short": Fault(
        cause=_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"),
        reason="protocol_error",
        possibly_posted=True,
    ),
    "broken header": Fault(
        cause=_raw(b"HTTP/1.1 503 Busy\r\nno colon here\r\nContent-Length: 0\r\n\r\n"),
        reason="http_503",
    ),
}
"""What can go wrong on the way to the receiver."""


def _refused_by_kms(code: str, status: int = 400) -> Break:
    return lambda harness: harness.aws.fail(DECRYPT, code, status=status)


def _kms_unreachable(harness: StageHarness) -> None:
    harness.surroundings["AWS_ENDPOINT_URL_KMS"] = f"http://{closed_port()}"


def _other_context(harness: StageHarness) -> None:
    harness.settings["WEBHOOK_ENCRYPTION_CONTEXT"] = '{"app": "another"}'


def _other_region(harness: StageHarness) -> None:
    key = harness.aws.make_key("alias/elsewhere", "eu-west-1")
    harness.settings["WEBHOOK_URL_ENCRYPTED"] = harness.aws.encrypt(
        harness.receiver.url, key, region="eu-west-1"
    )


def _plaintext(text: str) -> Break:
    def cause(harness: StageHarness) -> None:
        harness.settings["WEBHOOK_URL_ENCRYPTED"] = harness.encrypted(text)

    return cause


def _kms(cause: Break, reason: str, act: Act = "operator", seconds: float = 60) -> Fault:
    return Fault(cause=cause, reason=reason, act=act, seconds=seconds)


LOOKUPS: Mapping[str, Fault] = {
    "KMS denied": _kms(_refused_by_kms("AccessDeniedException"), "kms_access_denied"),
    "KMS throttled": _kms(_refused_by_kms("ThrottlingException"), "kms_busy", "nobody"),
    "KMS broken": _kms(_refused_by_kms("KMSInternalException", 500), "kms_busy", "nobody"),
    "KMS slow": _kms(lambda harness: harness.aws.hang(DECRYPT), "kms_timeout", "nobody", seconds=1),
    "KMS unreachable": _kms(_kms_unreachable, "kms_unreachable", "nobody"),
    "KMS behind a portal": _kms(
        lambda harness: harness.aws.portal(DECRYPT), "kms_unreachable", "nobody"
    ),
    "key disabled": _kms(_refused_by_kms("DisabledException"), "kms_key_disabled"),
    "key to be deleted": _kms(_refused_by_kms("KMSInvalidStateException"), "kms_key_disabled"),
    "key deleted": _kms(_refused_by_kms("NotFoundException"), "kms_key_not_found"),
    "unknown refusal": _kms(_refused_by_kms("UnrecognizedClientException"), "kms_refused"),
    "another context": _kms(_other_context, "kms_invalid_ciphertext"),
    "another region": _kms(_other_region, "kms_key_not_found"),
    "not a URL": _kms(_plaintext(f"see{SECRET_PATH}"), "webhook_not_a_url"),
    "host not allowed": _kms(
        _plaintext(f"https://elsewhere.example{SECRET_PATH}"), "webhook_host_not_allowed"
    ),
    "not https": _kms(
        lambda harness: harness.lead_to_host("hooks.slack.com", scheme="http"), "webhook_not_https"
    ),
    "a workflow": _kms(
        lambda harness: harness.lead_to(
            f"https://hooks.slack.com/workflows{SECRET_PATH}", "hooks.slack.com"
        ),
        "webhook_is_workflow",
    ),
}
"""What can go wrong before there is a webhook to post to."""

FAULTS: Mapping[str, Fault] = {**ANSWERS, **CONNECTIONS, **LOOKUPS}


def _refused_by_sqs(code: str, status: int = 400, action: str = SEND) -> Break:
    return lambda harness: harness.aws.fail(action, code, status=status)


def _no_queue(harness: StageHarness) -> None:
    harness.settings["UNDELIVERED_QUEUE"] = "nowhere"


def _sqs_unreachable(harness: StageHarness) -> None:
    harness.surroundings["AWS_ENDPOINT_URL_SQS"] = f"http://{closed_port()}"


QUEUES: Mapping[str, Break] = {
    "SQS denied": _refused_by_sqs("AccessDenied", 403),
    "SQS denied to find it": _refused_by_sqs("AccessDenied", 403, FIND_QUEUE),
    "SQS throttled": _refused_by_sqs("RequestThrottled", 403),
    "SQS broken": _refused_by_sqs("InternalError", 500),
    "SQS slow": lambda harness: harness.aws.hang(SEND),
    "SQS unreachable": _sqs_unreachable,
    "SQS behind a portal": lambda harness: harness.aws.portal(FIND_QUEUE),
    "SQS behind a portal that came later": lambda harness: harness.aws.portal(SEND),
    "queue missing": _no_queue,
}
"""What can go wrong with the undelivered queue, so that nothing can be parked."""
