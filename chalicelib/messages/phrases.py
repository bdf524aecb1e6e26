"""Every word a reader sees, in each language: one JSON file a language, the same keys in all.

A new language is a new file here and its code in `settings.Language`.
"""

import json
import re
from functools import cache
from pathlib import Path


class Phrases:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        """Read the language's file."""
        path = Path(__file__).parent / "languages" / f"{language}.json"
        self._phrases: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))

    def __call__(self, key: str, **values: object) -> str:
        """Return the phrase of that key with its placeholders filled; KeyError if there is none."""
        return self._phrases[key].format(**values)

    def __contains__(self, key: str) -> bool:
        return key in self._phrases

    def placeholders(self, key: str) -> list[str]:
        """Return the names of a phrase's placeholders, in its order."""
        return re.findall(r"\{(\w+)\}", self._phrases[key])


@cache
def phrases_in(language: str) -> Phrases:
    """Return the words of a language, read once."""
    return Phrases(language)
