"""The embedded AWS as `chalice local` sees it: the account that the stage seems deployed in.

Lambda keeps what a function prints, a deployment gives it its settings, EventBridge obeys its
rule: all that the self-check looks at and `chalice local` lacks.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID

from chalicelib import resource_names
from chalicelib.settings import stage_variables
from playground import catalogue
from playground.aws import cloudtrail
from playground.slack.control import SETTING as DEMO

ACCOUNT_ID: Final = str(DEFAULT_ACCOUNT_ID)
REGION: Final = "us-east-1"
STAGE: Final = "local"
# As Lambda names it; chalice local starts again on new files.
_STREAM: Final = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{os.getpid():032x}"
_UNDELIVERED: Final = "root-without-mfa"
_AGO: Final = timedelta(minutes=30)  # later than the self-check allows CloudTrail to be


def is_embedded() -> bool:
    """Return whether this is the demo's own account, in which a button may break something."""
    url = os.environ.get("AWS_ENDPOINT_URL", "")
    return DEMO in os.environ and url.startswith("http://127.0.0.1:")


def function_arn(handler: str) -> str:
    """Return the ARN of the stage's function."""
    return (
        f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{resource_names.function(STAGE, handler)}"
    )


def keep_log(handler: str, text: str) -> None:
    """Keep what a function printed in its log group."""
    at = round(time.time() * 1000)
    lines = [{"timestamp": at, "message": line} for line in text.splitlines() if line]
    if lines:
        _log_stream(handler)
        _client("logs").put_log_events(
            logGroupName=resource_names.log_group(STAGE, handler),
            logStreamName=_STREAM,
            logEvents=lines,
        )


def set_functions(settings: Mapping[str, str]) -> None:
    """Set the functions' variables to the stage's settings with these changed, as a deployment."""
    variables = dict(stage_variables({**os.environ, **settings}))
    for function in _client("lambda").list_functions()["Functions"]:
        _client("lambda").update_function_configuration(
            FunctionName=function["FunctionName"], Environment={"Variables": variables}
        )


@contextmanager
def stopped_rule() -> Iterator[None]:
    """Disable the rule of `on_sign_in` for a while."""
    name = resource_names.rule(STAGE, "on_sign_in")
    _client("events").disable_rule(Name=name)
    try:
        yield
    finally:
        _client("events").enable_rule(Name=name)


def sign_in_undelivered() -> None:
    """Record a sign-in of root in CloudTrail's history that EventBridge has not brought."""
    event = catalogue.renewed(catalogue.read(_UNDELIVERED), datetime.now(UTC) - _AGO)
    cloudtrail.remember(os.environ["AWS_ENDPOINT_URL"], event)


@cache
def _log_stream(handler: str) -> None:
    _client("logs").create_log_stream(
        logGroupName=resource_names.log_group(STAGE, handler), logStreamName=_STREAM
    )


@cache
def _client(service: str) -> Any:  # noqa: ANN401 — any service's
    """Return a client of a session of its own: boto3's default session is not for two threads."""
    return boto3.session.Session().client(service, region_name=REGION)  # type: ignore[call-overload]
