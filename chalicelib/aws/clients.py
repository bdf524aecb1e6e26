"""Makes the clients that the checks use: each once, for any thread, with short timeouts."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config

if TYPE_CHECKING:
    from boto3 import Session

# Gives the boto3 client of a service (its boto3 name) in a region; must be safe across threads.
Clients = Callable[[str, str], Any]

# At worst a call takes twice these seconds: a check that hangs must leave time for the others.
CONFIG: Final = Config(
    connect_timeout=3, read_timeout=7, retries={"mode": "standard", "total_max_attempts": 2}
)


def clients_of(session: "Session") -> Clients:
    """Return a maker of clients with a session's credentials; the clients are kept."""
    made: dict[tuple[str, str], Any] = {}
    lock = Lock()

    def client(service: str, region: str) -> Any:  # noqa: ANN401 — any service's
        with lock:  # a session is not safe across threads, its clients are
            if (service, region) not in made:
                made[service, region] = session.client(  # type: ignore[call-overload]
                    service, region_name=region, config=CONFIG
                )
            return made[service, region]

    return client
