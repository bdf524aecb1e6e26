"""CSV for auditors, in which a spreadsheet finds text and no formulas."""

import csv
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from chalicelib.messages.payload import clean

_LONGEST: Final = 240
# With these a spreadsheet would take a user name, which a stranger may choose, for a formula.
_FORMULA: Final = ("=", "+", "-", "@")


def write_csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write rows to standard output under a header; None becomes an empty cell."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if cell is None else _harmless(str(cell)) for cell in row])


def _harmless(cell: str) -> str:
    text = clean(cell, _LONGEST)
    return f"'{text}" if text.startswith(_FORMULA) else text
