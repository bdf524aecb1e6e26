from typing import Any

import pytest

from ops.iam.grants import Grant
from playground.aws.policy_evaluation import faults

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd"
QUEUE = "arn:aws:sqs:us-east-1:*:parked"
CONTEXT = {"kms:EncryptionContext:app": "signin-monitor", "kms:EncryptionContext:stage": "prod"}
DECRYPT = Grant(
    sid="ReadTheWebhook",
    actions=("kms:Decrypt",),
    resources=("arn:aws:kms:us-east-1:*:key/*",),
    condition={"StringEquals": CONTEXT},
)
SEND = Grant(sid="Park", actions=("sqs:SendMessage",), resources=(QUEUE,))


def allow(action: Any, resource: Any, condition: Any = None, **others: Any) -> dict[str, Any]:  # noqa: ANN401  # what IAM takes
    return {
        "Effect": "Allow",
        "Action": action,
        "Resource": resource,
        **({"Condition": condition} if condition else {}),
        **others,
    }


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@pytest.mark.parametrize(
    "statement",
    [
        allow("kms:Decrypt", KEY),
        allow("KMS:decrypt", "*"),
        allow(["kms:Decrypt", "kms:DescribeKey"], ["arn:aws:sqs:*:*:q", "arn:aws:kms:*:*:key/*"]),
        allow("kms:Decrypt", "arn:aws:kms"),
        allow("kms:Decrypt", "arn:aws:kms:us-????-1:*:key/*"),
        allow("kms:Decrypt", KEY, {"StringEquals": CONTEXT}),
        allow(
            "kms:Decrypt", KEY, {"StringEquals": {"kms:encryptioncontext:stage": ["prod", "dev"]}}
        ),
        allow("kms:Decrypt", KEY, {"StringLike": {"kms:EncryptionContext:app": "signin-*"}}),
        allow("kms:Decrypt", KEY, {"StringNotEquals": {"kms:EncryptionContext:stage": "dev"}}),
        allow("kms:Decrypt", KEY, {"StringEqualsIfExists": {"kms:EncryptionContext:team": "a"}}),
        allow("kms:Decrypt", KEY, {"Null": {"kms:EncryptionContext:team": "true"}}),
        allow("kms:Decrypt", KEY, {"StringEquals": {"aws:PrincipalAccount": "111122223333"}}),
        allow(
            "kms:Decrypt", KEY, {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/own"}}
        ),
        {"Effect": "Allow", "Action": "kms:Decrypt", "NotResource": "arn:aws:kms:*:*:alias/*"},
    ],
)
def test_a_policy_that_gives_the_right_in_its_own_way_fits(statement: dict[str, Any]) -> None:
    assert faults(policy(statement), (DECRYPT,)) == []


@pytest.mark.parametrize(
    "statement",
    [
        allow("kms:Encrypt", KEY),
        allow("kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"),
        allow("kms:Decrypt", "arn:aws-cn:kms:us-east-1:111122223333:key/1234abcd"),
        allow("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:alias/signin-monitor-prod"),
        allow("kms:Decrypt", KEY, {"StringEquals": {"kms:EncryptionContext:stage": "dev"}}),
        allow("kms:Decrypt", KEY, {"StringEquals": {"kms:EncryptionContext:team": "a"}}),
        allow("kms:Decrypt", KEY, {"StringLike": {"kms:EncryptionContext:stage": "d*"}}),
        allow("kms:Decrypt", KEY, {"StringNotEquals": {"kms:EncryptionContext:stage": "prod"}}),
        allow("kms:Decrypt", KEY, {"Null": {"kms:EncryptionContext:stage": "true"}}),
        allow("kms:Decrypt", KEY, Effect="Deny"),
        {"Effect": "Allow", "Action": "kms:Decrypt", "NotResource": "arn:aws:kms:*:*:key/*"},
        {"Effect": "Allow", "Action": "kms:Decrypt"} | {"NotResource": "*"},
    ],
)
def test_a_policy_that_does_not_give_the_right_is_reported_with_the_right(
    statement: dict[str, Any],
) -> None:
    (said,) = faults(policy(statement), (DECRYPT,))
    assert said.startswith("does not allow kms:Decrypt on arn:aws:kms:us-east-1:*:key/* under")
    assert '{"app": "signin-monitor", "stage": "prod"}' in said


@pytest.mark.parametrize(
    ("resource", "fits"),
    [
        ("arn:aws:sqs:us-east-1:111122223333:parked", True),
        ("arn:aws:sqs:*:*:p?rked", True),
        ("arn:aws:sqs:us-east-1:111122223333:parked-too", False),
        ("arn:aws:sqs:us-east-1:parked:other", False),
    ],
)
def test_the_queue_is_compared_by_its_name(resource: str, *, fits: bool) -> None:
    assert (faults(policy(allow("sqs:SendMessage", resource)), (SEND,)) == []) == fits


@pytest.mark.parametrize(
    ("deny", "fits"),
    [
        ({"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}, False),
        ({"Effect": "Deny", "NotAction": "kms:Decrypt", "Resource": "*"}, False),
        ({"Effect": "Deny", "Action": "sqs:*", "Resource": "arn:aws:sqs:*:*:other"}, True),
        (
            {
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            True,
        ),
    ],
)
def test_a_denial_counts_where_it_certainly_speaks(deny: dict[str, Any], *, fits: bool) -> None:
    assert (faults(policy(allow("sqs:SendMessage", "*"), deny), (SEND,)) == []) == fits


@pytest.mark.parametrize("action", ["*", "sqs:*", "sqs:Send*"])
def test_an_action_with_a_wildcard_is_refused(action: str) -> None:
    assert faults(policy(allow(action, "*")), (SEND,)) == [
        f"allows {action}: name each action, without *"
    ]


def test_an_action_by_exclusion_is_refused() -> None:
    statement = {"Effect": "Allow", "NotAction": "iam:PassRole", "Resource": "*"}
    assert faults(policy(statement), (SEND,)) == ["allows by NotAction: name each action"]


@pytest.mark.parametrize("document", [{}, {"Statement": "all"}, {"Statement": [None]}])
def test_a_policy_without_statements_allows_nothing(document: dict[str, Any]) -> None:
    assert len(faults(document, (SEND,))) == 1


def test_one_statement_needs_no_list() -> None:
    assert faults({"Statement": allow("sqs:SendMessage", "*")}, (SEND,)) == []
