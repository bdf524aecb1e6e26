"""The account's regions: which are enabled, and the same question to each at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.aws.clients import Clients
from chalicelib.health.result import CheckResult
from chalicelib.health.rights import unknown

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


def enabled_regions(clients: Clients, home: str) -> list[str]:
    """Return the names of the account's enabled regions, sorted. Raises what boto3 raises."""
    ec2: EC2Client = clients("ec2", home)
    return sorted(
        region["RegionName"]
        for region in ec2.describe_regions()["Regions"]
        if region.get("OptInStatus") != "not-opted-in"
    )


def check_other_regions(
    check: str, home: str, clients: Clients, look: Callable[[str], CheckResult]
) -> Iterator[CheckResult]:
    """Yield what `look` finds in each enabled region but the home region, all asked at once."""
    try:
        regions = enabled_regions(clients, home)
    except (ClientError, BotoCoreError) as error:
        yield unknown(check, error)
        return

    def look_or_say_why(region: str) -> CheckResult:
        try:
            return look(region)
        except Exception as error:  # noqa: BLE001 — the other regions go on
            return unknown(check, error, region=region)

    others = [region for region in regions if region != home]
    with ThreadPoolExecutor(max_workers=max(len(others), 1)) as pool:
        yield from pool.map(look_or_say_why, others)
