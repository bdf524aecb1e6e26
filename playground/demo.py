"""The demo: the local stage with its page, a few sign-ins to begin with, until Ctrl-C."""

import json
import os
import sys
import threading
import time
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from ops.terminal import Screen
from playground import catalogue
from playground.local.stage import NotStarted, local_stage
from playground.slack.inbox import Post
from playground.slack.receiver import Receiver

SIGN_INS: Final = (
    "iam-user-with-mfa",
    "identity-center-permission-set",
    "iam-user-wrong-password",
    "switch-role-in-role-account",
    "root-without-mfa",
)


def run(screen: Screen, port: int) -> int:
    """Start everything, sign in a few times, show what arrives until Ctrl-C; return the status."""
    screen.note("Starting an embedded AWS, a receiver and chalice local …")
    try:
        with local_stage(screen.note, port) as stage:
            screen.line(f"\n  The page is at {stage.address}   (Ctrl-C stops everything)\n")
            threading.Thread(target=_sign_in, args=(stage.address,), daemon=True).start()
            _open_browser(stage.address)
            for post in _arriving(stage.receiver):
                _show(post, screen)
    except NotStarted as fault:
        screen.line(str(fault))
        return 1
    except KeyboardInterrupt:
        screen.line("\nStopped.")
    return 0


def _sign_in(address: str) -> None:
    """Send each sign-in as the page's button does."""
    for name in SIGN_INS:
        asked = {
            "text": json.dumps(catalogue.read(name)),
            "renew": True,
            "language": "en",
            "failures": "each",
        }
        request = urllib.request.Request(  # noqa: S310 — our own address
            f"{address}sign-ins",
            json.dumps(asked).encode(),
            {"Content-Type": "application/json"},
        )
        with suppress(OSError):  # Ctrl-C may come meanwhile
            urllib.request.urlopen(request).close()  # noqa: S310 — our own address


def _arriving(receiver: Receiver) -> Iterator[Post]:
    shown = 0
    while True:
        for post in receiver.posts[shown:]:
            shown += 1
            yield post
        time.sleep(0.1)


def _show(post: Post, screen: Screen) -> None:
    if post.answer == "ok":
        screen.show(post.payload, datetime.fromtimestamp(post.received_at, UTC))
    else:
        screen.note(f"A post was answered with {post.answer}.")


def _open_browser(address: str) -> None:
    """Open a browser on a desktop; elsewhere it would be a browser that takes over the terminal."""
    desktop = sys.platform == "darwin" or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if desktop:
        webbrowser.open(address)
