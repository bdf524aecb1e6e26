"""Whether the functions' roles may do what they must, and Lambda may use them, by IAM's answer.

What each function needs stands in `ops.iam.grants`, which its policy file is written from.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chalicelib.aws.clients import Clients
from chalicelib.health.deployment import Deployment
from chalicelib.health.function import configuration
from chalicelib.health.result import CheckResult
from chalicelib.health.role import Right, RoleUse, result_of_role
from ops.iam import grants
from ops.resources.role import LAMBDA, trust_in

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient


def check_role(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each function's role is trusted and has its rights."""
    iam: IAMClient = clients("iam", deployment.region)
    functions: LambdaClient = clients("lambda", deployment.region)
    for handler in deployment.handlers:
        found = configuration(functions, deployment.function(handler))
        if not found:
            continue  # reported with the function
        in_vpc = bool(found.get("VpcConfig", {}).get("SubnetIds"))
        role = found["Role"].rpartition("/")[2]
        use = RoleUse(
            arn=found["Role"],
            service=LAMBDA,
            sources=[
                {
                    "aws:sourceaccount": deployment.account_id,
                    "aws:sourcearn": deployment.function_arn(handler),
                }
            ],
            rights=[
                Right(
                    actions=grant.actions,
                    resources=tuple(_here(resource, deployment) for resource in grant.resources),
                    condition=grant.condition,
                )
                for grant in grants.grants(deployment.settings, handler, in_vpc=in_vpc)
            ],
            remedy=f"{deployment.ops_command('policies')} && {deployment.deploy_command}",
            trust_remedy=(  # Chalice leaves the trust of a role that is there alone
                f"aws iam update-assume-role-policy --region {deployment.region} "
                f"--role-name {role} --policy-document '{json.dumps(trust_in(LAMBDA))}'"
            ),
        )
        yield result_of_role(use, deployment, iam)


def _here(resource: str, deployment: Deployment) -> str:
    """Return a grant's ARN with what it leaves open: partition, region and account.

    A field that is empty stays so: an identity store, for example, has no region.
    """
    if resource == "*":
        return resource
    _, _, service, region, account, name = resource.split(":", 5)
    region = deployment.region if region == "*" else region
    account = deployment.account_id if account == "*" else account
    return f"arn:{deployment.partition}:{service}:{region}:{account}:{name}"
