"""Where sign-ins come from, by what one stage knows: its networks and its table."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from chalicelib import log
from chalicelib.aws.json_protocol import JSONClient
from chalicelib.baseline.networks import KnownNetworks
from chalicelib.baseline.sighting import Sighting, sighting_of
from chalicelib.errors import AWSCallError
from chalicelib.settings import Settings
from chalicelib.signin.model import SignIn
from chalicelib.signin.origin import Habits, Origin
from chalicelib.timeout import (
    BASELINE_BATCH_SECONDS,
    BASELINE_SECONDS,
    INIT_BASELINE_SECONDS,
    call_with_timeout,
)

if TYPE_CHECKING:
    from chalicelib.baseline.table import BaselineTable

_BATCH: Final = 50


class Origins:
    """Finds where sign-ins come from, and how that compares with what is usual."""

    def __init__(self, networks: KnownNetworks, table: "BaselineTable | None" = None) -> None:
        """Look in the known networks and in the table, if the stage has a table."""
        self._networks = networks
        self._table = table

    @classmethod
    def of_stage(cls, settings: Settings) -> Self:
        """Return the origins of a stage's sign-ins."""
        networks = KnownNetworks(settings.known_networks)
        if not settings.baseline_table:
            return cls(networks)
        from chalicelib.baseline.table import BaselineTable  # noqa: PLC0415 — only where it is used

        dynamodb = JSONClient("dynamodb", settings.sign_in_region)
        table = BaselineTable(dynamodb, settings.baseline_table, settings.baseline_days)
        return cls(networks, table)

    def connect(self) -> None:
        """Open the connection to the table, if that is quick. Raises nothing."""
        if self._table:
            with suppress(AWSCallError, TimeoutError):  # the first sign-in connects
                call_with_timeout(INIT_BASELINE_SECONDS, self._table.connect)

    def of(self, sign_in: SignIn, *, learn: bool) -> Origin:
        """Return where a sign-in came from; `learn` adds it to what is known of the person."""
        return self._origin(sign_in, partial(self._ask, learn=learn))

    def of_batch(self, sign_ins: Iterable[SignIn]) -> list[Origin]:
        """Return where each of many came from; nothing is learned of them.

        The table is asked for the first 50 alone, and no longer once it fails or is slow.
        """
        left, end = _BATCH, time.monotonic() + BASELINE_BATCH_SECONDS

        def ask(sighting: Sighting) -> Habits | None:
            nonlocal left
            if not left or time.monotonic() > end:
                return None
            habits = self._ask(sighting, learn=False)
            left = left - 1 if habits else 0
            return habits

        return [self._origin(sign_in, ask) for sign_in in sign_ins]

    def _origin(self, sign_in: SignIn, ask: Callable[[Sighting], Habits | None]) -> Origin:
        endpoint = sign_in.vpc_endpoint
        is_foreign = endpoint is not None and endpoint.account_id != sign_in.account_id
        name = None if is_foreign else self._networks.name_of(sign_in.source_ip)
        sighting = sighting_of(sign_in, name, datetime.now(UTC))
        habits = ask(sighting) if sighting else None
        is_outside = bool(self._networks and not name and sign_in.source_ip and sign_in.is_entry)
        return Origin(
            person=sighting.person if sighting and self._table else None,
            network_name=name,
            is_outside_known_networks=is_outside and (habits is None or habits.is_new_network),
            habits=habits,
        )

    def _ask(self, sighting: Sighting, *, learn: bool) -> Habits | None:
        """Ask the table; None where the stage has none, or where it does not answer in time."""
        table = self._table
        if table is None:
            return None
        try:
            return call_with_timeout(
                BASELINE_SECONDS, partial(table.learn if learn else table.compare, sighting)
            )
        except AWSCallError as error:
            log.write(level="WARNING", message=f"The baseline was not asked. {error}")
        except TimeoutError:
            log.write(level="WARNING", message="The baseline did not answer in time.")
        except Exception as error:  # noqa: BLE001 — a sign-in is posted whatever the table holds
            log.write_failure("The baseline's answer could not be read.", error)
        return None
