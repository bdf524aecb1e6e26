"""The identity store of IAM Identity Center, which knows the names of its users."""

from botocore.exceptions import BotoCoreError, ClientError

from ops.account import Account


def find_identity_store(account: Account) -> str | None:
    """Return the id of the identity store that is seen from the home region; None if none is.

    Of an organisation's store only the management account and a delegated administrator know.
    """
    sso_admin = account.client("sso-admin", account.region)
    try:
        instances = sso_admin.list_instances()["Instances"]
    except (ClientError, BotoCoreError):
        return None
    store_ids = (instance.get("IdentityStoreId") for instance in instances)
    return next(filter(None, store_ids), None)
