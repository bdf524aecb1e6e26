"""The flow that joins the parts: an event is posted, ignored, parked, or fails its invocation.

No event is lost silently: it counts as posted only once the receiver said so, and an event
that can be neither posted nor parked fails its invocation, so that Lambda tries again.
"""

import gc
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, cast

from chalicelib import log
from chalicelib.aws.json_protocol import JSONClient
from chalicelib.decision import (
    DIGEST,
    NOT_AN_EVENT,
    DecisionLine,
    Notification,
    Subject,
    Verdict,
    decision_line,
    delay_of,
    subject_of,
)
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
from chalicelib.messages.message import Message, may_repeat
from chalicelib.messages.report import Report, plain_report
from chalicelib.messages.sign_in import plain_alert, sign_in_message
from chalicelib.settings import Settings, stage_variables
from chalicelib.signin.batch import assess_batch, stands_alone
from chalicelib.signin.envelope import EXPECTED, description, event_in, unwrapped
from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.redaction import redact
from chalicelib.signin.severity import AssessedSignIn, Severity, assess
from chalicelib.timeout import QUEUE_SECONDS, Deadline, call_with_timeout

if TYPE_CHECKING:
    from chalicelib.aws.identity_store import IdentityStore
    from chalicelib.baseline.origins import Origins

Event = Mapping[str, Any]
ReportReader = Callable[[Event], Report | None]
Posting = tuple[Message, Sequence[Notification]]

LATE: Final = timedelta(minutes=5)
_REMEMBERED: Final = 1_000
_PSEUDONYM: Final = 16  # hexadecimal digits
_PACE_SECONDS: Final = 1.0
_MOST_WARNINGS: Final = 20  # of a batch, each in a message of its own: more would take a minute


class Notifier:
    """Posts sign-ins and reports by one stage's settings, and keeps what a warm function knows."""

    def __init__(
        self,
        settings: Settings,
        delivery: Delivery,
        undelivered: Undelivered | None,
        origins: "Origins | None" = None,
        identity_store: "IdentityStore | None" = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._delivery = delivery
        self._undelivered = undelivered
        self._origins = origins
        self._identity_store = identity_store
        self._sleep = sleep
        self._posted: OrderedDict[int, None] = OrderedDict()
        self.request_id: str | None = None  # of the invocation, for the log

    def warm_up(self) -> None:
        """Do ahead what every event needs; what fails is logged, and tried again by an event."""
        self._message(assess(read_sign_in({})), late=None)
        try:
            self._delivery.connect()
        except DeliveryError as error:
            log.write(level="WARNING", message=f"Not ready yet. {error}", reason=error.reason)
        if self._origins:
            self._origins.connect()

    def receive(self, received: object, seconds_left: float) -> DecisionLine | list[DecisionLine]:
        """Post the sign-in that a function is handed, or each of those in a wrapper.

        What is no event is ignored, and logged without its values. Returns the decision, or a list
        of several. Raises the first DeliveryError once all were tried.
        """
        end = Deadline(seconds_left)
        lines: list[DecisionLine] = []
        errors: list[DeliveryError] = []
        for content in unwrapped(received):
            event = event_in(content)
            try:
                line = self.notify(event, end.seconds_left) if event else self._refuse(content)
                lines.append(line)
            except DeliveryError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return lines[0] if len(lines) == 1 else lines

    def _refuse(self, received: object) -> DecisionLine:
        return self._decide(
            "ignored",
            assess(read_sign_in({})),
            NOT_AN_EVENT,
            message="What arrived is no event, and was ignored.",
            received=description(received),
            expected=EXPECTED,
        )

    def notify(self, event: Event, seconds_left: float) -> DecisionLine:
        """Post the sign-in of an event, within the seconds that the invocation has left.

        Returns the decision. Raises DeliveryError if it can neither be posted nor parked.
        """
        deadline = Deadline.within_invocation(seconds_left)
        event = self._received(event)
        sign_in = read_sign_in(event)
        if self._is_posted(sign_in):
            return self._decide("ignored", assess(sign_in), "duplicate")
        assessed = self._assess(sign_in)
        if reason := reason_to_ignore(assessed, self._settings):
            return self._decide("ignored", assessed, reason)
        if self._waits_for_digest(assessed) and self._park(event, DIGEST, "nobody"):
            return self._decide("parked", assessed, DIGEST, act="nobody")
        return self._post(assessed, event, deadline)

    def notify_together(self, events: Sequence[Event], seconds_left: float) -> list[DecisionLine]:
        """Post several events in one message, a single event like `notify`; return the decisions.

        Raises DeliveryError: of several, nothing is parked then.
        """
        if len(events) == 1:
            return [self.notify(events[0], seconds_left)]
        deadline = Deadline.within_invocation(seconds_left)
        assessed = [self._assess(read_sign_in(self._received(event))) for event in events]
        lines: dict[int, DecisionLine] = {}
        for message, members in digests(assessed, self._settings):
            remark = self._delivery.post(message, deadline, patient=True)
            lines |= {id(member): self._decide_posted(member, remark) for member in members}
        return [lines[id(member)] for member in assessed]

    def notify_report(self, report: Report, event: Event, seconds_left: float) -> DecisionLine:
        """Post a report, which waits as that event if it must; else like `notify`."""
        deadline = Deadline.within_invocation(seconds_left)
        event = self._received(event)
        if self._is_posted(report):
            return self._decide("ignored", report, "duplicate")
        return self._post(report, event, deadline)

    def redeliver(
        self, records: Iterable[Event], seconds_left: float, report_in: ReportReader
    ) -> None:
        """Post what waited in the queue: reports and critical sign-ins alone, the rest summed up.

        Raises StillUndelivered for what stays there, once what was posted is deleted from it.
        """
        deadline = Deadline.within_invocation(seconds_left)
        waiting = _read_batch(records, report_in)
        marked = {
            subject
            for subject, copies in waiting.items()
            if any(copy.possibly_posted for copy in copies)
        }
        done = [subject for subject in waiting if self._is_posted(subject)]
        fresh = [subject for subject in waiting if not self._is_posted(subject)]
        for subject in done:
            duplicate = assess(subject) if isinstance(subject, SignIn) else subject
            self._decide("ignored", duplicate, "duplicate")
        postings = self._postings(self._assess_all(fresh), marked)
        posted, possibly_posted = self._post_all(postings, deadline)
        done += posted
        if rest := len(waiting) - len(done):
            self._tidy_queue(
                posted=[parked for subject in done for parked in waiting[subject]],
                possibly_posted=[
                    parked for subject in possibly_posted for parked in waiting[subject]
                ],
            )
            raise StillUndelivered(f"{rest} of {len(waiting)} events stay in the undelivered queue")

    def _received(self, event: Event) -> Event:
        """Return an event without the credentials that it may hold, once it is logged."""
        redacted: Event = redact(event)
        if self._settings.log_events:
            log.write(level="INFO", message="Received event", event=redacted)
        return redacted

    def _assess(self, sign_in: SignIn) -> AssessedSignIn:
        """Assess a sign-in by where it came from.

        Nobody becomes familiar unseen: a person, network or client is learned only once it is
        posted, whatever the settings ignore.
        """
        assessed = assess(sign_in)
        if not self._origins:
            return assessed
        is_posted = reason_to_ignore(assessed, self._settings) is None
        origin = self._origins.of(sign_in, learn=is_posted)
        assessed = assess(sign_in, origin)
        if not is_posted and (habits := origin.habits):
            is_posted = reason_to_ignore(assessed, self._settings) is None
            if is_posted or habits.is_familiar:
                self._origins.of(sign_in, learn=True)
        return assessed

    def _assess_all(self, subjects: Sequence[Subject]) -> list[Notification]:
        """Assess what waited by where it came from; of an untrusted queue nothing is learned."""
        sign_ins = [subject for subject in subjects if isinstance(subject, SignIn)]
        reports = [subject for subject in subjects if isinstance(subject, Report)]
        if not self._origins:
            return [*reports, *map(assess, sign_ins)]
        return [*reports, *map(assess, sign_ins, self._origins.of_batch(sign_ins))]

    def _waits_for_digest(self, assessed: AssessedSignIn) -> bool:
        sign_in = assessed.sign_in
        return (
            self._settings.failures == "digest"
            and sign_in.outcome is Outcome.FAILURE
            and not sign_in.failed_at_mfa
        )

    def _post(self, notification: Notification, event: Event, deadline: Deadline) -> DecisionLine:
        """Post one event, or park it."""
        age = _age(notification)
        message = self._message(notification, late=age if age and age > LATE else None)
        is_critical = notification.severity is Severity.CRITICAL
        try:
            remark = self._delivery.post(message, deadline, patient=is_critical)
        except DeliveryError as error:
            if self._park(event, error.reason, error.act, possibly_posted=error.possibly_posted):
                return self._decide_against("parked", notification, error)
            self._decide_against("failed", notification, error)
            raise
        return self._decide_posted(notification, remark)

    def _postings(
        self, waiting: Sequence[Notification], marked: Container[Subject]
    ) -> Iterator[Posting]:
        """Return what is to be posted, in that order, with the members of each message.

        A message of what is `marked` says that it may repeat an earlier message.
        """
        for message, members in self._messages(waiting):
            if repeated := sum(subject_of(member) in marked for member in members):
                yield may_repeat(message, self._settings, partly=repeated < len(members)), members
            else:
                yield message, members

    def _messages(self, waiting: Sequence[Notification]) -> list[Posting]:
        reports = [notification for notification in waiting if isinstance(notification, Report)]
        sign_ins = assess_batch(
            notification for notification in waiting if not isinstance(notification, Report)
        )
        sign_ins.sort(key=lambda assessed: assessed.severity, reverse=True)
        notable = [assessed for assessed in sign_ins if stands_alone(assessed)]
        most = _MOST_WARNINGS + sum(assessed.severity is Severity.CRITICAL for assessed in notable)
        alone: list[Notification] = [*notable[:most], *reports]
        alone.sort(key=lambda notification: notification.severity, reverse=True)
        rest = [*notable[most:], *(assessed for assessed in sign_ins if not stands_alone(assessed))]
        if len(rest) > 1:
            try:
                return [*self._each(alone), *digests(rest, self._settings)]
            except Exception as error:  # noqa: BLE001 — one event must not block its batch
                log.write_failure("The digest could not be built.", error)
        return [*self._each(alone), *self._each(rest)]

    def _each(self, waiting: Iterable[Notification]) -> Iterator[Posting]:
        for notification in waiting:
            yield self._message(notification, late=_age(notification)), [notification]

    def _post_all(
        self, postings: Iterable[Posting], deadline: Deadline
    ) -> tuple[list[Subject], list[Subject]]:
        """Post messages in turn; return what was posted, and what possibly was.

        What failed for one message is not tried for the next messages to the same destination.
        """
        posted: list[Subject] = []
        possibly_posted: list[Subject] = []
        failed: dict[bool, DeliveryError] = {}
        for number, (message, members) in enumerate(postings):
            subjects = [subject_of(member) for member in members]
            is_critical = message.severity is Severity.CRITICAL
            error = failed.get(is_critical)
            if error is None:
                if number:
                    self._sleep(min(_PACE_SECONDS, deadline.seconds_left))
                error = self._try_to_post(message, members, deadline)
                if error is None:
                    posted += subjects
                    continue
                if error.possibly_posted:
                    possibly_posted += subjects
                if not isinstance(error, PayloadInvalid):
                    failed[is_critical] = error
            for member in members:
                self._decide_against("parked", member, error)
        return posted, possibly_posted

    def _try_to_post(
        self, message: Message, members: Sequence[Notification], deadline: Deadline
    ) -> DeliveryError | None:
        try:
            remark = self._delivery.post(message, deadline, patient=True)
        except DeliveryError as error:
            return error
        for member in members:
            self._decide_posted(member, remark)
        return None

    def _message(self, notification: Notification, late: timedelta | None) -> Message:
        """Build the message; whatever goes wrong in that, an alert goes out."""
        try:
            if isinstance(notification, Report):
                return notification.message(self._settings)
            if self._identity_store:
                sign_in = self._identity_store.named(notification.sign_in)
                notification = replace(notification, sign_in=sign_in)
            return sign_in_message(notification, self._settings, late)
        except Exception as error:  # noqa: BLE001 — an alert must not die on the interesting case
            log.write_failure("The message could not be built.", error)
        if isinstance(notification, Report):
            return plain_report(notification, self._settings)
        return plain_alert(notification, self._settings)

    def _park(self, event: Event, reason: str, act: Act, *, possibly_posted: bool = False) -> bool:
        """Put an event into the queue; False if there is none, or if it refuses."""
        queue = self._undelivered
        return queue is not None and _is_done_in_time(
            lambda: queue.park(event, reason=reason, act=act, possibly_posted=possibly_posted)
        )

    def _tidy_queue(self, *, posted: Sequence[Parked], possibly_posted: Sequence[Parked]) -> None:
        """Delete what was posted, which would be posted again; mark what possibly was."""
        queue = self._undelivered
        if not queue:
            return
        if posted:
            _is_done_in_time(lambda: queue.delete([parked.receipt_handle for parked in posted]))
        if possibly_posted:
            _is_done_in_time(lambda: queue.mark_possibly_posted(possibly_posted))

    def _is_posted(self, subject: Subject) -> bool:
        """Return whether this function posted it before: the same event, not a replay of it."""
        is_replay = isinstance(subject, SignIn) and subject.replayed
        return hash(subject) in self._posted and not is_replay

    def _decide_posted(self, notification: Notification, remark: str | None) -> DecisionLine:
        subject = subject_of(notification)
        if subject.event_id:  # AWS gives every event an id: without it, nothing is a copy
            # The id alone would not do: who may send to the queue could hide a sign-in behind it.
            self._posted[hash(subject)] = None
            if len(self._posted) > _REMEMBERED:
                self._posted.popitem(last=False)
        return self._decide("posted", notification, remark)

    def _decide_against(
        self, verdict: Verdict, notification: Notification, error: DeliveryError
    ) -> DecisionLine:
        mark = {"possibly_posted": True} if error.possibly_posted else {}
        return self._decide(
            verdict, notification, error.reason, act=error.act, message=str(error), **mark
        )

    def _decide(
        self, verdict: Verdict, notification: Notification, reason: str | None, **more: object
    ) -> DecisionLine:
        line = decision_line(
            verdict,
            notification,
            reason,
            stage=self._settings.stage,
            now=datetime.now(UTC),
            person=self._pseudonym(notification),
            request_id=self.request_id,
            key=self.evidence_key,
            **more,
        )
        log.write(**line)
        return line

    @property
    def evidence_key(self) -> bytes | None:
        """What authenticates the stage's log lines; None while the webhook is not known."""
        return self._delivery.derive_key("evidence")

    def _pseudonym(self, notification: Notification) -> str | None:
        """Return a keyed hash of the person whom the baseline knows a sign-in by."""
        person = None if isinstance(notification, Report) else notification.origin.person
        key = self._delivery.derive_key("person") if person else None
        if not (person and key):
            return None
        return hmac.digest(key, person.encode(errors="replace"), "sha256").hex()[:_PSEUDONYM]


def _read_batch(records: Iterable[Event], report_in: ReportReader) -> dict[Subject, list[Parked]]:
    """Read a batch of the queue; copies of an event become a subject, with the messages of all."""
    waiting: dict[Subject, list[Parked]] = {}
    for record in records:
        subject, parked = _read(record, report_in)
        waiting.setdefault(subject, []).append(parked)
    return waiting


def _read(record: Event, report_in: ReportReader) -> tuple[Subject, Parked]:
    """Read a record of the queue, and let go of its event: a batch of them may fill the memory."""
    parked, event = Parked.from_record(record)
    report = report_in(event)
    if report is None:
        return read_sign_in(event), parked
    return replace(report, message=partial(_message_of, record, report_in)), parked


def _message_of(record: Event, report_in: ReportReader, settings: Settings) -> Message:
    """Build the message of a report from its record, read again."""
    _, event = Parked.from_record(record)
    return cast("Report", report_in(event)).message(settings)


def _age(notification: Notification) -> timedelta | None:
    return delay_of(subject_of(notification), datetime.now(UTC))


def _is_done_in_time(call: Callable[[], None]) -> bool:
    """Call the queue; False, and a line in the log, if it refuses or takes too long."""
    try:
        call_with_timeout(QUEUE_SECONDS, call)
    except (QueueError, TimeoutError) as error:
        log.write(level="ERROR", message=str(error) or "The undelivered queue is too slow.")
        return False
    return True


def notifier(environ: Mapping[str, str]) -> Notifier:
    """Return the notifier of these settings, the same notifier while they are the same.

    Raises SettingsError.
    """
    return _notifier(stage_variables(environ))


@lru_cache(maxsize=1)
def _notifier(variables: tuple[tuple[str, str], ...]) -> Notifier:
    settings = Settings.from_environment(dict(variables))
    queue, region = settings.undelivered_queue, settings.sign_in_region
    return Notifier(
        settings,
        Delivery.of_stage(settings),
        Undelivered(JSONClient("sqs", region), queue, settings.stage) if queue else None,
        origins_of(settings),
        identity_store_of(settings),
    )


def origins_of(settings: Settings) -> "Origins | None":
    """Return what knows where sign-ins come from; None where the settings ask for none of it."""
    if not settings.known_networks and not settings.baseline_table:
        return None
    from chalicelib.baseline.origins import Origins  # noqa: PLC0415 — costs nothing where unset

    return Origins.of_stage(settings)


def identity_store_of(settings: Settings) -> "IdentityStore | None":
    """Return what names the users of IAM Identity Center; None where no store is set."""
    if not settings.identity_store_id:
        return None
    from chalicelib.aws.identity_store import IdentityStore  # noqa: PLC0415 — costs nothing where unset

    return IdentityStore(settings.identity_store_id)


def warm_up(environ: Mapping[str, str]) -> None:
    """Warm a function up in INIT; wrong settings are reported by the first event.

    What INIT makes stays for good: Python's collector need not go through it, now or ever.
    """
    try:
        notifier(environ).warm_up()
    except SigninMonitorError as error:
        log.write(level="ERROR", message=str(error))
    finally:
        gc.freeze()
        gc.enable()
