"""signin-monitor: wiring, and nothing else.

The events come from EventBridge in the home region, the messages go to a Slack webhook. What is
done in between is in chalicelib; which handlers there are depends on the stage's settings.
"""

import os
from typing import Any

from chalice.app import Chalice, CloudWatchEvent, SQSEvent

from chalicelib import notifier
from chalicelib.reports import report_in
from chalicelib.signin.events import SIGN_IN_PATTERN

app = Chalice(app_name="signin-monitor")

if "AWS_CHALICE_CLI_MODE" in os.environ:
    from ops.project.deploy_guard import guard

    guard()


def seconds_left(context: Any) -> float:  # noqa: ANN401 — Lambda's, or Chalice's stand-in
    """Return how long the invocation may still last."""
    return float(context.get_remaining_time_in_millis()) / 1000


@app.on_cw_event(SIGN_IN_PATTERN)
def on_sign_in(event: CloudWatchEvent) -> dict[str, Any]:
    """Post one sign-in, or keep it."""
    return notifier.notifier(os.environ).notify(event.to_dict(), seconds_left(event.context))


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
        notifier.notifier(os.environ).redeliver(records, seconds_left(event.context), report_in)


if schedule := os.environ.get("MFA_AUDIT_SCHEDULE", "").strip():

    @app.schedule(schedule)
    def audit_mfa(event: CloudWatchEvent) -> dict[str, Any]:
        """Post who can sign in without MFA."""
        from chalicelib.mfa_audit.run import audit  # noqa: PLC0415 — no sign-in pays for it

        own = notifier.notifier(os.environ)
        return audit(own, event.to_dict(), seconds_left(event.context))


if schedule := os.environ.get("SELF_CHECK_SCHEDULE", "").strip():

    @app.schedule(schedule)
    def self_check(event: CloudWatchEvent) -> dict[str, Any]:
        """Post the sign-ins that were missed, and what is broken."""
        from chalicelib.self_check import run  # noqa: PLC0415 — no sign-in pays for it

        context: Any = event.context
        return run.self_check(
            event.to_dict(),
            context.invoked_function_arn,
            SIGN_IN_PATTERN,
            os.environ,
            seconds_left(context),
        )


if os.environ.get("STAGE") == "local":
    from playground.local.routes import routes

    app.register_blueprint(routes)

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    notifier.warm_up(os.environ)
