"""Posts the sign-ins that were missed, for as long as a run has time."""

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from chalicelib.errors import DeliveryError
from chalicelib.notifier import Notifier
from chalicelib.self_check.decision_log import Decision
from chalicelib.self_check.missed import Missed

MESSAGE_SECONDS: Final = 10.0  # what a message may take


@dataclass(slots=True)
class Posting:
    """The missed sign-ins of a run.

    `left` are those that are not posted, `found` counts those that are, or wait in the queue, by
    cause. `error` is what ended it, `failures` what single messages failed of.
    """

    left: list[Missed]
    decisions: list[Decision] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    error: DeliveryError | None = None
    failures: list[Exception] = field(default_factory=list)

    def post(self, notifier: Notifier, now: datetime, end: float) -> None:
        """Post until that time of `time.monotonic`; the next run has the rest."""
        for group in self._groups():
            seconds_left = end - time.monotonic()
            if seconds_left < 2 * MESSAGE_SECONDS:
                return
            try:
                lines = notifier.notify_together(
                    [late.event for late in group], seconds_left - MESSAGE_SECONDS
                )
            except DeliveryError as error:
                self.error = error
                return
            except Exception as error:  # noqa: BLE001 — one record must not hold up the others
                self.failures.append(error)
                continue
            for late, line in zip(group, lines, strict=True):
                self.left.remove(late)
                self.decisions.append(Decision.from_line(line, "self_check", now))
                self.found[late.cause] += line["decision"] in ("posted", "parked")

    def _groups(self) -> list[list[Missed]]:
        """Return what is a message each; calls that nobody knows share the last message."""
        calls = [late for late in self.left if late.is_unknown_call]
        if len(calls) <= 1:
            return [[late] for late in self.left]
        return [*([late] for late in self.left if not late.is_unknown_call), calls]
