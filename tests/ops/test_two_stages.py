"""Two stages with one home region in one account: each sign-in reaches each of them once."""

import json

from playground.aws.embedded import EmbeddedAws
from tests.support.cli import WEBHOOK, Cli

ABROAD = ("eu-west-1", "sa-east-1")


def forwarding(aws: EmbeddedAws) -> list[list[str]]:
    """Return the rules of each other region that forward to the home bus."""
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    return [
        aws.client("events", region).list_rule_names_by_target(TargetArn=bus)["RuleNames"]
        for region in ABROAD
    ]


def run(cli: Cli, command: str, stage: str) -> str:
    answer = cli.ops(command, "--stage", stage, "--yes", stdin=f"{WEBHOOK}\n")
    assert answer.status == 0, answer.text
    return answer.text


def test_the_second_stage_uses_the_forwards_of_the_first_until_that_is_removed(
    cli: Cli, aws: EmbeddedAws
) -> None:
    run(cli, "setup", "prod")
    assert forwarding(aws) == [["signin-monitor-prod-forward"]] * 2
    run(cli, "setup", "dev")
    assert forwarding(aws) == [["signin-monitor-prod-forward"]] * 2

    pattern = json.dumps({"source": ["aws.signin"]})  # as if dev had been deployed
    aws.client("events").put_rule(Name="signin-monitor-dev-on_sign_in-event", EventPattern=pattern)
    run(cli, "teardown", "prod")
    assert forwarding(aws) == [["signin-monitor-dev-forward"]] * 2
    roles = {role["RoleName"] for role in aws.client("iam").list_roles()["Roles"]}
    assert roles == {"signin-monitor-dev-forward"}
