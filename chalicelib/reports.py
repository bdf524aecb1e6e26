"""What is told besides sign-ins: reports of our own, which travel, wait and arrive as they do.

A report is an event in EventBridge's shape with a detail-type of its own; its `detail` holds the
findings, an `eventName`, an `eventID` and an `eventTime`. The module that makes it also knows how
grave it is and how it reads. It trusts nothing in it: a report may come back out of the undelivered
queue.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final, Protocol, cast

from chalicelib.messages.sign_in import Message
from chalicelib.settings import Settings
from chalicelib.signin.severity import Severity

# Imported when one is told: a sign-in must not pay for them.
_MODULES: Final = {  # by detail-type
    "signin-monitor MFA audit": "mfa_audit",
    "signin-monitor self-check": "self_check",
}


class Reporter(Protocol):
    """What a module that makes reports offers."""

    def severity(self, event: Mapping[str, Any]) -> Severity:
        """Say how grave a report is."""

    def message(self, event: Mapping[str, Any], settings: Settings) -> Message:
        """Build the message that tells it."""


@dataclass(frozen=True, slots=True)
class Report:
    """How grave a report is, and how it is built by a stage's settings."""

    severity: Severity
    message: Callable[[Settings], Message]


def report_in(event: Mapping[str, Any]) -> Report | None:
    """Read an event as a report; None for a sign-in."""
    name = _MODULES.get(str(event.get("detail-type")))
    if name is None:
        return None
    reporter = cast("Reporter", import_module(f"chalicelib.{name}"))
    return Report(reporter.severity(event), partial(reporter.message, event))
