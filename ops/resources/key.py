"""The KMS key that a stage's webhook is encrypted with, under the stage's alias."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, TypeVar

import click
from botocore.exceptions import ClientError

from chalicelib import resource_names
from chalicelib.aws.error_codes import is_denied, is_missing, unless_missing
from ops.account import Account, tags_of
from ops.errors import OpsError, sentence
from ops.plan import PartialFailure, Step

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef

_T = TypeVar("_T")

PATIENCE: Final = 300.0  # seconds until a new tag or alias counts ("ABAC for AWS KMS")
_PAUSE: Final = 10.0
_WAIT_DAYS: Final = 30  # before KMS deletes a key: the longest, since it cannot be undone


class StageKey:
    """The key of one stage: what there is, and what is to be done.

    A key that `setup` made bears the stage's tag. Another, which the operator brought, gets the
    alias and is left alone otherwise.
    """

    def __init__(self, account: Account, stage: str, brought: str | None = None) -> None:
        """Manage the key of a stage; `brought` is the id or ARN of a key that the operator brings.

        Raises OpsError if that key cannot serve.
        """
        self.alias = resource_names.key_alias(stage)
        self._kms: KMSClient = account.session.client("kms")
        self._mark = tags_of(stage)
        self._tags = account.tags_for(stage)
        self._now = self._described(self.alias)
        self._brought = self._usable(brought, account.region) if brought else None
        self._default_principal = f"arn:{account.partition}:iam::{account.account_id}:root"
        self._left = self._without_alias() if not (self._now or self._brought) else None
        self._has_changed = False  # in this run

    @property
    def arn(self) -> str | None:
        """The ARN of the key that the alias will name; None if it is to be made."""
        key = self._brought or self._now
        return key["Arn"] if key else None

    @property
    def is_new(self) -> bool:
        """Whether the alias will name another key than it does now, if any."""
        return self._now is None or self.arn != self._now["Arn"]

    def steps(self) -> Iterator[Step]:
        """Return the steps to a key that works."""
        if self._brought:
            key_id = self._brought["KeyId"]
            if self._now is None:
                yield Step(
                    f"give the key {key_id} the alias {self.alias}",
                    partial(self._name, self._kms.create_alias, key_id),
                    kind="change",
                )
            elif self._now["KeyId"] != key_id:
                yield Step(
                    f"move the alias {self.alias} from the key {self._now['KeyId']} to {key_id}",
                    partial(self._name, self._kms.update_alias, key_id),
                    kind="change",
                )
        elif self._now is None:
            describe = f"make a KMS key that rotates yearly, {self.alias}"
            if self._left:
                describe = (
                    f"take up the key {self._left}, which an interrupted run left, as {self.alias}"
                )
            yield Step(describe, self._make)
        else:
            yield from self._repairs(self._now)

    def encrypt(self, secret: str, context: Mapping[str, str]) -> str:
        """Encrypt a text under the alias's key, bound to a context; give base64.

        Raises OpsError if that is denied.
        """
        try:
            answer = self._patiently(
                lambda: self._kms.encrypt(
                    KeyId=self.alias, Plaintext=secret.encode(), EncryptionContext=context
                )
            )
        except ClientError as error:
            if not is_denied(error):
                raise
            raise OpsError(
                f"{sentence(error)} A change of the key's tags or aliases takes up to five "
                "minutes to count: if there was one, run the same command again."
            ) from None
        return base64.b64encode(answer["CiphertextBlob"]).decode()

    def removal_steps(self) -> Iterator[Step]:
        """Return the steps that take away the alias and, if `setup` made it, the key."""
        if self._now is None:
            return
        key_id = self._now["KeyId"]
        if self._is_ours(key_id) and self._now["KeyState"] != "PendingDeletion":
            yield Step(
                f"schedule the key {key_id} for deletion in {_WAIT_DAYS} days",
                lambda: self._schedule_deletion(key_id),
                kind="remove",
            )
        yield Step(
            f"remove the alias {self.alias}",
            lambda: self._kms.delete_alias(AliasName=self.alias),
            kind="remove",
        )

    def _schedule_deletion(self, key_id: str) -> None:
        """Schedule it; a deployer may not, for a right to delete by tag would cover every key."""
        try:
            self._kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=_WAIT_DAYS)
        except ClientError as error:
            if not is_denied(error):
                raise
            region = self._kms.meta.region_name
            raise PartialFailure(
                f"  the key {key_id} stays: an administrator deletes it with aws kms "
                f"schedule-key-deletion --region {region} --key-id {key_id}"
            ) from None

    def _repairs(self, key: "KeyMetadataTypeDef") -> Iterator[Step]:
        key_id, state = key["KeyId"], key["KeyState"]
        if state == "PendingDeletion":
            yield Step(
                f"cancel the deletion of the key {key_id}",
                lambda: self._kms.cancel_key_deletion(KeyId=key_id),
                kind="change",
            )
        if state in ("Disabled", "PendingDeletion"):
            yield Step(
                f"enable the key {key_id}",
                lambda: self._kms.enable_key(KeyId=key_id),
                kind="change",
            )
        if (
            self._is_ours(key_id)
            and not (self._kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"])
        ):
            yield Step(
                f"have the key {key_id} rotate yearly",
                lambda: self._kms.enable_key_rotation(KeyId=key_id),
                kind="change",
            )

    def _make(self) -> None:
        """Make the key, or go on with a key that an interrupted run left without its alias."""
        key_id = (
            self._left
            or (
                self._kms.create_key(
                    Description=f"Encrypts the webhook of signin-monitor ({self.alias})",
                    Tags=[{"TagKey": key, "TagValue": value} for key, value in self._tags.items()],
                )["KeyMetadata"]["KeyId"]
            )
        )
        self._has_changed = True
        self._patiently(lambda: self._kms.enable_key_rotation(KeyId=key_id))
        self._name(self._kms.create_alias, key_id)

    def _name(self, change: Callable[..., object], key_id: str) -> None:
        self._patiently(lambda: change(AliasName=self.alias, TargetKeyId=key_id))
        self._has_changed = True

    def _patiently(self, call: Callable[[], _T]) -> _T:
        """Ask KMS, and again while it does not know yet what this run has changed."""
        until, is_said = monotonic() + PATIENCE, False
        while True:
            try:
                return call()
            except ClientError as error:
                is_early = self._has_changed and (is_denied(error) or is_missing(error))
                if not is_early or monotonic() >= until:
                    raise
            if not is_said:
                click.echo("AWS does not know the key yet; this may take 5 minutes … ", nl=False)
                is_said = True
            sleep(_PAUSE)

    def _without_alias(self) -> str | None:
        """Find a key that an interrupted run left: of the stage's tag, with the default policy.

        Whoever may tag keys could plant a key under a policy that lets others decrypt.
        """
        for page in self._kms.get_paginator("list_keys").paginate():
            for key in page["Keys"]:
                if self._is_ours(key["KeyId"]) and self._has_default_policy(key["KeyId"]):
                    found = self._described(key["KeyId"])
                    if found and found["KeyState"] == "Enabled":
                        return found["KeyId"]
        return None

    def _is_ours(self, key_id: str) -> bool:
        try:
            tags = self._kms.list_resource_tags(KeyId=key_id)["Tags"]
        except ClientError:
            return False  # a key that does not let us look is none of ours
        return self._mark.items() <= {tag["TagKey"]: tag["TagValue"] for tag in tags}.items()

    def _has_default_policy(self, key_id: str) -> bool:
        """Return whether a key's policy leaves all to IAM, as KMS's default policy does."""
        try:
            text = self._kms.get_key_policy(KeyId=key_id, PolicyName="default")["Policy"]
            (statement,) = json.loads(text)["Statement"]
            grants = self._kms.list_grants(KeyId=key_id)["Grants"]
        except (ClientError, ValueError):
            return False  # a key that does not let us look, or has more to it, is none of ours
        return not grants and {**statement, "Sid": ""} == {
            "Sid": "",
            "Effect": "Allow",
            "Principal": {"AWS": self._default_principal},
            "Action": "kms:*",
            "Resource": "*",
        }

    def _described(self, key: str) -> "KeyMetadataTypeDef | None":
        return unless_missing(lambda: self._kms.describe_key(KeyId=key)["KeyMetadata"])

    def _usable(self, key: str, region: str) -> "KeyMetadataTypeDef":
        found = self._described(key)
        if found is None:
            raise OpsError(
                f"There is no key {key} in {region}. "
                f"aws kms list-aliases --region {region} shows those."
            )
        wanted = {
            "customer managed": found.get("KeyManager") == "CUSTOMER",
            "symmetric": found.get("KeySpec") == "SYMMETRIC_DEFAULT",
            "enabled": found.get("KeyState") == "Enabled",
        }
        if lacking := [word for word, holds in wanted.items() if not holds]:
            raise OpsError(f"The key {key} is not {' and '.join(lacking)}: bring another.")
        return found
