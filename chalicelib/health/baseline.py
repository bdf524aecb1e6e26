"""Whether the baseline remembers: the table, its key, and that it forgets in time."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_missing
from chalicelib.baseline.item import EXPIRY, KEY
from chalicelib.health.deployment import Deployment
from chalicelib.health.result import CheckResult


def check_baseline(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that the stage's table can be asked, and that it forgets people in time."""
    name = deployment.settings.baseline_table
    if not name:
        return
    remedy = deployment.ops_command("setup", "--baseline")
    dynamodb: Any = clients("dynamodb", deployment.region)
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
    except ClientError as error:
        if not is_missing(error):
            raise
        yield CheckResult.fault("baseline", "table_missing", remedy, name)
        return
    key = [(part["AttributeName"], part["KeyType"]) for part in table["KeySchema"]]
    attributes = table["AttributeDefinitions"]
    kinds = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in attributes}
    if key != [(KEY, "HASH")] or kinds[KEY] != "S":
        yield CheckResult.fault("baseline", "table_key", remedy, name, key=KEY)
    elif table["TableStatus"] not in ("ACTIVE", "UPDATING"):
        status = table["TableStatus"]
        yield CheckResult.fault("baseline", "table_inactive", "", name, status=status)
    elif not forgets(dynamodb, name):
        yield CheckResult.fault("baseline", "table_forgets_nothing", remedy, name)
    elif not table.get("DeletionProtectionEnabled"):
        yield CheckResult.fault("baseline", "table_unprotected", remedy, name)
    else:
        days = str(deployment.settings.baseline_days)
        yield CheckResult.ok("baseline", name, remembers_days=days)


def forgets(dynamodb: Any, table: str) -> bool:  # noqa: ANN401 — boto3's client
    """Return whether DynamoDB deletes the items of a table that have expired."""
    expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    is_on = expiry["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return is_on and expiry.get("AttributeName") == EXPIRY
