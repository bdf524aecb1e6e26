"""The settings of a stage to test with."""

import json
from typing import get_args

from chalicelib.settings import Language, Settings

LANGUAGES: tuple[str, ...] = get_args(Language)
ACCOUNT_NAMES = {"111122223333": "prod", "444455556666": "dev"}


def stage(**variables: str) -> Settings:
    """Return the settings of a stage; its ciphertext decrypts to nothing unless one is named."""
    return Settings.from_environment(
        {
            "STAGE": "prod",
            "WEBHOOK_URL_ENCRYPTED": "AAAA",
            "ACCOUNT_NAMES": json.dumps(ACCOUNT_NAMES),
            **variables,
        }
    )
