"""Whether the roles may do what they must, and their services may use them, by IAM's answer.

What each function needs stands in `policies`, where its policy file is written from.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from chalicelib.aws.clients import Clients
from chalicelib.aws.error_codes import is_missing
from chalicelib.health.deployment import Deployment
from chalicelib.health.forward import check_forward
from chalicelib.health.function import configuration
from chalicelib.health.result import CheckResult, Status
from ops.iam import grants
from ops.iam.grants import Grant, as_list
from ops.resources.role import EVENTS, LAMBDA, trust_in

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef, EvaluationResultTypeDef
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """A role, the service that uses it, what it must be allowed, and what gives it back."""

    arn: str
    service: str
    grants: Sequence[Grant]
    remedy: str
    trust_remedy: str

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


def check_role(deployment: Deployment, clients: Clients) -> Iterator[CheckResult]:
    """See that each function's role, and that of the forwards, is trusted and has its rights."""
    iam: IAMClient = clients("iam", deployment.region)
    for use in _uses(deployment, clients):
        yield _result_of(use, deployment, iam)


def _uses(deployment: Deployment, clients: Clients) -> Iterator[_Use]:
    functions: LambdaClient = clients("lambda", deployment.region)
    for handler in deployment.handlers:
        found = configuration(functions, deployment.function(handler))
        if found:  # else reported with the function
            yield _Use(
                arn=found["Role"],
                service=LAMBDA,
                grants=grants.grants(
                    deployment.settings,
                    handler,
                    in_vpc=bool(found.get("VpcConfig", {}).get("SubnetIds")),
                ),
                remedy=f"{deployment.ops_command('policies')} && {deployment.deploy_command}",
                trust_remedy=(  # Chalice leaves the trust of a role that is there alone
                    f"aws iam update-assume-role-policy --region {deployment.region} "
                    f"--role-name {found['Role'].rpartition('/')[2]} "
                    f"--policy-document '{json.dumps(trust_in(LAMBDA))}'"
                ),
            )
    send = Grant(sid="Send", actions=("events:PutEvents",), resources=(deployment.bus_arn,))
    forwards = [one for one in check_forward(deployment, clients) if one.status is Status.OK]
    apply = deployment.ops_command("regions", "--apply")
    for arn in dict.fromkeys(result.facts["role"] for result in forwards):
        yield _Use(arn=arn, service=EVENTS, grants=[send], remedy=apply, trust_remedy=apply)


def _result_of(use: _Use, deployment: Deployment, iam: "IAMClient") -> CheckResult:
    try:
        trust: Any = iam.get_role(RoleName=use.name)["Role"]["AssumeRolePolicyDocument"]
        refused = [one for grant in use.grants for one in _refused(use.arn, grant, deployment, iam)]
    except ClientError as error:
        if is_missing(error):
            return CheckResult.fault("role", "role_missing", use.remedy, use.name)
        raise
    if not _trusts(trust, use.service):
        return CheckResult.fault(
            "role", "role_untrusted", use.trust_remedy, use.name, service=use.service
        )
    by_organization, others = _split(refused, "OrganizationsDecisionDetail")
    by_boundary, others = _split(others, "PermissionsBoundaryDecisionDetail")
    if others:
        lacking = ", ".join(dict.fromkeys(one["EvalActionName"] for one in others))
        return CheckResult.fault("role", "role_lacks", use.remedy, use.name, actions=lacking)
    if by_boundary:
        look = f"aws iam get-role --role-name {use.name} --query Role.PermissionsBoundary"
        return CheckResult.fault("role", "role_bounded", look, use.name, actions=by_boundary)
    if by_organization:
        # It may be one with a condition that the simulation knows nothing of.
        return CheckResult(
            check="role",
            status=Status.UNKNOWN,
            code="role_denied_above",
            resource=use.name,
            facts={"actions": by_organization},
        )
    return CheckResult.ok("role", use.name)


def _trusts(trust: Mapping[str, Any], service: str) -> bool:
    """Return whether a role's trust policy lets a service use it."""
    return any(
        one["Effect"] == "Allow" and service in as_list(one["Principal"].get("Service"))
        for one in as_list(trust.get("Statement"))
    )


def _refused(
    arn: str, grant: Grant, deployment: Deployment, iam: "IAMClient"
) -> "list[EvaluationResultTypeDef]":
    """Return the simulation's results for those actions of a grant that are not allowed."""
    answer = iam.simulate_principal_policy(
        PolicySourceArn=arn,
        ActionNames=list(grant.actions),
        ResourceArns=[_here(resource, deployment) for resource in grant.resources],
        ContextEntries=list(_context(arn, grant, deployment)),
    )
    return [one for one in answer["EvaluationResults"] if one["EvalDecision"] != "allowed"]


def _split(
    refused: "Sequence[EvaluationResultTypeDef]", detail: str
) -> "tuple[str, list[EvaluationResultTypeDef]]":
    """Name the actions that what stands above the role does not allow; return the other results.

    Source: "EvaluationResult" (IAM API Reference): each kind of policy has a detail of its own.
    """
    denied = [one for one in refused if False in one.get(detail, {}).values()]  # type: ignore[attr-defined]
    others = [one for one in refused if one not in denied]
    return ", ".join(dict.fromkeys(one["EvalActionName"] for one in denied)), others


def _here(resource: str, deployment: Deployment) -> str:
    """Return a grant's ARN with what it leaves open: partition, region and account.

    A field that is empty stays so: an identity store, for one, has no region.
    """
    if resource == "*":
        return resource
    _, _, service, region, account, name = resource.split(":", 5)
    region = deployment.region if region == "*" else region
    account = deployment.account_id if account == "*" else account
    return f"arn:{deployment.partition}:{service}:{region}:{account}:{name}"


def _context(arn: str, grant: Grant, deployment: Deployment) -> Iterator["ContextEntryTypeDef"]:
    """Return the keys of the request under which the function will ask.

    Without its region a service control policy that denies regions would seem to deny all.
    """
    for key, value in (
        ("aws:PrincipalAccount", deployment.account_id),
        ("aws:PrincipalArn", arn),
        ("aws:RequestedRegion", deployment.region),
    ):
        yield {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
    for test, conditions in grant.condition.items():
        several = test.startswith("ForAnyValue:")
        for key, value in conditions.items():
            yield {
                "ContextKeyName": key,
                "ContextKeyType": "stringList" if several else "string",
                "ContextKeyValues": [value],
            }
