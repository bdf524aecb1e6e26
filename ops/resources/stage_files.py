"""A stage's part of `.chalice`: its settings, as `setup` leaves them."""

import json
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Final, TypeVar

from chalicelib import resource_names
from chalicelib.delivery.webhook import CRITICAL, MAIN, Webhook
from chalicelib.settings import Settings
from ops.errors import OpsError
from ops.plan import Step
from ops.project import policy_files
from ops.project.config_file import CHOICES, ConfigFile, read_settings
from ops.resources.key import StageKey

_Choice = TypeVar("_Choice", bool, str)
_SELF_CHECK_SECONDS: Final = 300  # after a storm there is more to read than in a minute
_WEBHOOKS: Final = {MAIN: "the webhook", CRITICAL: "the webhook of critical messages"}


class StageFiles:
    """The files of one stage: what they hold, and what is to be written.

    `region` is the home region, if the operator names it. Raises OpsError if the stage's settings
    are wrong, or if it lives in another region.
    """

    def __init__(self, config: ConfigFile, stage: str, region: str | None) -> None:
        now = config.environment(stage)
        home = config.home_region(stage)
        self.held = tuple(name for name in (MAIN, CRITICAL) if _is_ciphertext(now, name))
        self.is_new = not now.get(MAIN, "").strip()
        if region and region != home and self.held:
            raise OpsError(
                f"The stage {stage} is set up in {home}. To move it to {region}, "
                f"remove it there first: chalice delete --stage {stage}, then "
                f"python -m ops teardown --stage {stage}"
            )
        self._stage = stage
        self._config = config
        self._now = now
        self._chosen: dict[str, object] = {}
        self._wanted = {"STAGE": stage, "SIGN_IN_REGION": region or home}
        if self.is_new and not now.get("UNDELIVERED_QUEUE", "").strip():
            self._wanted["UNDELIVERED_QUEUE"] = resource_names.undelivered_queue(stage)

    def remember(self, name: str, choice: _Choice | None, *, default: _Choice) -> _Choice:
        """Return an operator's choice, as made now or before; it is written with the settings."""
        before: _Choice = self._config.choices(self._stage).get(name, default)
        if choice is None or choice == before:
            return before
        self._chosen[name] = choice
        return choice

    def want(self, **settings: str) -> None:
        """Add settings that the stage lacks; a setting that it has stays."""
        self._wanted |= {
            name: value for name, value in settings.items() if not self._now.get(name, "").strip()
        }

    @property
    def settings(self) -> Settings:
        """The settings as they will be; without a webhook that cannot be read."""
        return _settings({**self._now, **self._wanted})

    def steps(
        self, key: StageKey, changing: Collection[str], webhooks: Mapping[str, Webhook]
    ) -> Iterator[Step]:
        """Return the steps that write what is missing.

        `changing` names the settings that get another ciphertext; `webhooks` holds their webhooks
        once the steps are taken.
        """
        wanted = dict(self._wanted)
        if changing:
            wanted["WEBHOOK_ENCRYPTION_CONTEXT"] = json.dumps(_context(self._stage))
        changed = {name: value for name, value in wanted.items() if self._now.get(name) != value}
        names = [*changed]
        if policy_files.unnamed(self._config, self._stage):
            names.append("iam_policy_file")
        names += self._chosen
        if names:
            yield Step(
                f"write settings into {self._config.path}",
                partial(self._write, changed),
                ", ".join(names),
                kind="change",
            )
        for name in changing:
            verb = "replace" if name in self.held else "encrypt"
            yield Step(
                f"{verb} {_WEBHOOKS[name]}",
                partial(self._encrypt, key, name, webhooks),
                f"{name} in {self._config.path}, under {key.alias}",
                kind="change" if name in self.held else "make",
            )

    def _write(self, changed: Mapping[str, str]) -> None:
        for name, value in changed.items():
            self._set(name, value)
        if "SELF_CHECK_SCHEDULE" in changed:
            of_function = ("stages", self._stage, "lambda_functions", "self_check")
            self._config.set((*of_function, "lambda_timeout"), _SELF_CHECK_SECONDS)
        for place, file in policy_files.unnamed(self._config, self._stage).items():
            self._config.set(place, file)
        for name, choice in self._chosen.items():
            self._config.set(("stages", self._stage, CHOICES, name), choice)
        self._save()

    def _encrypt(self, key: StageKey, name: str, webhooks: Mapping[str, Webhook]) -> None:
        self._set(name, key.encrypt(webhooks[name].reveal(), _context(self._stage)))
        self._save()

    def _save(self) -> None:
        self._config.write()
        settings = _settings(self._config.environment(self._stage))
        policy_files.write(self._config, self._stage, settings)

    def _set(self, name: str, value: str) -> None:
        self._config.set(("stages", self._stage, "environment_variables", name), value)


def _context(stage: str) -> dict[str, str]:
    return {"app": resource_names.APP, "stage": stage}


def _settings(environment: Mapping[str, str]) -> Settings:
    unreadable = {name: "" for name in (MAIN, CRITICAL) if not _is_ciphertext(environment, name)}
    return read_settings({**environment, **unreadable})


def _is_ciphertext(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").strip()
    return bool(text) and name not in {fault.setting for fault in Settings.read({name: text})[1]}
