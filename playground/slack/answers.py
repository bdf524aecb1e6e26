"""What an incoming webhook can answer, by name, and how it can fail on the wire.

The words and the statuses they are usually seen with come from Slack's page "Sending messages
using incoming webhooks" and from what public threads report.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from chalicelib.errors import Act

HTML_PAGE = "<!DOCTYPE html><html><head><title>Slack</title></head><body>Oops</body></html>"

WIRE_FAULTS = frozenset(
    {
        "reset",  # the connection is reset before the answer
        "reset_in_answer",  # … after the head and half of the body
        "hang",  # nothing comes, until the client or the receiver gives up
        "hang_in_answer",  # … after the head and half of the body
        "drip",  # an ordinary answer, one byte a second
        "close",  # the connection ends in good order, without an answer
        "close_idle",  # an ordinary answer that keeps the connection, which then ends
    }
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer that keeps the connection."""

    status: int
    body: str = ""
    content_type: str = "text/html"  # Slack says so of its plain words too
    headers: tuple[tuple[str, str], ...] = ()

    def head(self) -> bytes:
        """Return the status line and the headers, the length of the body among them."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body.encode())}",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def whole(self) -> bytes:
        """Return the answer as it goes over the wire."""
        return self.head() + self.body.encode()


def rate_limited(retry_after: int) -> Answer:
    """Return Slack's 429, which asks to wait that many seconds."""
    return Answer(
        status=429,
        body=json.dumps({"retry_after": retry_after, "ok": False, "error": "rate_limited"}),
        content_type="application/json",
        headers=(("Retry-After", str(retry_after)),),
    )


def redirect(location: str) -> Answer:
    """Return a 302 to another address."""
    return Answer(status=302, headers=(("Location", location),))


WORDS: Mapping[Act, Mapping[str, int]] = {
    "developers": {  # the payload is wrong
        "invalid_payload": 400,
        "invalid_blocks": 400,
        "invalid_attachments": 400,
        "no_text": 400,
        "missing_text_or_fallback_or_attachments": 400,
        "too_many_attachments": 400,
    },
    "operator": {  # the webhook, its team, its user or its channel is gone or closed
        "user_not_found": 400,
        "invalid_token": 403,
        "action_prohibited": 403,
        "posting_to_general_channel_denied": 403,
        "restricted_action": 403,
        "team_disabled": 403,
        "no_service": 404,
        "no_service_id": 404,
        "no_active_hooks": 404,
        "no_team": 404,
        "channel_not_found": 404,
        "channel_is_archived": 410,
    },
    "nobody": {"rollup_error": 500},  # Slack itself is unwell
}
"""By who must act: each word with the status it is usually seen with."""

ANSWERS = {
    "ok": Answer(status=200, body="ok"),
    **{
        word: Answer(status=status, body=word)
        for words in WORDS.values()
        for word, status in words.items()
    },
    "rate_limited": rate_limited(1),
    "html_500": Answer(status=500, body=HTML_PAGE),
    "html_200": Answer(status=200, body=HTML_PAGE),
    "redirect": redirect("/elsewhere"),
    "empty": Answer(status=200),
    "not_ok": Answer(status=200, body='{"ok": false}', content_type="application/json"),
}
"""Every answer by its name: Slack's own word where there is such a word."""

BEHAVIOURS = frozenset(ANSWERS) | WIRE_FAULTS
