"""The self-check: which sign-ins should have been told and were not, and is the chain whole.

`run` makes the check; here is what the notifier needs to tell, or to keep, what a run found.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.messages.sign_in import Message
from chalicelib.self_check.findings import Findings
from chalicelib.self_check.telling import findings_message
from chalicelib.settings import Settings
from chalicelib.signin.severity import Severity


def severity(event: Mapping[str, Any]) -> Severity:
    """Say how much a report of the self-check matters."""
    return Findings.from_event(event).severity


def message(event: Mapping[str, Any], settings: Settings) -> Message:
    """Build the message of a report of the self-check."""
    return findings_message(Findings.from_event(event), settings)
