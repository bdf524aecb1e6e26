"""Makes the AWS clients that a sign-in needs: quick to make, and quick to give up."""

from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from botocore.session import Session

_SECONDS: Final = 4


def aws_client(service: str, region: str) -> Any:  # noqa: ANN401 — any service's
    """Make a client whose calls end while there is time left to park an event, or to fail."""
    from botocore.config import Config  # noqa: PLC0415 — slow; see `session`

    config = Config(
        connect_timeout=_SECONDS,
        read_timeout=_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 2},
    )
    return session().create_client(service, region, config=config)


@cache
def session() -> "Session":
    """Return botocore's own session: boto3's would import what moves files to S3 as well."""
    from botocore.session import get_session  # noqa: PLC0415 — slow; a page may never call AWS

    return get_session()
