"""Chalice's own record of what it deployed: `.chalice/deployed/<stage>.json`, a cache of AWS's."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ops.project.config_file import FOLDER

Resource = Mapping[str, str]


def record_path(stage: str) -> Path:
    """Return the path of a stage's record."""
    return FOLDER / "deployed" / f"{stage}.json"


def read_record(stage: str) -> tuple[Resource, ...]:
    """Return the resources that are recorded for a stage; none if there is no readable record."""
    try:
        return tuple(json.loads(record_path(stage).read_text())["resources"])
    except (OSError, ValueError, LookupError, TypeError):
        return ()


def write_record(stage: str, resources: Iterable[Resource]) -> bool:
    """Record a stage's resources as Chalice does; return whether that changed what Chalice reads.

    The order of what is recorded already stays.
    """
    found = {resource["name"]: resource for resource in resources}
    if found == {resource.get("name"): resource for resource in read_record(stage)}:
        return False
    record_path(stage).parent.mkdir(parents=True, exist_ok=True)
    content = {"resources": list(found.values()), "schema_version": "2.0", "backend": "api"}
    record_path(stage).write_text(json.dumps(content, indent=2) + "\n")
    return True


@dataclass(frozen=True, slots=True)
class Deployed:
    """Where a stage's functions are."""

    region: str
    account_id: str

    @classmethod
    def read(cls, stage: str) -> Self | None:
        """Read it off a function's ARN; None if nothing is deployed from this folder."""
        try:
            functions = [resource for resource in read_record(stage) if "lambda_arn" in resource]
            arns = [function["lambda_arn"] for function in functions]
            _, _, _, region, account_id, *_ = arns[0].split(":")
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
        return cls(region, account_id)
