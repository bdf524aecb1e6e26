"""Where AWS's consoles are: each partition has a host of its own."""

from typing import Final

_HOSTS: Final = {"cn-": "amazonaws.cn", "us-gov-": "amazonaws-us-gov.com"}
_COMMERCIAL: Final = "aws.amazon.com"


def cloudtrail_page(region: str, page: str) -> str:
    """Return the address of a page of CloudTrail's console, in the region's partition."""
    hosts = (host for prefix, host in _HOSTS.items() if region.startswith(prefix))
    return (
        f"https://{region}.console.{next(hosts, _COMMERCIAL)}"
        f"/cloudtrailv2/home?region={region}#/{page}"
    )
