"""The policy files of a stage, beside `.chalice/config.json`: written from its settings.

Chalice reads them after it has imported app.py, so the deploy guard writes them for each
deployment. They are not tracked; an operator's own statements are, in `policy-extra-<stage>.json`.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from chalicelib import resource_names
from chalicelib.health.policy import as_list
from chalicelib.settings import Settings
from ops.errors import OpsError
from ops.iam import grants
from ops.project.config_file import ConfigFile


def path_of(config: ConfigFile, stage: str, handler: str) -> Path:
    """Return the file that Chalice reads a handler's policy from."""
    file = config.setting("iam_policy_file", stage, handler)
    return config.folder / (file or f"policy-{stage}.json")


def unnamed(config: ConfigFile, stage: str) -> dict[tuple[str, ...], str]:
    """Return the names that config.json lacks, by their place: no two handlers share a file."""
    shared = Counter(path_of(config, stage, handler) for handler in resource_names.HANDLERS)
    return {
        ("stages", stage, "lambda_functions", handler, "iam_policy_file"): grants.file_name(
            stage, handler
        )
        for handler in resource_names.HANDLERS
        if shared[path_of(config, stage, handler)] > 1
    }


def texts(config: ConfigFile, stage: str, settings: Settings) -> dict[Path, str]:
    """Return what the stage's generated policy files should hold.

    A file under a name of the operator's own is theirs. Raises OpsError if their own statements
    cannot be used.
    """
    extra = _extra_statements(config, stage)
    return {
        path: json.dumps(_with(document, extra), indent=2) + "\n"
        for handler in resource_names.HANDLERS
        for path in [path_of(config, stage, handler)]
        if path.name == grants.file_name(stage, handler)
        for document in [
            grants.document(settings, handler, in_vpc=bool(config.subnets(stage, handler)))
        ]
    }


def write(config: ConfigFile, stage: str, settings: Settings) -> list[Path]:
    """Write the stage's policy files; return those that changed."""
    changed = [
        (path, text)
        for path, text in texts(config, stage, settings).items()
        if current(path) != text
    ]
    for path, text in changed:
        path.write_text(text, encoding="utf-8")
    return [path for path, _ in changed]


def current(path: Path) -> str:
    """Return what a policy file holds; nothing if there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def _with(document: grants.Document, extra: list[Any]) -> grants.Document:
    return {**document, "Statement": [*document["Statement"], *extra]}


def _extra_statements(config: ConfigFile, stage: str) -> list[Any]:
    file = config.folder / f"policy-extra-{stage}.json"
    text = current(file)
    if not text:
        return []
    try:
        document = json.loads(text)
    except ValueError as fault:
        raise OpsError(f"{file} is not JSON: {fault}.") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if not isinstance(statements, list) or not all(
        isinstance(statement, dict) for statement in statements
    ):
        raise OpsError(f"{file} must be an IAM policy: an object with a list, Statement.")
    for statement in statements:
        for action in as_list(statement.get("Action")):
            if statement.get("Effect") == "Allow" and "*" in str(action):
                raise OpsError(f"{file} allows {action}: name each action, without *.")
    return statements
