"""Chalice's own record of what it deployed: `.chalice/deployed/<stage>.json`."""

import json
from dataclasses import dataclass
from typing import Self

from ops.project.config_file import FOLDER


@dataclass(frozen=True, slots=True)
class Deployed:
    """Where a stage's functions are."""

    region: str
    account_id: str

    @classmethod
    def read(cls, stage: str) -> Self | None:
        """Read it off a function's ARN; None if nothing is deployed from this folder."""
        try:
            record = json.loads((FOLDER / "deployed" / f"{stage}.json").read_text())
            arns = [one["lambda_arn"] for one in record["resources"] if "lambda_arn" in one]
            _, _, _, region, account_id, *_ = arns[0].split(":")
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return cls(region, account_id)
