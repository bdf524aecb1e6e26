"""The four ways to tell of a sign-in that are compared, each packaged as it is for Lambda."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bed import KEY, Bed
from playground.aws.deployment import Deployment, deploy
from playground.aws.settings import equip

_SHAPES = Path(__file__).with_name("shapes")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One package, and what there is to know to run it."""

    name: str
    title: str
    package: Path
    package_bytes: int  # of the archive
    handler: str
    environment: Mapping[str, str]
    decryptions: tuple[int, int]  # KMS requests of a cold sign-in and of a warm one


def make_shapes(bed: Bed, scratch: Path) -> list[Shape]:
    """Deploy and pack all four: signin-monitor first, the floor last."""
    return [
        make_signin_monitor(bed, scratch / "signin-monitor"),
        _article(bed, scratch / "article"),
        make_lean(bed),
        make_floor(bed),
    ]


def make_signin_monitor(bed: Bed, scratch: Path) -> Shape:
    """Deploy signin-monitor itself."""
    deployment = deploy_signin_monitor(bed, scratch)
    return Shape(
        name="signin-monitor",
        title="signin-monitor",
        package=deployment.package,
        package_bytes=deployment.package_bytes,
        handler="app.on_sign_in",
        environment=deployment.environment("on_sign_in") | bed.environment,
        decryptions=(1, 0),
    )


def deploy_signin_monitor(bed: Bed, scratch: Path, **settings: str) -> Deployment:
    """Deploy signin-monitor to the bed, with settings besides those it needs there."""
    needed = equip("prod", aws=bed.aws, receiver=bed.receiver)
    return deploy("prod", needed | settings, aws=bed.aws, scratch=scratch)


def _article(bed: Bed, scratch: Path) -> Shape:
    settings = {"WEBHOOK_URL_ENCRYPTED": _encrypted_as_in_the_article(bed)}
    deployment = deploy("prod", settings, aws=bed.aws, scratch=scratch, project=_SHAPES / "article")
    return Shape(
        name="article",
        title="the article's, on Chalice",
        package=deployment.package,
        package_bytes=deployment.package_bytes,
        handler="app.on_sign_in",
        environment=deployment.environment("on_sign_in") | bed.environment,
        decryptions=(1, 1),
    )


def make_lean(bed: Bed) -> Shape:
    """Pack the lean shape."""
    return Shape(
        name="lean",
        title="lean: stdlib and boto3",
        package=_SHAPES / "lean",
        package_bytes=_zipped(_SHAPES / "lean"),
        handler="lambda_function.lambda_handler",
        environment={"WEBHOOK_URL_ENCRYPTED": _encrypted_as_in_the_article(bed)} | bed.environment,
        decryptions=(1, 0),
    )


def make_floor(bed: Bed) -> Shape:
    """Pack the floor."""
    return Shape(
        name="floor",
        title="floor: no KMS, no Chalice",
        package=_SHAPES / "floor",
        package_bytes=_zipped(_SHAPES / "floor"),
        handler="lambda_function.lambda_handler",
        environment={"WEBHOOK_URL": bed.receiver.url} | bed.environment,
        decryptions=(0, 0),
    )


def _encrypted_as_in_the_article(bed: Bed) -> str:
    return bed.aws.encrypt(bed.receiver.url.removeprefix("https:"), KEY)


def _zipped(folder: Path) -> int:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for file in folder.glob("*.py"):
            writer.write(file, file.name)
    return len(archive.getvalue())
