"""What all commands have in common: help with examples, options, one place for errors."""

import os
from typing import Any

import click

from ops.errors import OpsError, sentence


def _deployable(_: click.Context, __: click.Parameter, stage: str) -> str:
    if stage == "local":
        raise OpsError("The stage local needs nothing at AWS: make demo runs it.")
    if not stage:
        raise click.BadParameter("it has no name.")
    return stage


stage_option = click.option(
    "--stage",
    required=True,
    metavar="NAME",
    callback=_deployable,
    help="The stage, as .chalice/config.json names it.",
)
profile_option = click.option(
    "--profile", metavar="NAME", help="The profile of the AWS CLI to take credentials from."
)
region_option = click.option(
    "--region", metavar="REGION", help="The home region, if not the stage's own."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask before doing it.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Show the plan and do nothing.")


class Command(click.Command):
    """A command that fails in one sentence.

    Its epilog, the examples, stands in the help as it was written.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # click's own
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--debug"],
                is_flag=True,
                expose_value=False,
                callback=_remember_debug,
                help="Show the traceback of what fails.",
            )
        )

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # what the command returns
        """Run the command; turn what it raises into a sentence."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click knows them all: the last when `head` has seen enough
        except Exception as error:
            if ctx.find_root().meta.get(__name__):
                raise
            raise OpsError(sentence(error)) from None

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog without filling its lines."""
        if self.epilog:
            formatter.write(f"\n{self.epilog.strip()}\n")


def _remember_debug(context: click.Context, _: click.Parameter, debug: bool) -> None:  # noqa: FBT001
    context.find_root().meta[__name__] = debug or context.find_root().meta.get(__name__, False)
