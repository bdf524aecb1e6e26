"""Which statements of a resource's policy let a service in, and which keep it out."""

from typing import Any

import pytest

from chalicelib.health.policy import lets_in

ALLOW = {"Effect": "Allow", "Principal": {"Service": "x.amazonaws.com"}, "Action": "x:Do"}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "x:*"}
ORG = {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}
SOURCE = {"aws:sourceaccount": "111122223333"}


@pytest.mark.parametrize(
    ("statements", "is_in"),
    [
        ([ALLOW], True),
        ([{**ALLOW, "Condition": {"StringEquals": {"AWS:SourceAccount": "1111*"}}}], True),
        ([{**ALLOW, "Condition": {"StringEquals": ORG}}], False),
        ([{**ALLOW, "Action": "x:Else"}], False),
        ([ALLOW, DENY], False),
        ([ALLOW, {**DENY, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], True),
        ([ALLOW, {**DENY, "Condition": {"Bool": {"aws:SecureTransport": True}}}], False),
        (
            [  # a data perimeter
                ALLOW,
                {
                    **DENY,
                    "Condition": {
                        "StringNotEqualsIfExists": ORG,
                        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                    },
                },
            ],
            True,
        ),
        ([ALLOW, {"Effect": "Deny", "Principal": "*", "NotAction": "x:Else"}], False),
        (
            [ALLOW, {**DENY, "Condition": {"StringNotEquals": {"aws:SourceAccount": "4444"}}}],
            False,
        ),
    ],
)
def test_a_service_is_let_in_by_what_allows_it_and_nothing_denies(
    statements: list[dict[str, Any]], *, is_in: bool
) -> None:
    policy = {"Version": "2012-10-17", "Statement": statements}
    assert lets_in(policy, "x.amazonaws.com", "x:Do", SOURCE) == is_in
