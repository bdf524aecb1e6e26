"""Whether a role exists, its service may use it, and it has its rights, by IAM's own answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from chalicelib.aws.error_codes import is_missing
from chalicelib.health.deployment import Deployment
from chalicelib.health.policy import lets_in
from chalicelib.health.result import CheckResult, Status

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef, EvaluationResultTypeDef

_ASSUME: Final = "sts:AssumeRole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """Actions on resources, asked for under the condition keys of a policy's `condition`."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleUse:
    """A role, the service that uses it, what it must be allowed, and what gives it back.

    The service uses it for each of `sources`, which it names by condition key in lower case.
    """

    arn: str
    service: str
    sources: Sequence[Mapping[str, str]]
    rights: Sequence[Right]
    remedy: str
    trust_remedy: str

    @property
    def name(self) -> str:
        """The role's name, without its path."""
        return self.arn.rpartition("/")[2]


def result_of_role(
    use: RoleUse, deployment: Deployment, iam: "IAMClient", **facts: str
) -> CheckResult:
    """Return what is wrong with a role. Raises what boto3 raises, but for a role that is gone."""

    def fault(code: str, remedy: str, **more: str) -> CheckResult:
        return CheckResult.fault("role", code, remedy, use.name, **facts, **more)

    try:
        trust: Any = iam.get_role(RoleName=use.name)["Role"]["AssumeRolePolicyDocument"]
        refused = [
            result for right in use.rights for result in _refused(use.arn, right, deployment, iam)
        ]
    except ClientError as error:
        if is_missing(error):
            return fault("role_missing", use.remedy)
        raise
    if not all(lets_in(trust, use.service, _ASSUME, source) for source in use.sources):
        return fault("role_untrusted", use.trust_remedy, service=use.service)
    by_organization, others = _split(refused, "OrganizationsDecisionDetail")
    by_boundary, others = _split(others, "PermissionsBoundaryDecisionDetail")
    if others:
        return fault("role_lacks", use.remedy, actions=_actions_of(others))
    if by_boundary:
        look = f"aws iam get-role --role-name {use.name} --query Role.PermissionsBoundary"
        return fault("role_bounded", look, actions=by_boundary)
    if by_organization:
        # The policy may have a condition that the simulation knows nothing of.
        return CheckResult(
            check="role",
            status=Status.UNKNOWN,
            code="role_denied_above",
            resource=use.name,
            facts={"actions": by_organization, **facts},
        )
    return CheckResult.ok("role", use.name, **facts)


def _refused(
    arn: str, right: Right, deployment: Deployment, iam: "IAMClient"
) -> "list[EvaluationResultTypeDef]":
    """Return the simulation's results for those actions of a right that are not allowed."""
    answer = iam.simulate_principal_policy(
        PolicySourceArn=arn,
        ActionNames=list(right.actions),
        ResourceArns=list(right.resources),
        ContextEntries=list(_context(arn, right, deployment)),
    )
    results = answer["EvaluationResults"]
    return [result for result in results if result["EvalDecision"] != "allowed"]


def _split(
    refused: "Sequence[EvaluationResultTypeDef]", detail: str
) -> "tuple[str, list[EvaluationResultTypeDef]]":
    """Name the actions that what stands above the role does not allow; return the other results.

    Source: "EvaluationResult" (IAM API Reference): each kind of policy has a detail of its own.
    """
    denied = [result for result in refused if False in result.get(detail, {}).values()]  # type: ignore[attr-defined]
    others = [result for result in refused if result not in denied]
    return _actions_of(denied), others


def _actions_of(results: "Iterable[EvaluationResultTypeDef]") -> str:
    return ", ".join(dict.fromkeys(result["EvalActionName"] for result in results))


def _context(arn: str, right: Right, deployment: Deployment) -> Iterator["ContextEntryTypeDef"]:
    """Return the keys of the request under which the role's user will ask.

    Without its region a service control policy that denies regions would seem to deny all.
    """
    for key, value in (
        ("aws:PrincipalAccount", deployment.account_id),
        ("aws:PrincipalArn", arn),
        ("aws:RequestedRegion", deployment.region),
    ):
        yield {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
    for test, conditions in right.condition.items():
        several = test.startswith("ForAnyValue:")
        for key, value in conditions.items():
            yield {
                "ContextKeyName": key,
                "ContextKeyType": "stringList" if several else "string",
                "ContextKeyValues": [value],
            }
