"""What `.chalice/config.json` holds before an operator's first `setup`."""

from typing import Any

from chalicelib import resource_names
from ops.iam.grants import file_name


def default_config() -> dict[str, Any]:
    """Return the configuration of a fresh clone."""
    return {
        "version": "2.0",
        "app_name": resource_names.APP,
        "autogen_policy": False,
        "lambda_memory_size": 128,
        "lambda_timeout": 60,
        "log_retention_in_days": 7,
        "lambda_functions": {"self_check": {"lambda_memory_size": 512}},
        "stages": {
            "local": {"environment_variables": {"STAGE": "local", "SIGN_IN_REGION": "us-east-1"}},
            **{stage: _stage(stage) for stage in ("dev", "prod")},
        },
    }


def _stage(stage: str) -> dict[str, Any]:
    return {
        "environment_variables": {
            "STAGE": stage,
            "SIGN_IN_REGION": "us-east-1",
            "WEBHOOK_URL_ENCRYPTED": "",
            "WEBHOOK_ENCRYPTION_CONTEXT": f'{{"app": "{resource_names.APP}", "stage": "{stage}"}}',
            "UNDELIVERED_QUEUE": "",
        },
        "lambda_functions": {
            handler: {"iam_policy_file": file_name(stage, handler)}
            for handler in resource_names.HANDLERS
        },
    }
