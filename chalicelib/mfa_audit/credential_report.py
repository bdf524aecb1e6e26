"""IAM's credential report: who has a console password, and who has MFA.

Where the report is unclear, a person counts as having a password and no MFA.

Sources: "Generate credential reports for your AWS account" (IAM User Guide), by which root has no
password where `password_enabled` is FALSE; older reports say `not_supported` of every root. "AWS
GovCloud (US) account root user" (AWS GovCloud User Guide): it cannot sign in to a console.
"""

import csv
import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import CONFIG
from chalicelib.aws.error_codes import code_of, is_denied
from chalicelib.errors import AWSReadError
from chalicelib.signin.json_fields import parse_time

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

PATIENCE: Final = 30.0  # seconds
_PAUSE: Final = 1.0  # seconds between two looks

_NEEDED: Final = ("user", "password_enabled", "mfa_active")
_ROOT: Final = "<root_account>"
_NO_PASSWORD: Final = ("false", "n/a")
_TRACKED_SINCE: Final = datetime(2014, 10, 20, tzinfo=UTC)  # IAM knows no use of a password before
_NOT_READY: Final = ("ReportExpired", "ReportInProgress", "ReportNotPresent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An IAM user or root, who is called `<root_account>`.

    `password_since` is when the password was last set, `last_used` when it last signed in; None
    where the report does not say. `never_used` is true where it says that it never did.
    """

    name: str
    is_root: bool
    can_sign_in: bool
    has_mfa: bool
    password_since: datetime | None
    last_used: datetime | None
    never_used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialReport:
    """Root, if the report lists it, and every IAM user, as they were at `made_at`."""

    made_at: datetime | None
    people: tuple[Person, ...]

    @classmethod
    def parse(cls, content: bytes, *, made_at: datetime | None) -> Self:
        """Read the report's CSV. Raises AWSReadError if it does not say who may sign in."""
        text = io.StringIO(content.decode("utf-8-sig", errors="replace"), newline="")
        try:
            header, *rows = list(csv.reader(text)) or [[]]
        except csv.Error:
            raise AWSReadError("IAM's credential report cannot be read as CSV.") from None
        if missing := [column for column in _NEEDED if column not in header]:
            raise AWSReadError(f"IAM's credential report has no column {', '.join(missing)}.")
        return cls(
            made_at=made_at,
            people=tuple(_person(_cells(header, row)) for row in rows if row),
        )


def iam_client() -> "IAMClient":
    """Make an IAM client that gives up before the function is killed."""
    return boto3.client("iam", config=CONFIG)


def fetch(
    iam: "IAMClient",
    *,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> CredentialReport:
    """Have IAM make the report, wait for it up to `patience` seconds, and read it.

    IAM makes a report every four hours at most, and gives the last until then. Raises AWSReadError.
    """
    give_up_at = clock() + patience
    while True:
        if report := _ready_report(iam):
            return report
        if clock() + _PAUSE > give_up_at:
            raise AWSReadError(
                f"IAM has not finished its credential report in {patience:.0f} seconds. It goes on "
                "making it: the next try, by Lambda or by hand, will find it."
            )
        sleep(_PAUSE)


def _ready_report(iam: "IAMClient") -> CredentialReport | None:
    """Return the report if it is ready; if there is none, or it is old, have it made."""
    action = "iam:GenerateCredentialReport"
    try:
        if iam.generate_credential_report()["State"] != "COMPLETE":
            return None
        action = "iam:GetCredentialReport"
        answer = iam.get_credential_report()
    except ClientError as error:
        code = code_of(error)
        if code in _NOT_READY:
            return None
        if is_denied(error):
            raise AWSReadError(
                f"The right {action} is missing: the MFA audit reads IAM's credential report. "
                "Allow it in the policy file of audit_mfa, or to whoever runs the command."
            ) from None
        raise AWSReadError(f"IAM refused {action}: {code}. A later try may work.") from None
    except BotoCoreError as error:
        raise AWSReadError(f"IAM did not answer {action}: {type(error).__name__}.") from None
    return CredentialReport.parse(answer["Content"], made_at=answer.get("GeneratedTime"))


def _cells(header: list[str], row: list[str]) -> Mapping[str, str]:
    """Name a row's cells; a cell that is not there says nothing.

    A user's name may hold commas. Should the report not quote it, name and ARN, the first two
    columns, fall into too many cells: the others are then counted from the right.
    """
    if surplus := max(0, len(row) - len(header)):
        name, _, arn = ",".join(row[: surplus + 2]).partition(",arn:")
        row = [name, f"arn:{arn}", *row[surplus + 2 :]]
    return dict(zip(header, row, strict=False))


def _person(cells: Mapping[str, str]) -> Person:
    name, arn = cells.get("user", ""), cells.get("arn", "")
    is_root = name == _ROOT or arn.endswith(":root")
    has_console = not (is_root and arn.startswith("arn:aws-us-gov:"))
    has_password = _word(cells, "password_enabled") not in _NO_PASSWORD
    last_used = _word(cells, "password_last_used")
    made_at = parse_time(cells.get("user_creation_time", ""))
    return Person(
        name=name or "?",
        is_root=is_root,
        can_sign_in=has_password and has_console,
        has_mfa=_word(cells, "mfa_active") == "true",
        password_since=parse_time(cells.get("password_last_changed", "")),
        last_used=parse_time(cells.get("password_last_used", "")),
        never_used=last_used == "never"
        or (last_used == "no_information" and made_at is not None and made_at > _TRACKED_SINCE),
    )


def _word(cells: Mapping[str, str], column: str) -> str:
    return cells.get(column, "").strip().lower()
