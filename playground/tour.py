"""The tour: a dozen sign-ins through the deployed package, each message as Slack received it."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ops.terminal import Screen
from playground import catalogue
from playground.aws.deployment import ProjectCopy
from playground.aws.embedded import EmbeddedAws
from playground.aws.runtime import LambdaFunction
from playground.aws.settings import provision
from playground.slack.receiver import Receiver

STAGE: Final = "prod"
SIGN_INS: Final = (
    "iam-user-with-mfa",
    "identity-center-permission-set",
    "saml-role",
    "switch-role-in-role-account",
    "iam-user-without-mfa",
    "iam-user-wrong-password",
    "iam-user-wrong-mfa-code",
    "iam-user-unknown-name",
    "identity-center-password-and-code",
    "root-password-recovery-requested",
    "root-without-mfa",
    "event-never-seen-before",
    "hostile-user-agent",
)


def run(screen: Screen) -> int:
    """Deploy to the embedded AWS, sign in; return the exit status, 0 if every message arrived."""
    with (
        tempfile.TemporaryDirectory(prefix="signin-monitor-") as scratch,
        EmbeddedAws() as aws,
        Receiver() as receiver,
    ):
        screen.note("Deploying to an embedded AWS: chalice deploy --stage prod")
        settings = provision(STAGE, aws=aws, receiver=receiver)
        copy = ProjectCopy(Path(scratch))
        copy.configure(STAGE, settings)
        deployment = copy.deploy(STAGE, aws=aws)
        screen.note(
            f"The package has {deployment.package_bytes / 1000:.0f} kB. AWS's own runtime client "
            "runs it; what follows is what the receiver got."
        )
        screen.line()
        environment = aws.environment | deployment.environment("on_sign_in")
        with LambdaFunction(deployment.package, "app.on_sign_in", environment) as function:
            for name in SIGN_INS:
                arrived = len(receiver.messages)
                result = function.invoke(catalogue.renewed(catalogue.read(name), datetime.now(UTC)))
                for post in receiver.messages[arrived:]:
                    screen.show(post.payload, datetime.fromtimestamp(post.received_at, UTC))
                if len(receiver.messages) == arrived:
                    screen.line(f"{name} did not arrive: {result.error or result.value}")
                    screen.line("\n".join(result.log))
                    return 1
        screen.note(f"{len(receiver.messages)} sign-ins, {len(receiver.messages)} messages.")
    return 0
