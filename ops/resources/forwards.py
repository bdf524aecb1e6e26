"""The rules that forward sign-ins to the home region, a rule in each other region.

`chalicelib.health.forward` says which regions forward, whoever made the rule.
"""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import resource_names
from chalicelib.health.forward import Forward, forward_of
from chalicelib.health.regions import enabled_regions
from chalicelib.signin.events import ALL_EVENTS, SIGN_IN_PATTERN
from ops.account import Account, tags_of
from ops.errors import OpsError, sentence
from ops.plan import PartialFailure, Step
from ops.resources.role import EVENTS, Role, document, trust_in

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_TARGET: Final = "home"
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Region:
    """How a region forwards; None if it cannot be looked at, and why."""

    name: str
    forward: Forward | None
    why: str = ""

    @property
    def status(self) -> str:
        """How it forwards in a word: `forwards`, what is wrong, or `unknown`."""
        return self.forward.code or "forwards" if self.forward else "unknown"


class Forwards:
    """The forwards of one stage: what there is, and what is to be done."""

    def __init__(self, account: Account, stage: str) -> None:
        """Look at every enabled region of the account but the home region."""
        self._account = account
        self._stage = stage
        self._home = account.region
        self._name = resource_names.forward(stage)  # of the rules and of their role
        self._mark = tags_of(stage)
        self._tags = account.tags_for(stage)
        self._bus_arn = account.arn("events", "event-bus/default")
        source = {"StringEquals": {"aws:SourceAccount": account.account_id}}
        self._role = Role(
            account,
            stage,
            self._name,
            trust=trust_in(EVENTS, Condition=source),
            policy=document(Action="events:PutEvents", Resource=self._bus_arn),
        )
        self._events: dict[str, EventBridgeClient] = {
            region: account.client("events", region)
            for region in enabled_regions(account.client, account.region)
            if region != account.region
        }
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self.regions = tuple(pool.map(self._look, self._events))

    @property
    def unknown(self) -> tuple[Region, ...]:
        """The regions that cannot be looked at."""
        return tuple(region for region in self.regions if region.forward is None)

    def steps(self) -> Iterator[Step]:
        """Yield the steps to forwards in every region that can be looked at."""
        uncovered = [region.name for region in self.regions if self._needs_rule(region)]
        roles = {region.forward.role for region in self.regions if region.forward}
        if uncovered or self._role.arn in roles:
            yield from self._role.steps()
        if uncovered:
            yield Step(
                f"forward sign-ins to {self._home} from {len(uncovered)} regions",
                partial(self._each, self._make, uncovered),
                ", ".join(uncovered),
            )

    def removal_steps(self) -> Iterator[Step]:
        """Yield the steps that take away what bears the stage's tag.

        Where no other rule forwards, another deployed stage of the home region gets its own first,
        so that it misses no sign-in.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            ours = [name for name, is_ours in pool.map(self._is_ours, self._events) if is_ours]
        alone = [name for name in ours if self._forwards_alone(name)]
        if alone and (heir := self._other_stage()):
            yield from Forwards(self._account, heir).takeover_steps(alone)
        if ours:
            yield Step(
                f"stop forwarding sign-ins from {len(ours)} regions",
                partial(self._each, self._remove, ours),
                ", ".join(ours),
                kind="remove",
            )
        yield from self._role.removal_steps()

    def takeover_steps(self, regions: list[str]) -> Iterator[Step]:
        """Yield the steps to rules of this stage where those of another are about to go."""
        yield from self._role.steps()
        yield Step(
            f"forward sign-ins from {len(regions)} regions for the stage {self._stage}",
            partial(self._each, self._make, regions),
            ", ".join(regions),
        )

    def _forwards_alone(self, region: str) -> bool:
        names = self._events[region].list_rule_names_by_target(TargetArn=self._bus_arn)["RuleNames"]
        return set(names) <= {self._name}

    def _other_stage(self) -> str | None:
        """Return another stage that is deployed in the home region, by the name of its rule."""
        events: EventBridgeClient = self._account.session.client("events")
        name = re.compile(resource_names.rule("(.+)", "on_sign_in"))
        rules = events.get_paginator("list_rules").paginate(NamePrefix=f"{resource_names.APP}-")
        stages = [
            found[1]
            for page in rules
            for rule in page["Rules"]
            if (found := name.fullmatch(rule["Name"])) and found[1] != self._stage
        ]
        return min(stages, default=None)

    def _needs_rule(self, region: Region) -> bool:
        """Return whether a rule of ours is to be made, or made again, in a region."""
        if region.status in ("forwards", "unknown"):
            return False
        # A second rule would forward each other event twice.
        is_theirs = region.forward is not None and region.forward.rule != self._name
        return not (is_theirs and region.status == "forward_without_reads")

    def _each(self, change: Callable[[str], None], regions: list[str]) -> None:
        """Change one region after another; a region that a policy denies ends nothing.

        Raises PartialFailure, naming those that were left out.
        """
        left = []
        for region in regions:
            try:
                change(region)
            except (ClientError, BotoCoreError, OpsError) as error:
                left.append(f"  left out: {region}. {sentence(error)}")
        if left:
            raise PartialFailure("\n".join(left))

    def _look(self, region: str) -> Region:
        try:
            forward = forward_of(
                region, self._bus_arn, SIGN_IN_PATTERN, lambda _, name: self._events[name]
            )
        except (ClientError, BotoCoreError) as error:
            return Region(region, None, sentence(error))
        return Region(region, forward)

    def _is_ours(self, region: str) -> tuple[str, bool]:
        """Return whether a region has a rule that bears the stage's name and tag."""
        events = self._events[region]
        try:
            arn = events.describe_rule(Name=self._name)["Arn"]
            tags = events.list_tags_for_resource(ResourceARN=arn)["Tags"]
        except (ClientError, BotoCoreError):
            return region, False
        return region, self._mark.items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()

    def _make(self, region: str) -> None:
        events = self._events[region]
        events.put_rule(
            Name=self._name,
            EventPattern=json.dumps(SIGN_IN_PATTERN),
            State=ALL_EVENTS,
            Description=f"Forwards sign-ins to signin-monitor in {self._home}",
            Tags=[{"Key": key, "Value": value} for key, value in self._tags.items()],
        )
        answer = events.put_targets(
            Rule=self._name,
            Targets=[{"Id": _TARGET, "Arn": self._bus_arn, "RoleArn": self._role.arn}],
        )
        if answer["FailedEntryCount"]:
            raise OpsError(
                f"EventBridge in {region} refuses the target: "
                f"{answer['FailedEntries'][0].get('ErrorMessage', '')}"
            )

    def _remove(self, region: str) -> None:
        events = self._events[region]
        targets = events.list_targets_by_rule(Rule=self._name)["Targets"]
        if targets:
            events.remove_targets(Rule=self._name, Ids=[target["Id"] for target in targets])
        events.delete_rule(Name=self._name)
