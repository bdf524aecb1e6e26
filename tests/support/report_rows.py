"""Rows of IAM's credential report, as AWS writes them."""

# The columns of a live report, in their order.
HEADER = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
    "password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
    "access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
    "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,"
    "cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)
NO_KEYS = "false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
ALICE = (
    "alice,arn:aws:iam::111122223333:user/alice,2020-01-02T03:04:05+00:00,true,"
    f"2026-05-06T07:08:09+00:00,2021-02-03T04:05:06+00:00,N/A,false,{NO_KEYS}"
)
ROOT = (
    "<root_account>,arn:aws:iam::111122223333:root,2019-01-01T00:00:00+00:00,true,"
    f"2026-01-01T00:00:00+00:00,2019-01-01T00:00:00+00:00,not_supported,false,{NO_KEYS}"
)


def changed(row: str, **values: str) -> str:
    """Return a copy of a row with other values in some columns."""
    cells = dict(zip(HEADER.split(","), row.split(","), strict=True))
    return ",".join({**cells, **values}.values())
