"""A stage's part of `.chalice`: its settings, as `setup` leaves them."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from chalicelib import resource_names
from chalicelib.delivery.webhook import CRITICAL, MAIN, Webhook
from chalicelib.settings import Settings
from ops.errors import OpsError
from ops.plan import Step
from ops.project import policy_files
from ops.project.config_file import ConfigFile, read_settings
from ops.resources import webhook_ciphertext

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class StageFiles:
    """The files of one stage: what they hold, and what is to be written.

    `region` is the home region, if the operator names one; `baseline` says that the stage shall
    have a table. Raises OpsError if the stage's settings are wrong, or if it lives in another
    region.
    """

    def __init__(
        self, config: ConfigFile, stage: str, region: str | None, *, baseline: bool = False
    ) -> None:
        now = config.environment(stage)
        home = config.home_region(stage)
        self.held = tuple(name for name in (MAIN, CRITICAL) if _is_ciphertext(now, name))
        if region and region != home and self.held:
            raise OpsError(
                f"The stage {stage} is set up in {home}. To move it to {region}, "
                f"remove it there first: chalice delete --stage {stage}, then "
                f"python -m ops teardown --stage {stage}"
            )
        self._stage = stage
        self._config = config
        self._wanted = {
            "STAGE": stage,
            "SIGN_IN_REGION": region or home,
            "UNDELIVERED_QUEUE": now.get("UNDELIVERED_QUEUE", "").strip()
            or resource_names.undelivered_queue(stage),
        }
        if baseline and not now.get("BASELINE_TABLE", "").strip():
            self._wanted["BASELINE_TABLE"] = resource_names.baseline_table(stage)
        unreadable = {name: "" for name in (MAIN, CRITICAL) if name not in self.held}
        self.settings = read_settings({**now, **self._wanted, **unreadable})

    def steps(self, kms: "KMSClient", webhooks: Mapping[str, Webhook]) -> Iterator[Step]:
        """Return the step that writes what is missing, with `webhooks` (by setting) encrypted."""
        wanted = dict(self._wanted)
        if webhooks:
            wanted["WEBHOOK_ENCRYPTION_CONTEXT"] = json.dumps(_context(self._stage))
        now = self._config.environment(self._stage)
        changed = {name: value for name, value in wanted.items() if now.get(name) != value}
        names = [*changed, *webhooks]
        if policy_files.unnamed(self._config, self._stage):
            names.append("iam_policy_file")
        if names:
            alias = resource_names.key_alias(self._stage)
            encrypted = f", encrypted under {alias}" if webhooks else ""
            yield Step(
                f"write {', '.join(names)} into {self._config.path}{encrypted}",
                partial(self._write, changed, kms, webhooks),
            )

    def _write(
        self, changed: Mapping[str, str], kms: "KMSClient", webhooks: Mapping[str, Webhook]
    ) -> None:
        for name, value in changed.items():
            self._set(name, value)
        for place, name in policy_files.unnamed(self._config, self._stage).items():
            self._config.set(place, name)
        for name, webhook in webhooks.items():
            alias, context = resource_names.key_alias(self._stage), _context(self._stage)
            self._set(name, webhook_ciphertext.encrypt(kms, alias, webhook, context))
        self._config.write()
        policy_files.write(self._config, self._stage, self._config.settings(self._stage))

    def _set(self, name: str, value: str) -> None:
        self._config.set(("stages", self._stage, "environment_variables", name), value)


def _context(stage: str) -> dict[str, str]:
    return {"app": resource_names.APP, "stage": stage}


def _is_ciphertext(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").strip()
    return bool(text) and name not in {fault.setting for fault in Settings.read({name: text})[1]}
