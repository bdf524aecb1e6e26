"""The sign-ins of the history, for people to read and for auditors to keep."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from chalicelib.messages.payload import clean
from chalicelib.messages.wording import Wording
from chalicelib.settings import Settings
from chalicelib.signin.filters import reason_to_ignore
from chalicelib.signin.model import Mfa, Outcome
from chalicelib.signin.severity import AssessedSignIn, Severity

_COLOURS: Final = {Severity.WARNING: "yellow", Severity.CRITICAL: "red"}
_LONGEST: Final = 60
_WIDE: Final = 120  # columns from which the region and the address have a place
_IGNORED_BY: Final = {
    "below_minimum_severity": "MINIMUM_SEVERITY",
    "ignored_event": "IGNORED_EVENTS",
    "ignored_principal": "IGNORED_PRINCIPALS",
}
FIELDS: Final = (
    "account",
    "time",
    "severity",
    "reasons",
    "who",
    "principal_arn",
    "event",
    "outcome",
    "failure_reason",
    "mfa",
    "address",
    "user_agent",
    "region",
    "event_id",
    "posted",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A sign-in in English words; `ignored` names the setting that keeps it from being posted."""

    assessed: AssessedSignIn
    time: str
    who: str
    ignored: str

    def values(self) -> dict[str, Any]:
        """Return what `--csv` and `--json` hold, by `FIELDS`."""
        sign_in = self.assessed.sign_in
        mfa = "failed" if sign_in.failed_at_mfa else sign_in.mfa.value
        values = (
            sign_in.account_id,
            self.time,
            self.assessed.severity.word,
            " ".join(self.assessed.reasons),
            self.who,
            sign_in.principal.arn,
            sign_in.event_name,
            sign_in.outcome.value,
            sign_in.failure_reason,
            mfa,
            sign_in.source_ip,
            sign_in.user_agent,
            sign_in.region,
            sign_in.event_id,
            "no" if self.ignored else "yes",
        )
        return dict(zip(FIELDS, values, strict=True))


def row(assessed: AssessedSignIn, settings: Settings) -> Row:
    """Return the row of a sign-in."""
    time = assessed.sign_in.event_time
    ignored = reason_to_ignore(assessed, settings)
    return Row(
        assessed=assessed,
        time=f"{time:%Y-%m-%dT%H:%M:%SZ}" if time else "",
        who=Wording(replace(settings, message_language="en"), markup=False).who_with_role(
            assessed.sign_in
        ),
        ignored=_IGNORED_BY.get(ignored, ignored) if ignored else "",
    )


def table(rows: Sequence[Row], width: int) -> Table:
    """Return the rows as a table; a narrow table has neither year, seconds, region nor MFA."""
    is_wide = width >= _WIDE
    heads = ["TIME", "SEVERITY", "WHO", "EVENT", "OUTCOME", "FROM"]
    drawn = Table(*heads, *(["MFA", "REGION", ""] if is_wide else []), box=None, pad_edge=False)
    for column in drawn.columns:
        column.overflow = "fold"
    drawn.columns[0].no_wrap = True
    for row in rows:
        sign_in = row.assessed.sign_in
        time = row.time.replace("T", " ").removesuffix("Z")
        cells = [
            (time if is_wide else time[5:16]) or "?",
            row.assessed.severity.word,
            row.who,
            sign_in.event_name or "?",
            sign_in.outcome.value,
            sign_in.source_ip or "?",
        ]
        if is_wide:
            muted = f"muted by {row.ignored}" if row.ignored else ""
            cells += [sign_in.mfa.value, sign_in.region or "?", muted]
        style = _COLOURS.get(row.assessed.severity, "")
        drawn.add_row(*(Text(clean(cell, _LONGEST), style) for cell in cells))
    return drawn


def summary(rows: Sequence[Row]) -> str:
    """Return the rows summed up in a sentence."""
    sign_ins = [row.assessed.sign_in for row in rows]
    counts = {
        "people": len(
            {(who.type, who.name) for who in (sign_in.principal for sign_in in sign_ins)}
        ),
        "regions": len({sign_in.region for sign_in in sign_ins}),
        "failed": sum(sign_in.outcome is Outcome.FAILURE for sign_in in sign_ins),
        "without MFA": sum(
            sign_in.mfa is Mfa.NO and sign_in.outcome is not Outcome.FAILURE for sign_in in sign_ins
        ),
        "not posted by these settings": sum(bool(row.ignored) for row in rows),
    }
    listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
    return f"Sign-in events: {len(rows)} ({listed})."
