"""The AWS account that an operator works in, and a stage's home region in it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import boto3
import botocore.session
from botocore.config import Config

from ops.errors import NOT_AWS, OpsError
from ops.project.deployed_record import Deployed

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONFIG = Config(
    connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 4}
)


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account as the operator's credentials see it; `session` is bound to the home region.

    `tags` are the operator's own, for all that is made. `boundary` is the ARN of the policy that
    bounds the rights of each role that is made, empty if there is none.
    """

    session: boto3.Session
    account_id: str
    partition: str
    region: str
    tags: "Mapping[str, str]" = field(default_factory=dict)
    boundary: str = ""

    @classmethod
    def open(
        cls,
        profile: str | None,
        region: str,
        tags: "Mapping[str, str] | None" = None,
        boundary: str = "",
    ) -> Self:
        """Find the credentials as the AWS CLI does, and ask AWS whose they are."""
        core = botocore.session.Session(profile=profile)
        core.set_default_client_config(_CONFIG)
        session = boto3.Session(botocore_session=core, region_name=region)
        try:
            caller = session.client("sts").get_caller_identity()
            account_id, arn = caller["Account"], caller["Arn"]
        except KeyError:  # botocore's own, too, for an HTML page with status 200
            raise OpsError(NOT_AWS) from None
        return cls(
            session=session,
            account_id=account_id,
            partition=arn.split(":")[1],
            region=region,
            tags=tags or {},
            boundary=boundary,
        )

    def client(self, service: str, region: str) -> Any:  # noqa: ANN401  # any service's
        """Make the client of a service in a region."""
        return self.session.client(service, region_name=region)  # type: ignore[call-overload]

    def expect_home_of(self, stage: str) -> None:
        """Raise OpsError if the stage is deployed in another account."""
        deployed = Deployed.read(stage)
        if deployed and deployed.account_id != self.account_id:
            raise OpsError(
                f"These credentials are for the account {self.account_id}, but the stage {stage} "
                f"is deployed in {deployed.account_id}. Choose its profile: --profile NAME."
            )

    def arn(self, service: str, name: str, *, region: str | None = None) -> str:
        """Return the ARN of something here, in the home region or in another."""
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account_id}:{name}"

    def tags_for(self, stage: str) -> dict[str, str]:
        """Return the tags of what is made for a stage: the operator's own, and the mark."""
        return {**self.tags, **tags_of(stage)}

    def role_arn(self, name: str) -> str:
        """Return the ARN of a role here."""
        return f"arn:{self.partition}:iam::{self.account_id}:role/{name}"


def tags_of(stage: str) -> "Mapping[str, str]":
    """Return the tag that marks what `setup` and `regions` made, and may take away."""
    return {"signin-monitor": stage}
