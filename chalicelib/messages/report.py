"""Report: a message that no sign-in causes, such as what an audit found."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from chalicelib.messages.message import Message, build_message
from chalicelib.messages.wording import Wording
from chalicelib.settings import Settings
from chalicelib.signin.json_fields import Json, object_in, text_in, time_in
from chalicelib.signin.redaction import redact
from chalicelib.signin.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Findings on their way to the channel, or back out of the undelivered queue.

    `event_id`, `event_name`, `event_time` and `account_id` are those of the event that a report
    travels as, `digest` is a hash of its findings, and `message` builds what is posted.
    """

    event_id: str | None
    event_name: str | None
    event_time: datetime | None
    account_id: str | None
    digest: int
    severity: Severity
    message: Callable[[Settings], Message] = field(compare=False)

    @classmethod
    def from_event(
        cls, event: Json, severity: Severity, message: Callable[[Settings], Message]
    ) -> Self:
        """Read what identifies a report, whatever its event holds. Raises nothing."""
        detail = object_in(event, "detail")
        return cls(
            event_id=text_in(detail, "eventID"),
            event_name=text_in(detail, "eventName"),
            event_time=time_in(detail, "eventTime"),
            account_id=text_in(event, "account"),
            digest=hash(json.dumps(redact(detail), sort_keys=True, default=repr)),
            severity=severity,
            message=message,
        )


def plain_report(report: Report, settings: Settings) -> Message:
    """Build what goes out where a report's own message could not be built."""
    wording = Wording(settings)
    text = wording.phrases(
        "plain.report",
        report=wording.value(report.event_name),
        account=wording.account(report.account_id),
    )
    return build_message(text, report.severity, settings)
