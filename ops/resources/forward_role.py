"""The IAM role with which EventBridge forwards sign-ins: one for all regions of an account."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.error_codes import is_missing
from ops.account import Account, tags_of
from ops.plan import Step

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


class ForwardRole:
    """The role of one stage: what there is, and what is to be done."""

    def __init__(self, account: Account, stage: str, name: str, bus_arn: str) -> None:
        self.arn = account.role_arn(name)
        self._name = name
        self._bus_arn = bus_arn
        self._mark = tags_of(stage)
        self._tags = account.tags_for(stage)
        self._iam: IAMClient = account.session.client("iam")
        self._trust = _document(
            Principal={"Service": "events.amazonaws.com"},
            Action="sts:AssumeRole",
            Condition={"StringEquals": {"aws:SourceAccount": account.account_id}},
        )
        self._policy = _document(Action="events:PutEvents", Resource=bus_arn)

    def steps(self) -> Iterator[Step]:
        """Return the step to a role that may send."""
        found = self._found()
        if found is None:
            yield Step(
                f"make the IAM role {self._name}", self._make, f"may send to {self._bus_arn}"
            )
        elif found["AssumeRolePolicyDocument"] != self._trust or self._granted() != self._policy:
            yield Step(
                f"give the IAM role {self._name} the rights to forward", self._mend, kind="change"
            )

    def removal_steps(self) -> Iterator[Step]:
        """Return the step that deletes the role, if `setup` or `regions` made it."""
        found = self._found() or {}
        tags = {one["Key"]: one["Value"] for one in found.get("Tags", [])}
        if self._mark.items() <= tags.items():
            yield Step(f"delete the IAM role {self._name}", self._delete, kind="remove")

    def _make(self) -> None:
        self._iam.create_role(
            RoleName=self._name,
            AssumeRolePolicyDocument=json.dumps(self._trust),
            Description="Lets EventBridge forward sign-ins to signin-monitor's home region",
            Tags=[{"Key": key, "Value": value} for key, value in self._tags.items()],
        )
        self._grant()

    def _mend(self) -> None:
        self._iam.update_assume_role_policy(
            RoleName=self._name, PolicyDocument=json.dumps(self._trust)
        )
        self._grant()

    def _grant(self) -> None:
        self._iam.put_role_policy(
            RoleName=self._name, PolicyName=self._name, PolicyDocument=json.dumps(self._policy)
        )

    def _delete(self) -> None:
        if self._granted():
            self._iam.delete_role_policy(RoleName=self._name, PolicyName=self._name)
        self._iam.delete_role(RoleName=self._name)

    def _found(self) -> Any:  # noqa: ANN401  # the stubs call a decoded policy a string
        try:
            return self._iam.get_role(RoleName=self._name)["Role"]
        except ClientError as error:
            if is_missing(error):
                return None
            raise

    def _granted(self) -> Any:  # noqa: ANN401  # likewise
        try:
            return self._iam.get_role_policy(RoleName=self._name, PolicyName=self._name)[
                "PolicyDocument"
            ]
        except ClientError as error:
            if is_missing(error):
                return None
            raise


def _document(**statement: object) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
