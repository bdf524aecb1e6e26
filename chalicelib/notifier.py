"""The flow that joins the parts: an event is told, ignored, kept for later, or fails aloud.

Nothing is ever silently gone: an event counts as told only once the receiver said so, and one
that can be neither posted nor parked fails its invocation, so that Lambda tries again.
"""

import gc
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

from chalicelib import log
from chalicelib.aws.json_protocol import JSONClient
from chalicelib.decision import Verdict, decision_line, delay_of
from chalicelib.delivery.channel import Delivery
from chalicelib.delivery.undelivered import Parked, Undelivered
from chalicelib.errors import (
    Act,
    DeliveryError,
    PayloadInvalid,
    QueueError,
    SigninMonitorError,
    StillUndelivered,
)
from chalicelib.messages.digest import digests
from chalicelib.messages.message import Message
from chalicelib.messages.sign_in import plain_alert, sign_in_message
from chalicelib.reports import Report, report_in
from chalicelib.settings import Settings, stage_variables
from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.origin import Origin
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.redaction import redact
from chalicelib.signin.severity import AssessedSignIn, Severity, assess
from chalicelib.timeout import Deadline, call_with_timeout

if TYPE_CHECKING:
    from chalicelib.baseline.origins import Origins

Event = Mapping[str, Any]

LATE: Final = timedelta(minutes=5)
_REMEMBERED: Final = 1_000
_PACE_SECONDS: Final = 1.0
_QUEUE_SECONDS: Final = 9.0


@dataclass(frozen=True, slots=True)
class _Notification(AssessedSignIn):
    """An event to tell: a sign-in or a report; with the handles of its copies in the queue."""

    report: Report | None = None
    receipt_handles: list[str] = field(default_factory=list)

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read and judge an event. Raises nothing."""
        sign_in = read_sign_in(event)
        if report := report_in(event):
            return cls(sign_in, report.severity, (), report=report)
        assessed = assess(sign_in)
        return cls(sign_in, assessed.severity, assessed.reasons)

    def from_origin(self, origin: Origin) -> Self:
        """Return it as it is assessed by where it came from."""
        assessed = assess(self.sign_in, origin)
        return replace(
            self, severity=assessed.severity, reasons=assessed.reasons, origin=assessed.origin
        )

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
        origins: "Origins | None" = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._delivery = delivery
        self._undelivered = undelivered
        self._origins = origins
        self._sleep = sleep
        self._told: OrderedDict[int, None] = OrderedDict()

    def warm_up(self) -> None:
        """Do ahead what every event needs; what fails is logged, and made good with an event."""
        self._message(_Notification.from_event({}), late=None)
        try:
            self._delivery.connect()
        except DeliveryError as error:
            log.write(level="WARNING", message=f"Not ready yet. {error}", reason=error.reason)

    def notify(self, event: Event, seconds_left: float) -> dict[str, Any]:
        """Tell of one event, within the seconds that the invocation has left.

        Gives the decision. Raises DeliveryError if the event could neither be posted nor parked.
        """
        deadline = Deadline.within_invocation(seconds_left)
        event = redact(event)
        if self._settings.log_events:
            log.write(level="INFO", message="Received event", event=event)
        assessed = self._with_origin(_Notification.from_event(event))
        if reason := self._reason_to_ignore(assessed):
            return self._decide("ignored", assessed, reason)
        if self._waits_for_digest(assessed) and self._park(event, "digest", "nobody"):
            return self._decide("parked", assessed, "digest", act="nobody")
        message = self._message(assessed, late=self._late(assessed.sign_in))
        try:
            remark = self._delivery.post(
                message, deadline, patient=assessed.severity is Severity.CRITICAL
            )
        except DeliveryError as error:
            if self._park(event, error.reason, error.act):
                return self._decide_against("parked", assessed, error)
            self._decide_against("failed", assessed, error)
            raise
        self._remember(assessed)
        return self._decide("posted", assessed, remark)

    def redeliver(self, records: Iterable[Event], seconds_left: float) -> None:
        """Return what waits in the queue: critical sign-ins alone and first, the rest summed up.

        Raises StillUndelivered for what stays there, once what was told is deleted from it.
        """
        deadline = Deadline.within_invocation(seconds_left)
        waiting = self._read(records)
        told = [one for one in waiting if self._already_posted(one)]
        for one in told:
            self._decide("ignored", one, "duplicate")
        fresh = self._with_origins([one for one in waiting if not self._already_posted(one)])
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

    def _read(self, records: Iterable[Event]) -> list[_Notification]:
        """Read a batch; copies of one event become one."""
        waiting: dict[object, _Notification] = {}
        for number, read in enumerate(map(_Notification.from_record, records)):
            one = waiting.setdefault(read.identity or str(number), read)
            if one is not read:
                one.receipt_handles.extend(read.receipt_handles)
        return list(waiting.values())

    def _with_origin(self, notification: _Notification) -> _Notification:
        """Assess a sign-in by where it came from.

        Nobody becomes familiar unseen: a person, network or client is learned only once it is
        posted, whatever the settings ignore.
        """
        if not self._origins or notification.report or self._already_posted(notification):
            return notification
        is_posted = reason_to_ignore(notification, self._settings) is None
        origin = self._origins.of(notification.sign_in, learn=is_posted)
        notification = notification.from_origin(origin)
        if not is_posted and (habits := origin.habits):
            is_posted = reason_to_ignore(notification, self._settings) is None
            if is_posted or habits.is_familiar:
                self._origins.of(notification.sign_in, learn=True)
        return notification

    def _with_origins(self, waiting: list[_Notification]) -> list[_Notification]:
        """Assess what waited by where it came from; of an untrusted queue nothing is learned."""
        if not self._origins:
            return waiting
        origins = self._origins.of_batch(one.sign_in for one in waiting)
        return [
            one if one.report else one.from_origin(origin)
            for one, origin in zip(waiting, origins, strict=True)
        ]

    def _messages(self, waiting: list[_Notification]) -> list[tuple[Message, list[_Notification]]]:
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

    def _each(self, waiting: list[_Notification]) -> list[tuple[Message, list[_Notification]]]:
        return [(self._message(one, late=self._age(one.sign_in)), [one]) for one in waiting]

    def _forget(self, told: list[_Notification]) -> None:
        """Delete from the queue what was told; else it would come, and be told, again."""
        queue = self._undelivered
        if queue and told:
            handles = [handle for one in told for handle in one.receipt_handles]
            self._within_its_time(lambda: queue.delete(handles))

    def _reason_to_ignore(self, assessed: _Notification) -> str | None:
        if self._already_posted(assessed):
            return "duplicate"
        return reason_to_ignore(assessed, self._settings)

    def _waits_for_digest(self, assessed: AssessedSignIn) -> bool:
        sign_in = assessed.sign_in
        return (
            self._settings.failures == "digest"
            and sign_in.outcome is Outcome.FAILURE
            and not sign_in.is_root
            and not sign_in.failed_at_mfa
        )

    def _message(self, assessed: _Notification, late: timedelta | None) -> Message:
        """Build the message; whatever goes wrong in that, an alert goes out."""
        try:
            if assessed.report:
                return assessed.report.message(self._settings)
            return sign_in_message(assessed, self._settings, late)
        except Exception as error:  # noqa: BLE001 — an alert must not die on the interesting case
            log.write_failure("The message could not be built.", error)
            return plain_alert(assessed, self._settings)

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
            call_with_timeout(_QUEUE_SECONDS, call)
        except (QueueError, TimeoutError) as error:
            log.write(level="ERROR", message=str(error) or "The undelivered queue is too slow.")
            return False
        return True

    def _already_posted(self, one: _Notification) -> bool:
        return one.identity in self._told and not one.sign_in.replayed

    def _remember(self, one: _Notification) -> None:
        if one.identity:
            self._told[one.identity] = None
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)

    def _decide(
        self, verdict: Verdict, assessed: AssessedSignIn, reason: str | None, **more: object
    ) -> dict[str, Any]:
        line = decision_line(
            verdict, assessed, reason, stage=self._settings.stage, now=datetime.now(UTC), **more
        )
        log.write(**line)
        return line

    def _decide_against(
        self, verdict: Verdict, assessed: AssessedSignIn, error: DeliveryError
    ) -> dict[str, Any]:
        return self._decide(verdict, assessed, error.reason, act=error.act, message=str(error))


def notifier(environ: Mapping[str, str]) -> Notifier:
    """Return the notifier of these settings, the same one while they are the same.

    Raises SettingsError.
    """
    return _notifier(stage_variables(environ))


@lru_cache(maxsize=1)
def _notifier(variables: tuple[tuple[str, str], ...]) -> Notifier:
    settings = Settings.from_environment(dict(variables))
    queue = settings.undelivered_queue
    return Notifier(
        settings,
        Delivery.of_stage(settings),
        Undelivered(JSONClient("sqs", settings.sign_in_region), queue) if queue else None,
        origins_of(settings),
    )


def origins_of(settings: Settings) -> "Origins | None":
    """Return what knows where sign-ins come from; None where the settings ask for none of it."""
    if not settings.known_networks and not settings.baseline_table:
        return None
    from chalicelib.baseline.origins import Origins  # noqa: PLC0415 — costs nothing where unset

    return Origins.of_stage(settings)


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
