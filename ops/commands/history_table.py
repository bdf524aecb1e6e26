"""The sign-ins of the history, for people to read and for auditors to keep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click

from chalicelib.messages.payload import clean
from chalicelib.messages.wording import Wording
from chalicelib.settings import Settings
from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.model import Mfa, Outcome
from chalicelib.signin.severity import AssessedSignIn, Severity

_COLOURS: Final = {Severity.WARNING: "yellow", Severity.CRITICAL: "red"}
_LONGEST: Final = 60
CSV_COLUMNS: Final = (
    "account",
    "time",
    "who",
    "event",
    "outcome",
    "mfa",
    "address",
    "region",
    "event_id",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A sign-in in words, without markup; `ignored` says why the stage would not post it."""

    assessed: AssessedSignIn
    account: str
    time: str
    who: str
    ignored: str

    @property
    def cells(self) -> tuple[str, ...]:
        """What the table shows of it."""
        sign_in = self.assessed.sign_in
        return (
            self.time,
            self.assessed.severity.word,
            self.who,
            sign_in.event_name or "?",
            sign_in.outcome.value,
            sign_in.mfa.value,
            sign_in.source_ip or "?",
            sign_in.region or "?",
            f"not posted: {self.ignored}" if self.ignored else "",
        )

    @property
    def csv_cells(self) -> tuple[str | None, ...]:
        """What stands under `CSV_COLUMNS`."""
        sign_in = self.assessed.sign_in
        return (
            self.account,
            self.time,
            self.who,
            sign_in.event_name,
            sign_in.outcome,
            sign_in.mfa,
            sign_in.source_ip,
            sign_in.region,
            sign_in.event_id,
        )


def row(assessed: AssessedSignIn, settings: Settings) -> Row:
    """Put a sign-in into words."""
    sign_in = assessed.sign_in
    time = sign_in.event_time
    return Row(
        assessed=assessed,
        account=sign_in.account_id or "",
        time=f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else "?",
        who=Wording(settings).who_with_role(sign_in),
        ignored=reason_to_ignore(assessed, settings) or "",
    )


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Draw rows as lines, in colour; a terminal that has none is given none by click."""
    header = ("TIME", "SEVERITY", "WHO", "EVENT", "OUTCOME", "MFA", "FROM", "REGION", "")
    lines = [header, *(tuple(clean(cell, _LONGEST) for cell in one.cells) for one in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    styles: list[str | None] = [None, *(_COLOURS.get(one.assessed.severity) for one in rows)]
    for cells, colour in zip(lines, styles, strict=True):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        yield click.style("  ".join(padded).rstrip(), fg=colour, bold=cells is header)


def summary(rows: Sequence[Row]) -> str:
    """Sum rows up in a sentence."""
    sign_ins = [one.assessed.sign_in for one in rows]
    counts = {
        "people": len({(one.principal.type, one.principal.name) for one in sign_ins}),
        "regions": len({one.region for one in sign_ins}),
        "failed": sum(one.outcome is Outcome.FAILURE for one in sign_ins),
        "without MFA": sum(
            one.mfa is Mfa.NO and one.outcome is not Outcome.FAILURE for one in sign_ins
        ),
        "not posted by these settings": sum(bool(one.ignored) for one in rows),
    }
    told = ", ".join(f"{name}: {count}" for name, count in counts.items())
    return f"Sign-in events: {len(rows)} ({told})."
