"""The routes of the local stage: the page, and what its buttons do.

Only JSON is accepted, so no other site that is open in the browser can press a button: a browser
sends JSON across origins only after asking, and nothing here says yes. Nor may a site come under
its own name.
"""

import logging
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import BadRequestError, Blueprint, NotFoundError, Request, Response
from chalice.local import ThreadedHTTPServer

from playground import catalogue
from playground.aws import account
from playground.aws.invocation import Invocation, invoke, matches, scheduled
from playground.aws.poller import Poller
from playground.hosts import is_own
from playground.local.event_text import EventTextError, read_event
from playground.slack.control import SETTING as RECEIVER
from playground.slack.control import ReceiverControl

PAGE: Final = Path(__file__).parent.parent / "page"
COMMAND: Final = "make demo"

# The receiver's behaviours that are worth watching, in the words of the page.
ANSWERS: Final[Mapping[str, str]] = {
    "ok": "ok: every message is taken",
    "rate_limited": "429 rate_limited: wait",
    "no_service": "404 no_service: the webhook is dead",
    "channel_is_archived": "410 channel_is_archived",
    "html_500": "500: Slack is unwell",
    "reset": "nothing: the connection is reset",
    "hang": "nothing: it hangs",
}

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

logging.getLogger("botocore").setLevel(logging.WARNING)  # chalice local logs all at INFO


def _let_go(server: ThreadedHTTPServer, request: Any, client_address: Any) -> None:  # noqa: ANN401
    """Log nothing of a browser that went away, as when its tab is closed or loaded again."""
    if not isinstance(sys.exception(), OSError):
        super(ThreadedHTTPServer, server).handle_error(request, client_address)


ThreadedHTTPServer.handle_error = _let_go  # chalice local's, which gives no other way

routes = Blueprint(__name__)


@routes.middleware("http")
def refuse_other_hosts(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """Answer only who asks for this machine by its own name."""
    if is_own(request.headers.get("host")):
        return get_response(request)
    return Response("This page answers to 127.0.0.1 and localhost alone.", status_code=403)


def _serve(path: str, file: str, content_type: str) -> None:
    @routes.route(path)
    def page() -> Response:
        return Response(
            (PAGE / file).read_text(encoding="utf-8"),
            headers={"Content-Type": f"{content_type}; charset=utf-8", **_HEADERS},
        )


_serve("/", "index.html", "text/html")
_serve("/style.css", "style.css", "text/css")
_serve("/app.js", "app.js", "text/javascript")
_serve("/message.js", "message.js", "text/javascript")
_serve("/icon.svg", "icon.svg", "image/svg+xml")


@routes.route("/stage")
def stage() -> dict[str, Any]:
    """Return what the stage can do and what it lacks."""
    return {
        "missing": _missing(),
        "consequence": _consequence(),
        "command": COMMAND,
        "language": os.environ.get("MESSAGE_LANGUAGE") or "en",
        "failures": os.environ.get("FAILURES") or "each",
        "has_baseline": bool(os.environ.get("BASELINE_TABLE")),
        "answers": [{"name": name, "title": title} for name, title in ANSWERS.items()],
        "groups": [
            {
                "title": title,
                "sign_ins": [{"title": label, "name": name} for label, name in group.items()],
            }
            for title, group in catalogue.GROUPS.items()
        ],
    }


@routes.route("/sign-ins/{name}")
def sign_in(name: str) -> dict[str, Any]:
    """Return a sign-in to try."""
    try:
        return catalogue.read(name)
    except KeyError:
        raise NotFoundError("There is no sign-in of that name.") from None


@routes.route("/sign-ins", methods=["POST"])
def send() -> Any:  # noqa: ANN401 — JSON, or a Response
    """Send an event the whole way: the rule, the function, KMS, the webhook."""
    asked = routes.current_request.json_body
    try:
        event = read_event(asked["text"])
    except EventTextError as fault:
        return Response(
            {"message": str(fault), "line": fault.line, "column": fault.column},
            status_code=HTTPStatus.BAD_REQUEST,
        )
    if asked["renew"]:
        event = catalogue.renewed(event, datetime.now(UTC))
    if not matches(routes.current_app, "on_sign_in", event):
        return {"matched": False}
    return _ended(invoke(routes.current_app, "on_sign_in", event, _settings(asked)))


@routes.route("/channel")
def channel() -> dict[str, Any]:
    """Return what reached the channel after a post's number, and what waits in the queue."""
    query = cast("Mapping[str, str] | None", routes.current_request.query_params) or {}
    after = query.get("after", "0")
    if not re.fullmatch("[0-9]{1,9}", after):
        raise BadRequestError("after must be the number of a post")
    receiver = ReceiverControl.of_environment()
    try:
        posts = receiver.posts(int(after)) if receiver else []
        answer = receiver.answer if receiver else "ok"
    except OSError:
        receiver, posts, answer = None, [], "ok"
    return {
        "receiver": receiver and receiver.host,
        "posts": [
            {key: post[key] for key in ("number", "payload", "received_at", "answer")}
            for post in posts
        ],
        "answer": answer,
        "queue": _queue(),
    }


@routes.route("/answer", methods=["POST"])
def choose_answer() -> dict[str, str]:
    """Make the receiver answer so from now on."""
    name = routes.current_request.json_body["name"]
    receiver = ReceiverControl.of_environment()
    if receiver is None or name not in ANSWERS:
        raise BadRequestError("There is no receiver, or no such answer.")
    receiver.choose_answer(name)
    return {"name": name}


@routes.route("/deliveries", methods=["POST"])
def deliver() -> dict[str, Any]:
    """Hand what waits in the undelivered queue to `on_undelivered`, as Lambda's poller would."""
    settings = _settings(routes.current_request.json_body)

    def on_undelivered(batch: dict[str, Any]) -> None:
        if fault := invoke(routes.current_app, "on_undelivered", batch, settings).fault:
            raise fault

    delivery = Poller(os.environ["UNDELIVERED_QUEUE"]).deliver(on_undelivered)
    return {
        "received": delivery.received,
        "left": delivery.left,
        "error": _error(delivery.fault),
    }


@routes.route("/audits", methods=["POST"])
def audit() -> dict[str, Any]:
    """Run the MFA audit, as its schedule would."""
    return _ended(_on_schedule("audit_mfa", _settings(routes.current_request.json_body)))


@routes.route("/self-checks", methods=["POST"])
def check() -> dict[str, Any]:
    """Stop the rule, sign in, run the self-check; then start the rule and check again."""
    settings = _settings(routes.current_request.json_body)
    _need("self_check")
    account.set_functions(settings)
    with account.stopped_rule():
        account.sign_in_undelivered()
        stopped = _on_schedule("self_check", settings)
    resolved = _on_schedule("self_check", settings)
    return {
        "found": stopped.returned and stopped.returned["found"],
        "error": _error(stopped.fault or resolved.fault),
        "milliseconds": stopped.milliseconds + resolved.milliseconds,
    }


def _ended(invocation: Invocation) -> dict[str, Any]:
    return {
        "matched": True,
        "decision": invocation.returned,
        "error": _error(invocation.fault),
        "milliseconds": invocation.milliseconds,
    }


def _on_schedule(function: str, settings: Mapping[str, str]) -> Invocation:
    _need(function)
    return invoke(routes.current_app, function, scheduled(), settings)


def _need(function: str) -> None:
    """Raise BadRequestError unless the function is there, in the demo's own account."""
    if function not in routes.current_app.handler_map or not account.is_embedded():
        raise BadRequestError(f"This stage has no {function} in an embedded AWS: {COMMAND}")


def _settings(asked: Mapping[str, str]) -> dict[str, str]:
    settings = {"MESSAGE_LANGUAGE": asked["language"], "FAILURES": asked["failures"]}
    if (familiar := asked.get("baseline", "off")) == "off":
        return settings | {"BASELINE_TABLE": ""}
    return settings | {"FAMILIAR_SIGN_INS": familiar}


def _error(fault: Exception | None) -> dict[str, str] | None:
    return {"type": type(fault).__name__, "text": str(fault)} if fault else None


def _queue() -> dict[str, Any]:
    if name := os.environ.get("UNDELIVERED_QUEUE"):
        with suppress(BotoCoreError, ClientError):
            poller = Poller(name)
            if waiting := poller.waiting():
                return {"waiting": waiting, "first": poller.first()}
    return {"waiting": 0, "first": []}


def _consequence() -> str:
    if os.environ.get("WEBHOOK_URL_ENCRYPTED"):
        return "What is posted goes to this stage's own webhook, unseen by this page. Not set:"
    return "Nothing can be posted. Not set:"


def _missing() -> list[str]:
    faults = {
        "WEBHOOK_URL_ENCRYPTED": "a webhook, encrypted with KMS (WEBHOOK_URL_ENCRYPTED)",
        "UNDELIVERED_QUEUE": "a queue for what cannot be posted (UNDELIVERED_QUEUE)",
        RECEIVER: f"a receiver that shows here what is posted ({RECEIVER})",
    }
    return [what for name, what in faults.items() if not os.environ.get(name)]
