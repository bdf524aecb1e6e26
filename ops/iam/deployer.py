"""The policy of whoever sets up and deploys: `ops/deployer-policy.json`, bounded if need be."""

import json
from pathlib import Path
from typing import Any, Final

_FILE: Final = Path(__file__).parent.parent / "deployer-policy.json"
_ROLES: Final = "RolesOfSigninMonitor"
# Of the rights to change a role, those that IAM grants by its boundary ("Actions, resources, and
# condition keys for AWS Identity and Access Management"). A trust needs none: what a role may do is
# bounded whoever may assume it.
_BOUNDED: Final = (
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
)


def deployer_policy(boundary: str) -> dict[str, Any]:
    """Return the policy; with a boundary's ARN its holder can make only roles that it bounds."""
    policy: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    if not boundary:
        return policy
    (roles,) = [statement for statement in policy["Statement"] if statement["Sid"] == _ROLES]
    roles["Action"] = [action for action in roles["Action"] if action not in _BOUNDED]
    bounded = {
        **roles,
        "Sid": "RolesUnderTheBoundary",
        "Action": list(_BOUNDED),
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": boundary}},
    }
    return {**policy, "Statement": [*policy["Statement"], bounded]}
