"""`policies`: writes the policy files of a stage, or shows what would change."""

import difflib
import json

import click

from ops.command import Command, stage_option
from ops.iam.deployer import deployer_policy
from ops.project import policy_files
from ops.project.config_file import ConfigFile


@click.command(
    "policies",
    cls=Command,
    short_help="Write the functions' policy files.",
    epilog="""
Examples:
  python -m ops policies --stage prod
  python -m ops policies --stage prod --diff
  python -m ops policies --stage prod --deployer > deployer.json
""",
)
@stage_option
@click.option("--diff", is_flag=True, help="Show what would change, and write nothing.")
@click.option(
    "--deployer", is_flag=True, help="Print the policy that setup and deployment need instead."
)
def command(*, stage: str, diff: bool, deployer: bool) -> None:
    """Write a stage's policy files from its settings.

    One file for each function, in .chalice/, with the rights it needs and no others, and the
    statements of your own in .chalice/policy-extra-STAGE.json. `chalice deploy` writes them too.
    """
    config = ConfigFile.read()
    config.expect(stage)
    if deployer:
        if diff:
            raise click.UsageError("--diff and --deployer exclude each other.")
        click.echo(json.dumps(deployer_policy(config.boundary(stage)), indent=2))
        return
    for place, name in policy_files.unnamed(config, stage).items():
        config.set(place, name)
    settings = config.settings(stage)
    if diff:
        for path, text in policy_files.texts(config, stage, settings).items():
            before = policy_files.current(path).splitlines(keepends=True)
            after = text.splitlines(keepends=True)
            click.echo("".join(difflib.unified_diff(before, after, str(path), str(path))), nl=False)
        return
    config.write()
    changed = policy_files.write(config, stage, settings)
    for path in changed:
        click.echo(f"Wrote {path}")
    if not changed:
        click.echo("Nothing to do: the policy files are as the settings ask.")
