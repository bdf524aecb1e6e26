"""Networks: the names that a stage gives to its own, and the part of an address that is compared.

A provider gives a home another address every few weeks, mostly of the same network; so addresses
are compared by their /24, or /48 in IPv6.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_COMPARED_BITS: Final = {4: 24, 6: 48}


class KnownNetworks:
    """The networks that a stage names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        networks = [(ip_network(cidr), name) for cidr, name in names.items()]
        self._networks = sorted(networks, key=lambda item: item[0].prefixlen, reverse=True)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def name_of(self, text: str | None) -> str | None:
        """Return the name of the smallest network that holds an address, or None."""
        address = _address(text)
        if address is None:
            return None
        return next((name for network, name in self._networks if address in network), None)


def network_of(text: str | None) -> str | None:
    """Return the network of an address; for what is no address, such as a host, its own text."""
    address = _address(text)
    if address is None:
        return text and text[:100]
    return str(ip_network((address, _COMPARED_BITS[address.version]), strict=False))


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
