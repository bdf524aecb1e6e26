"""The embedded AWS made strict: it records each call, fails it on request, and enforces rules.

It refuses what `aws_rules.RULES` lists, and a function's calls beyond its policy (`limit`). It
stands in the embedded AWS's own server, so that a call costs no second connection.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast
from xml.sax.saxutils import escape

from botocore.exceptions import ClientError

from ops.iam.grants import Grant
from playground.aws.deployed_stage import few_regions
from playground.aws.embedded import ACCOUNT_ID, EmbeddedAws
from playground.aws.policy_evaluation import faults
from tests.support.aws_call import Call, read_call
from tests.support.aws_rules import RULES
from tests.support.moto_state import MotoState
from tests.support.quick_aws import quick_aws

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

T = TypeVar("T")

_FREE = ("sts:GetCallerIdentity",)  # nobody needs a right for it
_OURS = "Credential=testing/"  # how the clients of `EmbeddedAws.client` sign
_REFUSALS = {  # how a service says that a right is missing, where it is not AccessDeniedException
    "ec2": "UnauthorizedOperation",
    "iam": "AccessDenied",
    "sns": "AuthorizationError",
    "sqs": "AccessDenied",
    "sts": "AccessDenied",
}
_PORTAL = b"<html><body>Sign in to the network</body></html>"


class Answer(NamedTuple):
    """An answer in place of AWS's."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Fault = Callable[[Call], Answer | None]  # None passes the call on


class StrictAws(EmbeddedAws):
    """The embedded AWS as the app, the commands and Chalice see it in tests.

    `calls` holds theirs, oldest first. What a test asks by `client` is its own: not recorded, and
    never refused. An action is IAM's, such as `kms:Decrypt`; a fault lasts until `reset`.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._clients = cache(self.client)
        self._faults: dict[tuple[str, str | None], Fault] = {}
        self.beyond_policy: list[Call] = []  # what `limit` has denied
        self._policies: dict[str, Mapping[str, Any]] = {}
        self._released = threading.Event()
        self._may_hang = False
        self._made: dict[str, tuple[object, MotoState]] = {}
        self._stack = ExitStack()
        super().__init__()

    def start(self) -> None:
        """Begin to serve an account with few regions, to save time."""
        self._stack.enter_context(few_regions())
        self._stack.enter_context(quick_aws(self.url, self.serve, may_hang=lambda: self._may_hang))
        super().start()

    def stop(self) -> None:
        """Serve no more; what hangs gets an error."""
        self.clear()
        super().stop()
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead an operator's commands here."""
        return self.environment_of("operator")

    def environment_of(self, caller: str) -> dict[str, str]:
        """Return variables that lead here whoever shall be known by that access key id."""
        return super().environment | {"AWS_ACCESS_KEY_ID": caller}

    def reset(self) -> None:
        """Empty the account, forget the calls and end every fault."""
        self.clear()
        self.calls.clear()
        self._policies.clear()
        self.beyond_policy.clear()
        super().reset()

    def made_once(self, name: str, make: Callable[[], T]) -> T:
        """Return what a function makes in the empty account, which the next call brings back."""
        if name in self._made:
            made, state = self._made[name]
            state.bring_back()
        else:
            made = make()
            self._made[name] = made, MotoState()
        return cast("T", made)

    def clear(self) -> None:
        """End every fault; what hangs gets an error."""
        self._faults.clear()
        self._may_hang = False
        self._released.set()
        self._released = threading.Event()

    def actions(self, caller: str | None = None) -> list[str]:
        """Return the actions that came, of one caller or of all."""
        return [call.action for call in self.calls if caller in (None, call.caller)]

    def fail(
        self,
        action: str,
        code: str,
        message: str = "as the test asks",
        *,
        status: int = 400,
        region: str | None = None,
    ) -> None:
        """Answer an action with one of AWS's errors, in one region or in all."""
        self._faults[action, region] = lambda call: _error(call, code, message, status)

    def deny(self, action: str, *, region: str | None = None) -> None:
        """Refuse an action for want of a right."""
        self._faults[action, region] = _denied

    def throttle(self, action: str, *, region: str | None = None) -> None:
        """Refuse an action because too many came."""
        self.fail(action, "ThrottlingException", "Rate exceeded", region=region)

    def answer(self, action: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Answer an action with something of the test's own."""
        self._faults[action, None] = lambda _: Answer(status, headers, body)

    def portal(self, action: str) -> None:
        """Answer an action as a captive portal does: 200, and a page of its own."""
        self.answer(action, 200, {"Content-Type": "text/html"}, _PORTAL)

    def hang(self, action: str) -> None:
        """Leave an action without an answer until the faults end."""
        released = self._released

        def fault(_: Call) -> Answer:
            released.wait()
            return Answer(500, {}, b"")

        self._faults[action, None] = fault
        self._may_hang = True

    def function_environment(self, function: str) -> dict[str, str]:
        """Return a deployed function's variables; its calls are held to its role's policy."""
        settings = self.client("lambda").get_function_configuration(FunctionName=function)
        role = settings["Role"].rpartition("/")[2]
        iam = self.client("iam")
        policies = [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        allowed = [statement for policy in policies for statement in policy["Statement"]]
        self.limit(function, {"Statement": allowed})
        return {**settings["Environment"]["Variables"], **self.environment_of(function)}

    def limit(self, caller: str, policy: Mapping[str, Any]) -> None:
        """Deny whoever signs with that access key id what a policy document does not allow."""
        self._policies[caller] = policy

    def serve(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one call, or let the embedded AWS answer it."""
        if _OURS in environ.get("HTTP_AUTHORIZATION", _OURS):
            return super().serve(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        call = read_call(environ["REQUEST_METHOD"], environ["RAW_URI"], _headers(environ), body)
        self.calls.append(call)
        answer = self._answer(call)
        if answer is None:
            return super().serve(environ, start_response)
        headers = [*answer.headers.items(), ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]

    def _answer(self, call: Call) -> Answer | None:
        fault = self._faults.get((call.action, call.region), self._faults.get((call.action, None)))
        if fault and (answer := fault(call)):
            return answer
        if not self._is_allowed(call):
            self.beyond_policy.append(call)
            return _denied(call)
        for rule in RULES:
            if rule.check and call.action in rule.actions:
                try:
                    message = rule.check(self._clients, call)
                except ClientError:  # the embedded AWS will give the same answer
                    return None
                if message:
                    return _error(call, rule.code, message, rule.status)
        return None

    def _is_allowed(self, call: Call) -> bool:
        policy = self._policies.get(call.caller)
        context = call.parameters.get("EncryptionContext", {}).items()
        asked = Grant(
            sid="Asked",
            actions=(call.right,),
            resources=(call.resource,),
            condition={"StringEquals": {f"kms:EncryptionContext:{k}": v for k, v in context}},
        )
        return policy is None or call.action in _FREE or not faults(policy, (asked,))


def _headers(environ: "WSGIEnvironment") -> dict[str, str]:
    return {
        key.removeprefix("HTTP_").replace("_", "-").lower(): value
        for key, value in environ.items()
        if key.isupper() and isinstance(value, str)
    }


def _denied(call: Call) -> Answer:
    code = _REFUSALS.get(call.action.partition(":")[0], "AccessDeniedException")
    caller = f"arn:aws:iam::{ACCOUNT_ID}:user/{call.caller}"
    message = f"User: {caller} is not authorized to perform: {call.action} on resource: *"
    return _error(call, code, message, 403)


def _error(call: Call, code: str, message: str, status: int) -> Answer:
    """Put an error into the call's own protocol."""
    if "form" in call.content_type:
        text = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        error = f"<Error>{text}</Error>"
        xml = (
            f"<Response><Errors>{error}</Errors></Response>"
            if call.action.startswith("ec2:")
            else f"<ErrorResponse>{error}</ErrorResponse>"
        )
        return Answer(status, {"Content-Type": "text/xml"}, xml.encode())
    content = {"__type": code, "message": message}
    headers = {"Content-Type": call.content_type, "x-amzn-errortype": code}
    if call.action.startswith("sqs:"):
        headers["x-amzn-query-error"] = f"{code};Sender"
    if "cbor" in call.content_type:
        return Answer(status, headers | {"smithy-protocol": "rpc-v2-cbor"}, _cbor(content))
    return Answer(status, headers, json.dumps(content).encode())


def _cbor(texts: Mapping[str, str]) -> bytes:
    """Encode a map of short texts (RFC 8949, section 3.1)."""
    words = [word.encode() for pair in texts.items() for word in pair]
    body = b"".join(b"\x79" + len(word).to_bytes(2, "big") + word for word in words)
    return bytes([0xA0 + len(texts)]) + body
