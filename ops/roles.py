"""May the roles do what they must? IAM's own answer, by simulating their policies.

What each function needs stands in `policies`, where its policy file is written from.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.chain import Clients, Deployment, Link, State, configuration, forward, is_missing

from . import policies
from .policies import Grant

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef
    from mypy_boto3_lambda import LambdaClient


def role(deployment: Deployment, clients: Clients) -> Iterator[Link]:
    """See that each function's role, and that of the forwards, has the rights that it needs."""
    functions: LambdaClient = clients("lambda", deployment.region)
    remedy = f"{deployment.ops_command('policies')} && {deployment.deploy_command}"
    for handler in deployment.handlers:
        found = configuration(functions, deployment.function(handler))
        if found:  # else told with the function
            grants = policies.grants(deployment.settings, handler)
            yield _link(found["Role"], grants, remedy, deployment, clients)
    send = Grant(sid="Send", actions=("events:PutEvents",), resources=(deployment.bus_arn,))
    forwards = [link for link in forward(deployment, clients) if link.state is State.OK]
    for arn in dict.fromkeys(link.facts["role"] for link in forwards):
        remedy = deployment.ops_command("regions", "--apply")
        yield _link(arn, [send], remedy, deployment, clients)


def _link(
    arn: str, grants: Iterable[Grant], remedy: str, deployment: Deployment, clients: Clients
) -> Link:
    iam: IAMClient = clients("iam", deployment.region)
    name = arn.rpartition("/")[2]
    try:
        lacking = [one for grant in grants for one in _lacking(arn, grant, deployment, iam)]
    except ClientError as error:
        if is_missing(error):
            return Link.fault("role", "role_missing", remedy, role=name)
        raise
    if lacking:
        return Link.fault("role", "role_lacks", remedy, role=name, actions=", ".join(lacking))
    return Link.ok("role", role=name)


def _lacking(arn: str, grant: Grant, deployment: Deployment, iam: "IAMClient") -> Sequence[str]:
    """Name the actions of a grant that the role's policies do not allow on its resources."""
    answer = iam.simulate_principal_policy(
        PolicySourceArn=arn,
        ActionNames=list(grant.actions),
        ResourceArns=[_here(resource, deployment) for resource in grant.resources],
        ContextEntries=list(_context(grant)),
    )
    refused = [
        one["EvalActionName"]
        for one in answer["EvaluationResults"]
        if one["EvalDecision"] != "allowed"
    ]
    return list(dict.fromkeys(refused))


def _here(resource: str, deployment: Deployment) -> str:
    """Fill in what a grant leaves open: partition, region and account."""
    if resource == "*":
        return resource
    _, _, service, _, _, name = resource.split(":", 5)
    return deployment.arn(service, name)


def _context(grant: Grant) -> Iterator["ContextEntryTypeDef"]:
    """Give the keys of the request under which the function will ask."""
    for test, conditions in grant.condition.items():
        several = test.startswith("ForAnyValue:")
        for key, value in conditions.items():
            yield {
                "ContextKeyName": key,
                "ContextKeyType": "stringList" if several else "string",
                "ContextKeyValues": [value],
            }
