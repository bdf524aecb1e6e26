"""The ways to post a sign-in that are compared, each packaged as it is for Lambda."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.harness import KEY, Harness
from playground.aws.deployment import Deployment, deploy
from playground.aws.settings import provision, provision_baseline

OURS: Final = "signin-monitor"
WITH_BASELINE: Final = "… with a baseline"
ARTICLE: Final = "the article's"
LEAN: Final = "lean, as published"
TUNED: Final = "lean, tuned"
FLOOR: Final = "floor"

_VARIANTS: Final = Path(__file__).with_name("variants")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One package, and what there is to know to run it."""

    title: str
    package: Path
    package_bytes: int  # of the archive
    handler: str
    environment: Mapping[str, str]
    decryptions: tuple[int, int] = (1, 0)  # KMS requests of a cold and of a warm sign-in


def make_variants(harness: Harness, scratch: Path) -> list[Variant]:
    """Deploy and pack all: signin-monitor first, the floor last."""
    ours = deploy_signin_monitor(harness, scratch / "signin-monitor")
    article = deploy(
        "prod",
        _article_settings(harness),
        aws=harness.aws,
        scratch=scratch / "article",
        project=_VARIANTS / "article",
    )
    without = variant_of(ours, harness)
    table = provision_baseline("prod", aws=harness.aws)
    return [
        without,
        replace(without, title=WITH_BASELINE, environment={**without.environment, **table}),
        variant_of(article, harness, title=ARTICLE, decryptions=(1, 1)),
        make_lean(harness),
        _packed(TUNED, "tuned", _article_settings(harness), harness),
        make_floor(harness),
    ]


def deploy_signin_monitor(harness: Harness, scratch: Path, **settings: str) -> Deployment:
    """Deploy signin-monitor to the harness, with settings besides those it needs there."""
    needed = provision("prod", aws=harness.aws, receiver=harness.receiver)
    return deploy("prod", needed | settings, aws=harness.aws, scratch=scratch)


def variant_of(
    deployment: Deployment,
    harness: Harness,
    handler: str = "on_sign_in",
    *,
    title: str = OURS,
    decryptions: tuple[int, int] = (1, 0),
) -> Variant:
    """Return one of the functions that were deployed."""
    return Variant(
        title=title,
        package=deployment.package,
        package_bytes=deployment.package_bytes,
        handler=f"app.{handler}",
        environment=deployment.environment(handler) | harness.environment,
        decryptions=decryptions,
    )


def make_lean(harness: Harness) -> Variant:
    """Pack what is published most: boto3, and the standard library's `urlopen`."""
    return _packed(LEAN, "lean", _article_settings(harness), harness)


def make_floor(harness: Harness) -> Variant:
    """Pack the floor: a post over an open connection, and nothing else."""
    settings = {"WEBHOOK_URL": harness.receiver.url}
    return _packed(FLOOR, "floor", settings, harness, decryptions=(0, 0))


def _packed(
    title: str,
    folder: str,
    settings: Mapping[str, str],
    harness: Harness,
    *,
    decryptions: tuple[int, int] = (1, 0),
) -> Variant:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for file in (_VARIANTS / folder).glob("*.py"):
            writer.write(file, file.name)
    return Variant(
        title=title,
        package=_VARIANTS / folder,
        package_bytes=len(archive.getvalue()),
        handler="lambda_function.lambda_handler",
        environment={**settings, **harness.environment},
        decryptions=decryptions,
    )


def _article_settings(harness: Harness) -> dict[str, str]:
    """Encrypt the webhook as the article does, without its scheme."""
    encrypted = harness.aws.encrypt(harness.receiver.url.removeprefix("https:"), KEY)
    return {"WEBHOOK_URL_ENCRYPTED": encrypted}
