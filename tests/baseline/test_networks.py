"""Which network an address is of."""

import pytest

from chalicelib.baseline.networks import KnownNetworks, network_of

KNOWN = KnownNetworks(
    {
        "203.0.113.0/24": "Seoul office",
        "203.0.113.128/25": "Seoul VPN",
        "198.51.100.7": "bastion",
        "2001:db8::/32": "data centre",
        "2001:db8:5::/48": "lab",
    }
)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("203.0.113.5", "Seoul office"),
        ("203.0.113.200", "Seoul VPN"),
        ("::ffff:203.0.113.5", "Seoul office"),
        ("198.51.100.7", "bastion"),
        ("198.51.100.8", None),
        ("2001:db8:4::1", "data centre"),
        ("2001:DB8:5::1", "lab"),
        ("2001:db9::1", None),
        ("AWS Internal", None),
        (None, None),
    ],
)
def test_the_smallest_known_network_that_holds_an_address_names_it(
    address: str | None, name: str | None
) -> None:
    assert KNOWN.name_of(address) == name


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.5", "203.0.113.0/24"),
        ("::ffff:203.0.113.5", "203.0.113.0/24"),
        ("2001:db8:5:6::1", "2001:db8:5::/48"),
        ("appstream.amazonaws.com", "appstream.amazonaws.com"),
        (None, None),
    ],
)
def test_addresses_are_compared_by_their_network(address: str | None, network: str | None) -> None:
    assert network_of(address) == network
