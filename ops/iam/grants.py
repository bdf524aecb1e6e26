"""What each function of a stage may do: its settings → the policies of its roles.

Pure. A grant is one statement of a policy and the reason for it in one name; nothing is granted
that no setting asks for. Partition, account and region stay open in every ARN, so that one file
serves any account; what binds is the alias, the encryption context and the names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chalicelib import resource_names
from chalicelib.health.rights import SELF_CHECK_ACTIONS
from chalicelib.settings import Settings

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One statement: `actions` on `resources` under `condition`."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def file_name(stage: str, handler: str) -> str:
    """Return the name of a handler's policy file, beside `.chalice/config.json`."""
    return f"policy-{stage}.json" if handler == "on_sign_in" else f"policy-{stage}-{handler}.json"


def grants(settings: Settings, handler: str, *, in_vpc: bool = False) -> tuple[Grant, ...]:
    """Return what a handler needs under a stage's settings, `in_vpc` if it runs in a VPC."""
    common = (
        _read_webhook(settings),
        *_write_own_log(settings.stage, handler),
        *((_NETWORK_INTERFACES,) if in_vpc else ()),
    )
    if handler != "audit_mfa":  # which posts no sign-ins
        common = (*common, *_remember(settings), *_name_users(settings))
    if handler == "on_undelivered":
        return (*common, *_take_what_is_parked(settings))
    parking = _park(settings)
    if handler == "audit_mfa":
        return (*common, *parking, _CREDENTIAL_REPORT)
    if handler == "self_check":
        return (*common, *parking, *_run_checks(settings))
    return (*common, *parking)


def document(settings: Settings, handler: str, *, in_vpc: bool = False) -> Document:
    """Return the policy of a handler's role, as IAM takes it."""
    return {
        "Version": "2012-10-17",
        "Statement": [_statement(grant) for grant in grants(settings, handler, in_vpc=in_vpc)],
    }


def _statement(grant: Grant) -> Document:
    statement: Document = {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": list(grant.actions),
        "Resource": list(grant.resources),
    }
    if grant.condition:
        statement["Condition"] = {test: dict(keys) for test, keys in grant.condition.items()}
    return statement


def _read_webhook(settings: Settings) -> Grant:
    condition = {
        "ForAnyValue:StringEquals": {
            "kms:ResourceAliases": resource_names.key_alias(settings.stage)
        }
    }
    # A new alias takes up to five minutes to count ("ABAC for AWS KMS"), a context counts at once.
    if context := settings.webhook_encryption_context:
        condition = {
            "StringEquals": {
                f"kms:EncryptionContext:{key}": value for key, value in context.items()
            }
        }
    return Grant(
        sid="ReadTheWebhook",
        actions=("kms:Decrypt",),
        resources=("arn:*:kms:*:*:key/*",),
        condition=condition,
    )


def _log_group(stage: str, handler: str) -> str:
    return f"arn:*:logs:*:*:log-group:{resource_names.log_group(stage, handler)}:*"


def _write_own_log(stage: str, handler: str) -> tuple[Grant, ...]:
    group = (_log_group(stage, handler),)
    return (
        Grant(
            sid="WriteItsOwnLog",
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=group,
        ),
        # Chalice makes the group; without this a group deleted by hand would stay away.
        Grant(sid="MakeItsLogAnew", actions=("logs:CreateLogGroup",), resources=group),
    )


def _park(settings: Settings) -> tuple[Grant, ...]:
    return _on_queue(settings, "ParkWhatCannotBePosted", ("sqs:GetQueueUrl", "sqs:SendMessage"))


def _take_what_is_parked(settings: Settings) -> tuple[Grant, ...]:
    return _on_queue(
        settings,
        "TakeWhatIsParked",
        (
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:GetQueueUrl",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",  # what was possibly posted goes back with a mark
        ),
    )


def _on_queue(settings: Settings, sid: str, actions: tuple[str, ...]) -> tuple[Grant, ...]:
    if not settings.undelivered_queue:
        return ()
    queue = f"arn:*:sqs:*:*:{settings.undelivered_queue}"
    return (Grant(sid=sid, actions=actions, resources=(queue,)),)


def _remember(settings: Settings) -> tuple[Grant, ...]:
    return _on_table(settings, "RememberWhoSignsIn", ("dynamodb:UpdateItem",))


def _name_users(settings: Settings) -> tuple[Grant, ...]:
    if not settings.identity_store_id:
        return ()
    store = f"arn:*:identitystore::*:identitystore/{settings.identity_store_id}"
    return (
        Grant(
            sid="NameUsers",
            actions=("identitystore:DescribeUser",),
            resources=(store, "arn:*:identitystore:::user/*"),
        ),
    )


def _on_table(settings: Settings, sid: str, actions: tuple[str, ...]) -> tuple[Grant, ...]:
    if not settings.baseline_table:
        return ()
    table = f"arn:*:dynamodb:*:*:table/{settings.baseline_table}"
    return (Grant(sid=sid, actions=actions, resources=(table,)),)


# What AWSLambdaVPCAccessExecutionRole grants (AWS Managed Policy Reference). Lambda asks for these
# rights on all resources ("Giving Lambda functions access to resources in an Amazon VPC").
_NETWORK_INTERFACES: Final = Grant(
    sid="AttachToTheVpc",
    actions=(
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ),
    resources=("*",),
)

# IAM knows no resource for these two (Service Authorization Reference).
_CREDENTIAL_REPORT: Final = Grant(
    sid="ReadTheCredentialReport",
    actions=("iam:GenerateCredentialReport", "iam:GetCredentialReport"),
    resources=("*",),
)


def _run_checks(settings: Settings) -> tuple[Grant, ...]:
    """Return the rights to read what `self_check` compares; each that is refused it names."""
    stage = settings.stage
    functions = tuple(
        f"arn:*:lambda:*:*:function:{resource_names.function(stage, handler)}"
        for handler in resource_names.HANDLERS
    )
    by_alias = {
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": resource_names.key_alias(stage)}
    }
    queue = _on_queue(settings, "LookAtTheQueue", SELF_CHECK_ACTIONS["Queue"])
    table = _on_table(settings, "LookAtTheTable", SELF_CHECK_ACTIONS["Table"])
    return (
        _look("Account", "*"),
        _look("Trail", "arn:*:cloudtrail:*:*:trail/*"),
        *(
            (_look("Bus", "arn:*:events:*:*:event-bus/default"),)
            if settings.organization_id
            else ()
        ),
        _look("Rules", "arn:*:events:*:*:rule/*"),
        _look("ForwardRoles", "*"),  # whoever made a forward has named its role
        _look("Functions", *functions),
        _look("Logs", *(_log_group(stage, handler) for handler in resource_names.HANDLERS)),
        *queue,
        *table,
        _look("Key", "arn:*:kms:*:*:key/*", condition=by_alias),
    )


def _look(
    at: str, *resources: str, condition: Mapping[str, Mapping[str, str]] | None = None
) -> Grant:
    return Grant(
        sid=f"LookAtThe{at}",
        actions=SELF_CHECK_ACTIONS[at],
        resources=resources,
        condition=condition or {},
    )
