"""A stage's part of `.chalice`: its settings and its policy files, as `setup` leaves them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from chalicelib import resource_names
from chalicelib.delivery.webhook import CRITICAL, MAIN, Webhook
from chalicelib.errors import SettingsError
from chalicelib.settings import Settings
from ops.commands import policies
from ops.errors import OpsError
from ops.plan import Step
from ops.project.config_file import ConfigFile
from ops.resources import webhook_ciphertext

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class StageFiles:
    """The files of one stage: what they say, and what is to be written."""

    def __init__(self, config: ConfigFile, stage: str, region: str | None) -> None:
        """Take the stage, which may be new, and the home region if the operator names one.

        Raises OpsError if its settings are wrong, or if it lives in another region.
        """
        now = config.environment(stage)
        home = config.home_region(stage)
        self.held = tuple(name for name in (MAIN, CRITICAL) if _is_ciphertext(now.get(name, "")))
        if region and region != home and self.held:
            raise OpsError(
                f"The stage {stage} is set up in {home}. To move it to {region}, "
                f"take it away there: chalice delete --stage {stage}, then "
                f"python -m ops teardown --stage {stage}"
            )
        self._stage = stage
        self._config = config
        self._given = {
            "STAGE": stage,
            "SIGN_IN_REGION": region or home,
            "UNDELIVERED_QUEUE": now.get("UNDELIVERED_QUEUE", "").strip()
            or resource_names.undelivered_queue(stage),
        }
        ciphertexts = {name: now[name] if name in self.held else "" for name in (MAIN, CRITICAL)}
        self.settings = policies.settings_of({**now, **self._given, **ciphertexts})

    def steps(self, kms: "KMSClient", webhooks: Mapping[str, Webhook]) -> Iterator[Step]:
        """Return the steps that write what is missing, with `webhooks` (by setting) encrypted."""
        settings = self.settings
        if webhooks:
            context = {"app": resource_names.APP, "stage": self._stage}
            settings = replace(settings, webhook_encryption_context=context)
            self._given["WEBHOOK_ENCRYPTION_CONTEXT"] = json.dumps(context)
        now = self._config.environment(self._stage)
        changed = [name for name, value in self._given.items() if now.get(name) != value]
        for name in changed:
            self._set(name, self._given[name])
        policies.name(self._config, self._stage)
        if changed or webhooks:
            encrypted = (
                f", encrypted under {resource_names.key_alias(self._stage)}" if webhooks else ""
            )
            yield Step(
                f"write {', '.join([*changed, *webhooks])} into {self._config.path}{encrypted}",
                partial(self._write, kms, settings.webhook_encryption_context, webhooks),
            )
        unfit = [
            handler
            for handler in resource_names.HANDLERS
            if policies.unfit(self._config, self._stage, handler, settings)
        ]
        if unfit:
            paths = [str(policies.path_of(self._config, self._stage, one)) for one in unfit]
            yield Step(
                f"write {', '.join(paths)}",
                lambda: [
                    policies.write(self._config, self._stage, handler, settings)
                    for handler in unfit
                ],
            )

    def _write(
        self, kms: "KMSClient", context: Mapping[str, str], webhooks: Mapping[str, Webhook]
    ) -> None:
        for name, webhook in webhooks.items():
            alias = resource_names.key_alias(self._stage)
            self._set(name, webhook_ciphertext.encrypt(kms, alias, webhook, context))
        self._config.write()

    def _set(self, name: str, value: str) -> None:
        self._config.set(("stages", self._stage, "environment_variables", name), value)


def _is_ciphertext(text: str) -> bool:
    try:
        return bool(Settings.from_environment({MAIN: text}))
    except SettingsError:
        return False
