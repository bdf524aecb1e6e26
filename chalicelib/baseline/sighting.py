"""What is compared of a sign-in: a person, at a network, with a client."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chalicelib.baseline.networks import network_of
from chalicelib.baseline.person import person_of
from chalicelib.signin.model import SignIn
from chalicelib.signin.user_agent import client_of

_LONGEST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A person at a network with a client, as an event of CloudTrail's says."""

    person: str
    event_id: str
    network: str
    client: str
    time: datetime

    @property
    def day(self) -> str:
        """The day of it, in ISO 8601."""
        return self.time.date().isoformat()


def sighting_of(sign_in: SignIn, network_name: str | None, time: datetime) -> Sighting | None:
    """Return what is compared of a sign-in, or None; `network_name` is a known network's.

    Failures are not: a stranger causes them. Nor are replays, which are no new sign-ins.
    """
    if not sign_in.is_entry or sign_in.replayed:
        return None
    person = person_of(sign_in)
    network = network_name or network_of(sign_in.source_ip)
    if endpoint := sign_in.vpc_endpoint:  # whoever has a VPC chooses its addresses
        network = endpoint.id[:_LONGEST]
    if not (person and network and sign_in.event_id):
        return None
    return Sighting(
        person=person,
        event_id=sign_in.event_id,
        network=network,
        client=client_of(sign_in.user_agent),
        time=time,
    )
