"""Sends sign-ins of the past through the deployed function, marked as replayed."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config

from chalicelib.aws.error_codes import unless_missing
from chalicelib.health.deployment import Deployment
from ops.errors import OpsError

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_lambda import LambdaClient

PAUSE: Final = 1.0  # seconds: Slack takes one message a second
# An invocation may take Lambda's longest; asked for a second time it would post twice.
_PATIENT: Final = Config(read_timeout=900, retries={"total_max_attempts": 1})
_MARK: Final = "signin-monitor-history"


def replay(
    events: Sequence[Mapping[str, Any]],
    deployment: Deployment,
    session: "Session",
    *,
    on_each: Callable[[], object],
) -> Counter[str]:
    """Hand events to `on_sign_in` one after the other; count its decisions.

    Raises OpsError if the function is missing or fails: with those that follow it would as well.
    """
    functions: LambdaClient = session.client(
        "lambda", region_name=deployment.region, config=_PATIENT
    )
    decisions: Counter[str] = Counter()
    for number, event in enumerate(events):
        if number:
            time.sleep(PAUSE)
        answer = unless_missing(
            partial(
                functions.invoke,
                FunctionName=deployment.function("on_sign_in"),
                Payload=json.dumps({**event, "replay-name": _MARK}),
            )
        )
        if answer is None:
            raise OpsError(
                f"The stage {deployment.stage} is not deployed. First: {deployment.deploy_command}"
            )
        decision = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            why = decision.get("errorMessage", "") if isinstance(decision, dict) else ""
            raise OpsError(
                f"The function failed after {number} of {len(events)} sign-ins: {why} "
                f"{deployment.ops_command('doctor')} shows what is wrong."
            )
        decisions[decision["decision"]] += 1
        on_each()
    return decisions
