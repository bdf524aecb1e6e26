"""Where AWS's consoles are: each partition has a host of its own."""

import re
from typing import Final
from urllib.parse import quote

from chalicelib.settings import REGION

# By the prefix of the partition's regions. Sources: "AWS China", "AWS GovCloud (US)" and "AWS
# European Sovereign Cloud" user guides; for the isolated partitions botocore's `signin` endpoints.
_HOSTS: Final = {
    "cn-": "amazonaws.cn",
    "us-gov-": "amazonaws-us-gov.com",
    "eusc-": "amazonaws-eusc.eu",
    "us-iso-": "c2shome.ic.gov",
    "us-isob-": "sc2shome.sgov.gov",
    "us-isof-": "csphome.hci.ic.gov",
    "eu-isoe-": "csphome.adc-e.uk",
}
_COMMERCIAL: Final = "aws.amazon.com"
_REGION: Final = re.compile(REGION)
_EVENT_ID: Final = re.compile(r"[\w-]{1,64}", re.ASCII)


def cloudtrail_page(region: str, page: str) -> str:
    """Return the address of a page of CloudTrail's console, in the region's partition."""
    return f"https://{region}.console.{_host(region)}/cloudtrailv2/home?region={region}#/{page}"


def event_page(region: str | None, event_id: str | None) -> str | None:
    """Return the address of an event in CloudTrail's console; None if it could lead elsewhere."""
    region = _checked(region)
    if not region or not _EVENT_ID.fullmatch(event_id or ""):
        return None
    return cloudtrail_page(region, f"events/{event_id}")


def history_page(region: str | None, user_name: str | None) -> str | None:
    """Return the address of CloudTrail's event history, a user's where a name is given."""
    region = _checked(region)
    if not region:
        return None
    named = f"?Username={quote(user_name, safe='')}" if user_name else ""
    return cloudtrail_page(region, f"events{named}")


def account_support_page(region: str | None) -> str | None:
    """Return where AWS helps those who cannot sign in; None outside the public partition."""
    region = _checked(region)
    if not region or _host(region) != _COMMERCIAL:
        return None
    return "https://support.aws.amazon.com/#/contacts/aws-account-support"


def _host(region: str) -> str:
    return next((_HOSTS[prefix] for prefix in _HOSTS if region.startswith(prefix)), _COMMERCIAL)


def _checked(region: str | None) -> str | None:
    """Return a region that is well-formed: some records have "global", which is us-east-1."""
    region = "us-east-1" if region == "global" else region or ""
    return region if _REGION.fullmatch(region) else None
