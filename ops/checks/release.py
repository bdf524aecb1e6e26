"""Which release of signin-monitor a stage runs, compared with the release that looks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chalicelib import __version__
from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import unless_missing
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult
from ops.project.deployed_resources import VERSION_TAG

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


def check_release(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """Name both releases; nothing of a stage that is not deployed."""
    functions: LambdaClient = clients("lambda", deployment.region)
    name = deployment.function("on_sign_in")
    if found := unless_missing(lambda: functions.get_function(FunctionName=name)):
        deployed = found.get("Tags", {}).get(VERSION_TAG, "unknown")
        yield CheckResult.ok("release", deployed=deployed, here=__version__)
