"""What moto's IAM lacks: `SimulatePrincipalPolicy`, and a credential report of today.

The simulation evaluates what the role's own policies say of an action, a resource and an
encryption context; other conditions count as met. Import this module before the embedded AWS
starts.
"""

import json
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse

from ops.iam.grants import Grant
from playground.aws.policy_evaluation import faults


def _simulate(response: IamResponse) -> ActionResult:
    asked = response._get_params()  # noqa: SLF001 — moto's responses are made so
    role = response.backend.get_role(asked["PolicySourceArn"].rpartition("/")[2])
    statements = [
        statement
        for policy in role.policies.values()
        for statement in json.loads(policy)["Statement"]
    ]
    context = {
        entry["ContextKeyName"]: entry["ContextKeyValues"][0]
        for entry in asked.get("ContextEntries", ())
    }
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": "allowed"
            if _allows(statements, action, resource, context)
            else "implicitDeny",
        }
        for action in asked["ActionNames"]
        for resource in asked.get("ResourceArns", ["*"])
    ]
    return ActionResult({"EvaluationResults": results, "IsTruncated": False})


def _allows(
    statements: list[dict[str, Any]], action: str, resource: str, context: dict[str, str]
) -> bool:
    asked = Grant(
        sid="Asked",
        actions=(action,),
        resources=(resource,),
        condition={"StringEquals": context},
    )
    found = faults({"Statement": statements}, (asked,))
    return not any("does not allow" in fault for fault in found)


def _credential_report(response: IamResponse) -> ActionResult:
    """Return moto's report, which moto dates from 2015."""
    return ActionResult(
        {
            "Content": response.backend.get_credential_report(),
            "ReportFormat": "text/csv",
            "GeneratedTime": datetime.now(UTC),
        }
    )


for _name, _action in {
    "simulate_principal_policy": _simulate,
    "get_credential_report": _credential_report,
}.items():
    setattr(IamResponse, _name, _action)  # where moto looks for an API's actions
