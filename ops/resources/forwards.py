"""The rules that forward sign-ins to the home region, one in each other region.

A sign-in lands in the region whose endpoint took it, and whoever signs in picks that region. A
region without such a rule is blind.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import resource_names
from chalicelib.aws.error_codes import is_missing
from chalicelib.health.rule import same_pattern
from chalicelib.health.trail import enabled_regions
from chalicelib.signin.events import ALL_EVENTS, SIGN_IN_PATTERN
from ops.account import Account, tags_of
from ops.errors import OpsError, sentence
from ops.plan import PartialFailure, Step
from ops.resources.forward_role import ForwardRole

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_TARGET: Final = "home"
_AT_ONCE: Final = 8

Status = Literal["forwards", "missing", "differs", "unknown"]


@dataclass(frozen=True, slots=True)
class Forward:
    """How one region is; whether its rule is ours to remove; why nothing can be told."""

    region: str
    state: Status
    ours: bool = False
    why: str = ""


class Forwards:
    """The forwards of one stage: what there is, and what is to be done."""

    def __init__(self, account: Account, stage: str) -> None:
        """Look at every enabled region of the account but the home region."""
        self._home = account.region
        self._name = resource_names.forward(stage)  # of the rules and of their role
        self._tags = dict(tags_of(stage))
        self._bus_arn = account.arn("events", "event-bus/default")
        self._role = ForwardRole(account, stage, self._name, self._bus_arn)
        self._events: dict[str, EventBridgeClient] = {
            region: account.client("events", region)
            for region in enabled_regions(account.client, account.region)
            if region != account.region
        }
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self.found = tuple(pool.map(self._look, self._events))

    @property
    def unknown(self) -> tuple[Forward, ...]:
        """The regions that could not be looked at."""
        return tuple(one for one in self.found if one.state == "unknown")

    def steps(self) -> Iterator[Step]:
        """Return the steps to forwards from every region that can be looked at."""
        if self.found:
            yield from self._role.steps()
        uncovered = [one.region for one in self.found if one.state in ("missing", "differs")]
        if uncovered:
            yield Step(
                f"forward sign-ins to {self._home} from {len(uncovered)} regions",
                partial(self._each, self._make, uncovered),
                ", ".join(uncovered),
            )

    def removal_steps(self) -> Iterator[Step]:
        """Return the steps that take away what bears the stage's tag."""
        ours = [one.region for one in self.found if one.ours]
        if ours:
            yield Step(
                f"stop forwarding sign-ins from {len(ours)} regions",
                partial(self._each, self._remove, ours),
                ", ".join(ours),
                kind="remove",
            )
        yield from self._role.removal_steps()

    def _each(self, change: Callable[[str], None], regions: list[str]) -> None:
        """Change one region after another; a region that a policy denies ends nothing.

        Raises PartlyDone, naming those that were left out.
        """
        left = []
        for region in regions:
            try:
                change(region)
            except (ClientError, BotoCoreError, OpsError) as error:
                left.append(f"  left out: {region}. {sentence(error)}")
        if left:
            raise PartialFailure("\n".join(left))

    def _look(self, region: str) -> Forward:
        events = self._events[region]
        try:
            rule = events.describe_rule(Name=self._name)
            targets = events.list_targets_by_rule(Rule=self._name)["Targets"]
            tags = events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
        except ClientError as error:
            if is_missing(error):
                return Forward(region, "missing")
            return Forward(region, "unknown", why=sentence(error))
        except BotoCoreError as error:
            return Forward(region, "unknown", why=sentence(error))
        ours = self._tags.items() <= {one["Key"]: one["Value"] for one in tags}.items()
        works = (
            rule.get("State") == ALL_EVENTS
            and same_pattern(rule.get("EventPattern"), SIGN_IN_PATTERN)
            and any(
                one["Arn"] == self._bus_arn and one.get("RoleArn") == self._role.arn
                for one in targets
            )
        )
        return Forward(region, "forwards" if works else "differs", ours)

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
            events.remove_targets(Rule=self._name, Ids=[one["Id"] for one in targets])
        events.delete_rule(Name=self._name)
