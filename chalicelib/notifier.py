"""The flow that joins the parts: an event is told, ignored, kept for later, or fails aloud.

Nothing is ever silently gone: an event counts as told only once the receiver said so, and one
that can be neither posted nor parked fails its invocation, so that Lambda tries again.
"""

import gc
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Self

from chalicelib import log
from chalicelib.decision import Verdict, decision_line, delay_of
from chalicelib.delivery.channel import Delivery
from chalicelib.delivery.undelivered import Parked, Undelivered, sqs_client
from chalicelib.errors import (
    Act,
    DeliveryError,
    PayloadInvalid,
    QueueError,
    SigninMonitorError,
    StillUndelivered,
)
from chalicelib.messages.digest import digests
from chalicelib.messages.sign_in import Message, plain_alert, sign_in_message
from chalicelib.reports import Report, report_in
from chalicelib.settings import Settings, of_the_stage
from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.redaction import redact
from chalicelib.signin.severity import Assessment, Judged, Severity, judge
from chalicelib.timeout import Deadline, within

Event = Mapping[str, Any]

LATE: Final = timedelta(minutes=5)
_REMEMBERED: Final = 1_000
_PACE_SECONDS: Final = 1.0
_QUEUE_SECONDS: Final = 9.0


@dataclass(frozen=True, slots=True)
class _Notice(Judged):
    """An event to tell: a sign-in or a report; with the handles of its copies in the queue."""

    report: Report | None = None
    receipt_handles: list[str] = field(default_factory=list)

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read and judge an event. Raises nothing."""
        sign_in = read_sign_in(event)
        if report := report_in(event):
            return cls(sign_in, Assessment(report.severity, ()), report)
        return cls(sign_in, judge(sign_in).assessment)

    @classmethod
    def from_record(cls, record: Event) -> Self:
        """Read and judge what a record of the queue keeps. Raises nothing."""
        parked = Parked.from_record(record)
        one = cls.from_event(parked.event)
        one.receipt_handles.append(parked.receipt_handle)
        return one

    @property
    def identity(self) -> int | None:
        """What an event has in common with its copies alone; None if AWS gave it no id.

        The id would not do: whoever may send to the queue could hide a sign-in behind its id.
        """
        return hash((self.sign_in, self.report is None)) if self.sign_in.event_id else None

    @property
    def stands_alone(self) -> bool:
        """Whether it is never folded into a digest."""
        return self.report is not None or self.severity is Severity.CRITICAL


class Notifier:
    """Tells of sign-ins by one stage's settings, and keeps what a warm function knows."""

    def __init__(
        self,
        settings: Settings,
        delivery: Delivery,
        undelivered: Undelivered | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the settings, the delivery and, where the stage names one, the queue."""
        self._settings = settings
        self._delivery = delivery
        self._undelivered = undelivered
        self._sleep = sleep
        self._told: OrderedDict[int, None] = OrderedDict()

    def warm_up(self) -> None:
        """Do ahead what every event needs; what fails is logged, and made good with an event."""
        self._message(_Notice.from_event({}), late=None)
        try:
            self._delivery.connect()
        except DeliveryError as error:
            log.write(level="WARNING", message=f"Not ready yet. {error}", reason=error.reason)

    def tell(self, event: Event, seconds_left: float) -> dict[str, Any]:
        """Tell of one event, within the seconds that the invocation has left.

        Gives the decision. Raises DeliveryError if the event could neither be posted nor parked.
        """
        deadline = Deadline.within_invocation(seconds_left)
        event = redact(event)
        if self._settings.log_events:
            log.write(level="INFO", message="Received event", event=event)
        judged = _Notice.from_event(event)
        if reason := self._reason_to_ignore(judged):
            return self._decide("ignored", judged, reason)
        if self._waits_for_digest(judged) and self._park(event, "digest", "nobody"):
            return self._decide("parked", judged, "digest", act="nobody")
        message = self._message(judged, late=self._late(judged.sign_in))
        try:
            remark = self._delivery.post(
                message, deadline, patient=judged.severity is Severity.CRITICAL
            )
        except DeliveryError as error:
            if self._park(event, error.reason, error.act):
                return self._decide_against("parked", judged, error)
            self._decide_against("failed", judged, error)
            raise
        self._remember(judged)
        return self._decide("posted", judged, remark)

    def tell_parked(self, records: Iterable[Event], seconds_left: float) -> None:
        """Tell what waits in the queue: critical sign-ins alone and first, the rest summed up.

        Raises StillUndelivered for what stays there, once what was told is deleted from it.
        """
        deadline = Deadline.within_invocation(seconds_left)
        waiting = self._read(records)
        told = [one for one in waiting if self._is_told(one)]
        for one in told:
            self._decide("ignored", one, "duplicate")
        fresh = [one for one in waiting if not self._is_told(one)]
        closed: dict[bool, DeliveryError] = {}
        for number, (message, members) in enumerate(self._messages(fresh)):
            critical = message.severity is Severity.CRITICAL
            try:
                if critical in closed:
                    raise closed[critical]
                if number:
                    self._sleep(min(_PACE_SECONDS, deadline.seconds_left))
                remark = self._delivery.post(message, deadline, patient=True)
            except DeliveryError as error:
                if not isinstance(error, PayloadInvalid):
                    closed[critical] = error
                for one in members:
                    self._decide_against("parked", one, error)
                continue
            told.extend(members)
            for one in members:
                self._remember(one)
                self._decide("posted", one, remark)
        if rest := len(waiting) - len(told):
            self._forget(told)
            raise StillUndelivered(f"{rest} of {len(waiting)} events stay in the undelivered queue")

    def _read(self, records: Iterable[Event]) -> list[_Notice]:
        """Read a batch; copies of one event become one."""
        waiting: dict[object, _Notice] = {}
        for number, read in enumerate(map(_Notice.from_record, records)):
            one = waiting.setdefault(read.identity or str(number), read)
            if one is not read:
                one.receipt_handles.extend(read.receipt_handles)
        return list(waiting.values())

    def _messages(self, waiting: list[_Notice]) -> list[tuple[Message, list[_Notice]]]:
        alone = sorted(
            (one for one in waiting if one.stands_alone), key=lambda one: one.severity, reverse=True
        )
        rest = [one for one in waiting if not one.stands_alone]
        if len(rest) > 1:
            try:
                return self._each(alone) + digests(rest, self._settings)
            except Exception as error:  # noqa: BLE001 — one event must not block its batch
                log.write_failure("The digest could not be built.", error)
        return self._each(alone + rest)

    def _each(self, waiting: list[_Notice]) -> list[tuple[Message, list[_Notice]]]:
        return [(self._message(one, late=self._age(one.sign_in)), [one]) for one in waiting]

    def _forget(self, told: list[_Notice]) -> None:
        """Delete from the queue what was told; else it would come, and be told, again."""
        queue = self._undelivered
        if queue and told:
            handles = [handle for one in told for handle in one.receipt_handles]
            self._within_its_time(lambda: queue.delete(handles))

    def _reason_to_ignore(self, judged: _Notice) -> str | None:
        if self._is_told(judged):
            return "duplicate"
        return reason_to_ignore(judged, self._settings)

    def _waits_for_digest(self, judged: Judged) -> bool:
        sign_in = judged.sign_in
        return (
            self._settings.failures == "digest"
            and sign_in.outcome is Outcome.FAILURE
            and not sign_in.is_root
            and not sign_in.failed_at_mfa
        )

    def _message(self, judged: _Notice, late: timedelta | None) -> Message:
        """Build the message; whatever goes wrong in that, an alert goes out."""
        try:
            if judged.report:
                return judged.report.message(self._settings)
            return sign_in_message(judged, self._settings, late)
        except Exception as error:  # noqa: BLE001 — an alert must not die on the interesting case
            log.write_failure("The message could not be built.", error)
            plain = plain_alert(judged, self._settings)
            return Message(plain, judged.severity, plain)

    def _late(self, sign_in: SignIn) -> timedelta | None:
        age = self._age(sign_in)
        return age if age and age > LATE else None

    def _age(self, sign_in: SignIn) -> timedelta | None:
        return delay_of(sign_in, datetime.now(UTC))

    def _park(self, event: Event, reason: str, act: Act) -> bool:
        """Put an event into the queue; False if there is none, or if it refuses."""
        queue = self._undelivered
        return queue is not None and self._within_its_time(
            lambda: queue.park(event, reason=reason, act=act)
        )

    def _within_its_time(self, call: Callable[[], None]) -> bool:
        """Call the queue; False, and a line in the log, if it refuses or takes too long."""
        try:
            within(_QUEUE_SECONDS, call)
        except (QueueError, TimeoutError) as error:
            log.write(level="ERROR", message=str(error) or "The undelivered queue is too slow.")
            return False
        return True

    def _is_told(self, one: _Notice) -> bool:
        return one.identity in self._told and not one.sign_in.replayed

    def _remember(self, one: _Notice) -> None:
        if one.identity:
            self._told[one.identity] = None
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)

    def _decide(
        self, verdict: Verdict, judged: Judged, reason: str | None, **more: object
    ) -> dict[str, Any]:
        line = decision_line(
            verdict, judged, reason, stage=self._settings.stage, now=datetime.now(UTC), **more
        )
        log.write(**line)
        return line

    def _decide_against(
        self, verdict: Verdict, judged: Judged, error: DeliveryError
    ) -> dict[str, Any]:
        return self._decide(verdict, judged, error.reason, act=error.act, message=str(error))


def notifier(environ: Mapping[str, str]) -> Notifier:
    """Give the notifier of these settings, the same one while they are the same.

    Raises SettingsError.
    """
    return _notifier(of_the_stage(environ))


@lru_cache(maxsize=1)
def _notifier(variables: tuple[tuple[str, str], ...]) -> Notifier:
    settings = Settings.from_environment(dict(variables))
    queue = settings.undelivered_queue
    return Notifier(
        settings,
        Delivery.of_stage(settings),
        Undelivered(sqs_client(settings.sign_in_region), queue) if queue else None,
    )


def warm_up(environ: Mapping[str, str]) -> None:
    """Warm a function up in INIT; wrong settings are told by the first event.

    What INIT makes stays for good: Python's collector need not go through it, now or ever.
    """
    gc.disable()
    try:
        notifier(environ).warm_up()
    except SigninMonitorError as error:
        log.write(level="ERROR", message=str(error))
    finally:
        gc.freeze()
        gc.enable()
