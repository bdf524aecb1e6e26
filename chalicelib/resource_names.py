"""The names of a stage's parts, as Chalice and `python -m ops setup` give them, and commands."""

from typing import Final

from chalicelib.settings import Settings

APP: Final = "signin-monitor"
HANDLERS: Final = ("on_sign_in", "on_undelivered", "audit_mfa", "self_check")


def deployed_handlers(settings: Settings) -> tuple[str, ...]:
    """Return the handlers that a stage deploys: one needs a queue, two a schedule."""
    asked = {
        "on_sign_in": True,
        "on_undelivered": settings.undelivered_queue,
        "audit_mfa": settings.mfa_audit_schedule,
        "self_check": settings.self_check_schedule,
    }
    return tuple(handler for handler in HANDLERS if asked[handler])


def ops_command(stage: str, command: str, options: str = "") -> str:
    """Return a command of the operator's, for a stage."""
    return f"python -m ops {command} --stage {stage} {options}".rstrip()


def deploy_command(stage: str) -> str:
    """Return the command that deploys a stage."""
    return f"chalice deploy --stage {stage}"


def function(stage: str, handler: str) -> str:
    """Name a handler's function, and its role."""
    return f"{APP}-{stage}-{handler}"


def rule(stage: str, handler: str) -> str:
    """Name the EventBridge rule that invokes a handler."""
    return f"{function(stage, handler)}-event"


def read_only_rule(stage: str) -> str:
    """Name the rule that brings read-only events to `on_sign_in`."""
    return f"{APP}-{stage}-read-only"


def log_group(stage: str, handler: str) -> str:
    """Name a handler's log group."""
    return f"/aws/lambda/{function(stage, handler)}"


def key_alias(stage: str) -> str:
    """Name the alias of the key that encrypts the webhook."""
    return f"alias/{APP}-{stage}"


def forward(stage: str) -> str:
    """Name the rules that forward from other regions, and their role."""
    return f"{APP}-{stage}-forward"


def baseline_table(stage: str) -> str:
    """Name the table that `setup` makes, if the stage does not name a table of its own."""
    return f"{APP}-{stage}-baseline"


def undelivered_queue(stage: str) -> str:
    """Name the queue that `setup` makes, if the stage does not name a queue of its own."""
    return f"{APP}-{stage}-undelivered"
