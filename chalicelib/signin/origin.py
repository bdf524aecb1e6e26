"""Where a sign-in came from and with what, beside what is known of the person."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a sign-in compares with what the baseline knows of the person.

    A client is written as `browser/system`, either of which may be empty. The usual networks and
    clients are those that other sign-ins brought, the last seen first. `is_of_role` says that they
    are a role's, whoever uses it: the session's name is self-chosen.
    """

    is_of_role: bool
    is_first: bool
    network: str
    client: str
    is_new_network: bool
    is_new_client: bool
    usual_networks: tuple[str, ...]
    usual_clients: tuple[str, ...]

    @property
    def is_familiar(self) -> bool:
        """Whether the person, the network and the client are all known."""
        return not (self.is_first or self.is_new_network or self.is_new_client)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a stage knows of where a sign-in came from.

    `network_name` is the known network's name. `habits` is None where no baseline was asked, or
    where it did not answer; `person` is whom it was asked for.
    """

    person: str | None = None
    network_name: str | None = None
    is_outside_known_networks: bool = False
    habits: Habits | None = None


NOTHING_KNOWN: Final = Origin()
