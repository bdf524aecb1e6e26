"""The IAM roles that are not Chalice's own work.

EventBridge forwards sign-ins with a role, for all regions of an account. The functions' roles are
made here only under a permissions boundary, which Chalice cannot set: it takes up a role that is
there.
"""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from chalicelib.aws.error_codes import unless_missing
from ops.account import Account, tags_of
from ops.plan import Step

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

Document = Mapping[str, Any]

LAMBDA: Final = "lambda.amazonaws.com"
EVENTS: Final = "events.amazonaws.com"


def document(**statement: object) -> Document:
    """Return a policy that allows one thing."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def trust_in(service: str, **condition: object) -> Document:
    """Return the policy that lets a service use a role."""
    return document(Principal={"Service": service}, Action="sts:AssumeRole", **condition)


class Role:
    """A role of a stage: what there is, and what is to be done.

    `policy` is what it may do; None if Chalice sets that.
    """

    def __init__(
        self, account: Account, stage: str, name: str, *, trust: Document, policy: Document | None
    ) -> None:
        self.arn = account.role_arn(name)
        self._name = name
        self._trust = trust
        self._policy = policy
        self._boundary = account.boundary
        self._mark = tags_of(stage)
        self._tags = account.tags_for(stage)
        self._iam: IAMClient = account.session.client("iam")

    def steps(self) -> Iterator[Step]:
        """Return the steps to a role that may do its work, under the boundary if it is set."""
        found = self._found()
        if found is None:
            under = f"under {self._boundary}" if self._boundary else ""
            yield Step(f"make the IAM role {self._name}", self._make, under)
            return
        bounded = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        if self._boundary not in ("", bounded):
            yield Step(
                f"put the IAM role {self._name} under {self._boundary}",
                lambda: self._iam.put_role_permissions_boundary(
                    RoleName=self._name, PermissionsBoundary=self._boundary
                ),
                kind="change",
            )
        if self._policy and (
            found["AssumeRolePolicyDocument"] != self._trust or self._granted() != self._policy
        ):
            yield Step(f"give the IAM role {self._name} its rights", self._repair, kind="change")

    def removal_steps(self) -> Iterator[Step]:
        """Return the step that deletes the role, if `setup` or `regions` made it."""
        found = self._found() or {}
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        if self._mark.items() <= tags.items():
            yield Step(f"delete the IAM role {self._name}", self._delete, kind="remove")

    def _make(self) -> None:
        under: Any = {"PermissionsBoundary": self._boundary} if self._boundary else {}
        self._iam.create_role(
            RoleName=self._name,
            AssumeRolePolicyDocument=json.dumps(self._trust),
            Description="Of signin-monitor",
            Tags=[{"Key": key, "Value": value} for key, value in self._tags.items()],
            **under,
        )
        self._grant()

    def _repair(self) -> None:
        self._iam.update_assume_role_policy(
            RoleName=self._name, PolicyDocument=json.dumps(self._trust)
        )
        self._grant()

    def _grant(self) -> None:
        if self._policy:
            self._iam.put_role_policy(
                RoleName=self._name, PolicyName=self._name, PolicyDocument=json.dumps(self._policy)
            )

    def _delete(self) -> None:
        if self._granted():
            self._iam.delete_role_policy(RoleName=self._name, PolicyName=self._name)
        self._iam.delete_role(RoleName=self._name)

    def _found(self) -> Any:  # noqa: ANN401  # the stubs call a decoded policy a string
        return unless_missing(lambda: self._iam.get_role(RoleName=self._name)["Role"])

    def _granted(self) -> Any:  # noqa: ANN401  # likewise
        named = {"RoleName": self._name, "PolicyName": self._name}
        return unless_missing(lambda: self._iam.get_role_policy(**named)["PolicyDocument"])
