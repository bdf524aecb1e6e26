"""Do the functions run: their state, settings, concurrency, errors and logs."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_missing
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult, Status
from chalicelib.health.rights import unknown
from chalicelib.settings import NAMES, Settings
from chalicelib.timeout import EXCHANGE_SECONDS, LOOKUP_SECONDS, RESERVE_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient

T = TypeVar("T")

# When Lambda stops patching a runtime. Source: "Lambda runtimes" (AWS Lambda Developer Guide).
_SUPPORTED_UNTIL: Final = {
    "python3.8": date(2024, 10, 14),
    "python3.9": date(2025, 12, 15),
    "python3.10": date(2026, 10, 31),
    "python3.11": date(2027, 6, 30),
    "python3.12": date(2028, 10, 31),
    "python3.13": date(2029, 6, 30),
    "python3.14": date(2029, 6, 30),
}
# Seconds that decrypting, posting and parking may take at worst.
_SHORTEST_TIMEOUT: Final = math.ceil(LOOKUP_SECONDS + EXCHANGE_SECONDS + RESERVE_SECONDS)
# Levels at which Lambda drops what is no warning, decisions and the self-check's checkpoint among
# it, and what has no timestamp. Source: "Log-level filtering" (AWS Lambda Developer Guide).
_DROPPING_LEVELS: Final = ("WARN", "ERROR", "FATAL")
# How often, and for how long, Lambda tries an event again that a function failed to handle, unless
# it is configured otherwise ("Error handling for asynchronous invocation", Lambda Developer Guide).
_RETRIES: Final = {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 21_600}
_ERRORS_SINCE: Final = timedelta(days=1)
_FAILURES: Final = {"Errors": "errors", "Throttles": "throttles"}  # metric → our word


def check_function(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each function is there, able to run, and as the stage's deployment made it."""
    functions: LambdaClient = clients("lambda", deployment.region)
    found: dict[str, FunctionConfigurationResponseTypeDef | None] = {}
    for handler in deployment.handlers:
        name = deployment.function(handler)
        try:
            found[handler] = configuration(functions, name)
        except ClientError as error:  # the others are compared all the same
            yield replace(unknown("function", error), resource=name, handler=handler)
    there = [function for function in found.values() if function]
    code = _shared(function.get("CodeSha256") for function in there)
    environment = deployment.environment or _shared_variables(there)
    for handler, function in found.items():
        name = deployment.function(handler)
        faults = list(_faults_of(function, handler, deployment))
        variables = _variables(function) if function else None
        if function and function.get("CodeSha256") != code:
            faults.append(("code_differs", deployment.deploy_command, {}))
        if variables is not None and (differing := _differing(variables, environment)):
            facts = {"settings": ", ".join(differing)}
            faults.append(("settings_differ", deployment.deploy_command, facts))
        for fault, remedy, facts in faults:
            yield CheckResult.fault("function", fault, remedy, name, handler=handler, **facts)
        if function and variables is None:
            yield _hidden_variables(function, name, handler)
        elif function and not faults:
            runtime = function.get("Runtime", "")
            yield CheckResult.ok("function", name, handler=handler, runtime=runtime)


def _shared(values: Iterable[T]) -> T | None:
    """Return what more than half of the functions have; None if there is no such value.

    All functions of a stage are one archive with the same variables: who changes one of them
    cannot hide it, and who changes all of them has changed the self-check as well.
    """
    counted = Counter(values)
    value, count = max(counted.items(), key=lambda item: item[1], default=(None, 0))
    return value if 2 * count > counted.total() else None


def _shared_variables(there: Iterable[Mapping[str, Any]]) -> dict[str, str | None]:
    variables = [values for values in map(_variables, there) if values is not None]
    names = dict.fromkeys(chain.from_iterable(variables))
    return {name: _shared(values.get(name) for values in variables) for name in names}


def _variables(found: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return a function's variables; None if AWS may not decrypt them for who asks."""
    environment = found.get("Environment", {})
    return None if "Error" in environment else environment.get("Variables", {})


def _hidden_variables(found: Mapping[str, Any], name: str, handler: str) -> CheckResult:
    """Return that a key keeps a function's variables from being compared."""
    return CheckResult(
        check="function",
        status=Status.UNKNOWN,
        code="denied",
        resource=name,
        handler=handler,
        facts={"action": "kms:Decrypt", "error": found["Environment"]["Error"]["ErrorCode"]},
    )


def configuration(
    functions: "LambdaClient", name: str
) -> "FunctionConfigurationResponseTypeDef | None":
    """Return a function's configuration; None if there is none of that name."""
    try:
        return functions.get_function_configuration(FunctionName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise


def _faults_of(
    found: Mapping[str, Any] | None, handler: str, deployment: Deployment
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield what is wrong with a function by itself: codes, remedies and facts."""
    deploy = deployment.deploy_command
    if found is None:
        yield "function_missing", deploy, {}
        return
    update = (
        f"aws lambda update-function-configuration --region {deployment.region} "
        f"--function-name {deployment.function(handler)}"
    )
    runtime: str = found.get("Runtime", "")
    until = _SUPPORTED_UNTIL.get(runtime)
    seconds: int = found.get("Timeout", 0)
    logging = found.get("LoggingConfig", {})
    level: str = logging.get("ApplicationLogLevel", "INFO")
    group: str = logging.get("LogGroup", deployment.log_group(handler))
    if found.get("State") == "Failed" or found.get("LastUpdateStatus") == "Failed":
        why = found.get("StateReason") or found.get("LastUpdateStatusReason") or ""
        yield "function_failed", deploy, {"why": why}
    if until and until < datetime.now(UTC).date():
        yield "runtime_unsupported", deploy, {"runtime": runtime, "date": until.isoformat()}
    if seconds < _SHORTEST_TIMEOUT:
        yield "timeout_short", deploy, {"seconds": str(seconds), "least": str(_SHORTEST_TIMEOUT)}
    if level in _DROPPING_LEVELS:
        options = "--logging-config LogFormat=JSON,ApplicationLogLevel=INFO"
        yield "log_level_high", f"{update} {options}", {"level": level}
    if group != deployment.log_group(handler):
        options = f"--logging-config LogGroup={deployment.log_group(handler)}"
        yield "logs_elsewhere", f"{update} {options}", {"group": group}
    if found.get("Handler") != f"app.{handler}":
        yield "settings_differ", deploy, {"settings": "Handler"}
    if layers := found.get("Layers"):
        arns = ", ".join(layer["Arn"] for layer in layers)
        yield "layers_added", f"{update} --layers []", {"layers": arns}


def _differing(variables: Mapping[str, str], environment: Mapping[str, str | None]) -> list[str]:
    """Return the names of the variables in which a function differs from the stage, no values."""
    wanted = {name: value for name, value in environment.items() if value}
    differing = [
        name
        for name in sorted({**wanted, **variables})
        if (variables.get(name) or None) != wanted.get(name)
    ]
    (deployed, faults), (stage, _) = Settings.read(variables), Settings.read(wanted)
    at_fault = {fault.setting for fault in faults}
    return [
        name
        for name in differing
        if name not in NAMES  # a setting may be spelt in more than one way
        or name in at_fault
        or getattr(deployed, name.lower()) != getattr(stage, name.lower())
    ]


def check_retries(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that Lambda tries an event again as often, and for as long, as it does by default.

    A queue's function is invoked otherwise, and has the queue's retries.
    """
    functions: LambdaClient = clients("lambda", deployment.region)
    for handler in deployment.handlers:
        name = deployment.function(handler)
        if handler == "on_undelivered":
            continue
        try:
            found: Mapping[str, Any] = functions.get_function_event_invoke_config(FunctionName=name)
        except ClientError as error:
            if not is_missing(error):
                raise
            found = {}  # nothing is set, or the function is not there, which is reported with it
        if any(found.get(key, default) < default for key, default in _RETRIES.items()):
            remedy = (
                f"aws lambda delete-function-event-invoke-config --region {deployment.region} "
                f"--function-name {name}"
            )
            facts = {
                "retries": str(found.get("MaximumRetryAttempts", "")),
                "seconds": str(found.get("MaximumEventAgeInSeconds", "")),
            }
            yield CheckResult.fault(
                "retries", "retries_fewer", remedy, name, handler=handler, **facts
            )
        else:
            yield CheckResult.ok("retries", name, handler=handler)


def check_concurrency(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that no function is throttled to nothing, as an emergency stop does."""
    functions: LambdaClient = clients("lambda", deployment.region)
    for handler in deployment.handlers:
        name = deployment.function(handler)
        try:
            answer = functions.get_function_concurrency(FunctionName=name)
        except ClientError as error:
            if is_missing(error):
                continue  # reported with the function
            raise
        if answer.get("ReservedConcurrentExecutions") == 0:
            remedy = (
                f"aws lambda delete-function-concurrency --region {deployment.region} "
                f"--function-name {name}"
            )
            yield CheckResult.fault(
                "concurrency", "concurrency_zero", remedy, name, handler=handler
            )
        else:
            yield CheckResult.ok("concurrency", name, handler=handler)


def check_errors(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See whether a function failed or was throttled within a day."""
    cloudwatch: CloudWatchClient = clients("cloudwatch", deployment.region)
    now = datetime.now(UTC)
    queries = [
        _sum_of(metric, index, deployment.function(handler))
        for index, handler in enumerate(deployment.handlers)
        for metric in _FAILURES
    ]
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=now - _ERRORS_SINCE, EndTime=now
    )
    counts = {metric["Id"]: int(sum(metric["Values"])) for metric in answer["MetricDataResults"]}
    for index, handler in enumerate(deployment.handlers):
        name = deployment.function(handler)
        seen = {code: counts.get(f"{code}_{index}", 0) for code in _FAILURES.values()}
        facts = {code: str(count) for code, count in seen.items()}
        if any(seen.values()):
            remedy = (
                f"aws logs tail {deployment.log_group(handler)} --region {deployment.region} "
                "--since 1d"
            )
            code = "errors_seen" if seen["errors"] else "throttles_seen"
            yield CheckResult.fault("errors", code, remedy, name, handler=handler, **facts)
        else:
            yield CheckResult.ok("errors", name, handler=handler, **facts)


def _sum_of(metric: str, index: int, function: str) -> "MetricDataQueryTypeDef":
    return {
        "Id": f"{_FAILURES[metric]}_{index}",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/Lambda",
                "MetricName": metric,
                "Dimensions": [{"Name": "FunctionName", "Value": function}],
            },
            "Period": 3600,
            "Stat": "Sum",
        },
    }


def check_logs(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each function has a log group, and that it does not keep names for ever."""
    client: CloudWatchLogsClient = clients("logs", deployment.region)
    prefix = deployment.log_group("")
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    kept = {
        group["logGroupName"]: group.get("retentionInDays")
        for page in pages
        for group in page["logGroups"]
    }
    for handler in deployment.handlers:
        name = deployment.log_group(handler)
        if name not in kept:
            remedy = deployment.deploy_command
            yield CheckResult.fault("logs", "logs_missing", remedy, name, handler=handler)
        elif (days := kept[name]) is None:
            remedy = (
                f"aws logs put-retention-policy --region {deployment.region} "
                f"--log-group-name {name} --retention-in-days 7"
            )
            yield CheckResult.fault("logs", "logs_kept_for_ever", remedy, name, handler=handler)
        else:
            yield CheckResult.ok("logs", name, handler=handler, days=str(days))
