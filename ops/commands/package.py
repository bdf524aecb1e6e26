"""`package`: a stage as a CloudFormation template and its archive, for teams that deploy so."""

import json
import shutil
from pathlib import Path
from typing import Final

import click

from chalicelib import resource_names
from ops.command import Command, stage_option
from ops.project import policy_files
from ops.project.config_file import ConfigFile
from ops.project.deploy_guard import expect_deployable, take_settings

ARCHIVE: Final = "package.zip"
TEMPLATE: Final = "template.json"


@click.command(
    "package",
    cls=Command,
    short_help="Write a CloudFormation template and its archive.",
    epilog="""
Example:
  python -m ops package --stage prod --out build
""",
)
@stage_option
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="build",
    show_default=True,
    metavar="FOLDER",
    help="Where to write both files.",
)
def command(stage: str, folder: Path) -> None:
    """Write a stage as a CloudFormation template and the archive of its functions.

    For teams that deploy with CloudFormation instead of `chalice deploy`. Both make the same
    resources under the same names, so a stage is deployed by one of them. AWS is not asked.
    """
    config = ConfigFile.read()
    config.expect(stage)
    expect_deployable(config, stage)
    take_settings(config.environment(stage), config.home_region(stage))
    policy_files.write(config, stage, config.settings(stage))

    # Imported late: Chalice's builder takes as long as all other commands to start.
    from ops.project.chalice_build import build  # noqa: PLC0415
    from ops.project.template import stage_template  # noqa: PLC0415

    resources, archive = build(stage)
    template = stage_template(
        resources,
        package=ARCHIVE,
        tags=config.tags(stage),
        boundary=config.boundary(stage),
        description=f"{resource_names.APP}, stage {stage}: console sign-ins to a chat channel",
    )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(archive, folder / ARCHIVE)
    (folder / TEMPLATE).write_text(json.dumps(template, indent=2) + "\n")
    click.echo(_next_steps(stage, folder, config.home_region(stage)))


def _next_steps(stage: str, folder: Path, region: str) -> str:
    template, packaged = folder / TEMPLATE, folder / "packaged.json"
    return f"""\
Wrote {template} and {folder / ARCHIVE}. Next, with a bucket in {region}:
  aws cloudformation package --region {region} --s3-bucket BUCKET \\
    --template-file {template} --use-json --output-template-file {packaged}
  aws cloudformation deploy --region {region} --stack-name {resource_names.APP}-{stage} \\
    --template-file {packaged} --capabilities CAPABILITY_NAMED_IAM"""
