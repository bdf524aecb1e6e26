"""Do the functions run: their state, settings, concurrency, errors and logs."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_missing
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult
from chalicelib.settings import Settings
from chalicelib.timeout import EXCHANGE_SECONDS, LOOKUP_SECONDS, RESERVE_SECONDS

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationResponseTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient

# When Lambda stops mending a runtime. Source: "Lambda runtimes" (AWS Lambda Developer Guide).
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
# The others may well have settings of their own, such as another channel.
_SET_AS_THE_STAGE: Final = ("on_sign_in", "on_undelivered")
_ERRORS_SINCE: Final = timedelta(days=1)
_FAILURES: Final = {"Errors": "errors", "Throttles": "throttles"}  # metric → our word


def check_function(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each function is there, able to run, and set as the stage is."""
    functions: LambdaClient = clients("lambda", deployment.region)
    for handler in deployment.handlers:
        name = deployment.function(handler)
        settings = deployment.settings if handler in _SET_AS_THE_STAGE else None
        code, facts = _fault_of(configuration(functions, name), handler, settings)
        if code:
            remedy = deployment.deploy_command
            if code == "log_level_high":
                remedy = (
                    f"aws lambda update-function-configuration --region {deployment.region} "
                    f"--function-name {name} "
                    "--logging-config LogFormat=JSON,ApplicationLogLevel=INFO"
                )
            yield CheckResult.fault("function", code, remedy, name, handler=handler, **facts)
        else:
            yield CheckResult.ok("function", name, handler=handler, **facts)


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


def _fault_of(
    found: Mapping[str, Any] | None, handler: str, settings: Settings | None
) -> tuple[str, dict[str, str]]:
    """Return the code of what is wrong with a function, or "", and the facts."""
    if found is None:
        return "function_missing", {}
    runtime: str = found.get("Runtime", "")
    if found.get("State") == "Failed" or found.get("LastUpdateStatus") == "Failed":
        why = found.get("StateReason") or found.get("LastUpdateStatusReason") or ""
        return "function_failed", {"why": why}
    until = _SUPPORTED_UNTIL.get(runtime)
    if until and until < datetime.now(UTC).date():
        return "runtime_unsupported", {"runtime": runtime, "date": until.isoformat()}
    if (seconds := found.get("Timeout", 0)) < _SHORTEST_TIMEOUT:
        return "timeout_short", {"seconds": str(seconds), "least": str(_SHORTEST_TIMEOUT)}
    level: str = found.get("LoggingConfig", {}).get("ApplicationLogLevel", "INFO")
    if level in _DROPPING_LEVELS:
        return "log_level_high", {"level": level}
    if found.get("Handler") != f"app.{handler}":
        return "settings_differ", {"settings": "Handler"}
    variables = found.get("Environment", {}).get("Variables", {})
    if settings and (differing := _differing(variables, settings)):
        return "settings_differ", {"settings": differing}
    return "", {"runtime": runtime}


def _differing(variables: Mapping[str, str], settings: Settings) -> str:
    """Return the names of the settings in which a function differs from the stage, no values."""
    deployed, faults = Settings.read(variables)
    if faults:
        return ", ".join(dict.fromkeys(fault.setting for fault in faults))
    return ", ".join(
        field.name.upper()
        for field in fields(Settings)
        if getattr(deployed, field.name) != getattr(settings, field.name)
    )


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
    counts = {one["Id"]: int(sum(one["Values"])) for one in answer["MetricDataResults"]}
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
