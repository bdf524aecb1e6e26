"""signin-monitor: wiring, and nothing else.

The events come from EventBridge in the home region, the messages go to a Slack webhook. What is
done in between is in chalicelib; which handlers there are depends on the stage's settings.
"""

import gc
import os
from collections.abc import Mapping
from typing import Any

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    gc.disable()  # a cold start leaves next to no garbage; `notifier.warm_up` enables it again

from chalice.app import Chalice, CloudWatchEvent, SQSEvent

from chalicelib import notifier
from chalicelib.decision import DecisionLine
from chalicelib.notifier import Notifier
from chalicelib.reports import report_in
from chalicelib.signin.events import SIGN_IN_PATTERN

app = Chalice(app_name="signin-monitor")

if "AWS_CHALICE_CLI_MODE" in os.environ:
    from ops.project.deploy_guard import guard

    guard()


class AnyEvent(CloudWatchEvent):
    """Whatever a function is handed; Chalice's own class fails without each of nine keys."""

    def _extract_attributes(self, _: Any) -> None:  # noqa: ANN401 — any JSON
        """Extract nothing."""


def own_notifier(context: Any) -> Notifier:  # noqa: ANN401 — Lambda's, or Chalice's stand-in
    """Return the stage's notifier, for this invocation."""
    own = notifier.notifier(os.environ)
    own.request_id = context.aws_request_id
    return own


def schedule_of(event: CloudWatchEvent) -> Mapping[str, Any]:
    """Return a schedule's event; who tests a function by hand may send anything."""
    schedule: object = event.to_dict()
    return schedule if isinstance(schedule, Mapping) else {}


def seconds_left(context: Any) -> float:  # noqa: ANN401 — Lambda's, or Chalice's stand-in
    """Return how long the invocation may still last."""
    return float(context.get_remaining_time_in_millis()) / 1000


@app.on_cw_event(SIGN_IN_PATTERN)
def on_sign_in(event: CloudWatchEvent) -> DecisionLine | list[DecisionLine]:
    """Post one sign-in, or keep it."""
    return own_notifier(event.context).receive(event.to_dict(), seconds_left(event.context))


on_sign_in.event_class = AnyEvent

if queue := os.environ.get("UNDELIVERED_QUEUE", "").strip():

    @app.on_sqs_message(
        queue=queue,
        batch_size=500,
        maximum_batching_window_in_seconds=60,
        maximum_concurrency=2,
    )
    def on_undelivered(event: SQSEvent) -> None:
        """Post what could not be posted before."""
        records = event.to_dict()["Records"]
        own_notifier(event.context).redeliver(records, seconds_left(event.context), report_in)


if schedule := os.environ.get("MFA_AUDIT_SCHEDULE", "").strip():

    @app.schedule(schedule)
    def audit_mfa(event: CloudWatchEvent) -> DecisionLine:
        """Post who can sign in without MFA."""
        from chalicelib.mfa_audit.run import audit  # noqa: PLC0415 — no sign-in pays for it

        own = own_notifier(event.context)
        return audit(own, schedule_of(event), seconds_left(event.context))

    audit_mfa.event_class = AnyEvent


if schedule := os.environ.get("SELF_CHECK_SCHEDULE", "").strip():

    @app.schedule(schedule)
    def self_check(event: CloudWatchEvent) -> dict[str, Any]:
        """Post the sign-ins that were missed, and the faults that were found."""
        from chalicelib.self_check import run  # noqa: PLC0415 — no sign-in pays for it

        context: Any = event.context
        return run.self_check(
            own_notifier(context),
            schedule_of(event),
            context.invoked_function_arn,
            SIGN_IN_PATTERN,
            os.environ,
            seconds_left(context),
        )

    self_check.event_class = AnyEvent


if os.environ.get("STAGE") == "local":
    from playground.local.routes import routes

    app.register_blueprint(routes)

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    notifier.warm_up(os.environ)
