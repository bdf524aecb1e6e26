"""`python -m ops`: the commands of whoever runs signin-monitor."""

import sys
from difflib import get_close_matches
from typing import Final

import click

from chalicelib import __version__
from ops.command import Command

_NAMES: Final = (
    "setup",
    "doctor",
    "history",
    "baseline",
    "audit",
    "regions",
    "policies",
    "package",
    "teardown",
)


def _command(name: str) -> click.Command | None:
    """Return a command by its name, its module imported only when it is asked for."""
    match name:
        case "setup":
            from ops.commands import setup  # noqa: PLC0415

            return setup.command
        case "doctor":
            from ops.commands import doctor  # noqa: PLC0415

            return doctor.command
        case "history":
            from ops.commands import history  # noqa: PLC0415

            return history.command
        case "baseline":
            from ops.commands import baseline  # noqa: PLC0415

            return baseline.command
        case "audit":
            from ops.commands import audit  # noqa: PLC0415

            return audit.command
        case "regions":
            from ops.commands import regions  # noqa: PLC0415

            return regions.command
        case "policies":
            from ops.commands import policies  # noqa: PLC0415

            return policies.command
        case "package":
            from ops.commands import package  # noqa: PLC0415

            return package.command
        case "teardown":
            from ops.commands import teardown  # noqa: PLC0415

            return teardown.command
    return None


class Commands(Command, click.Group):
    """The group, in the order in which an operator meets its commands."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(_NAMES)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named; suggest a similar command if there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], _NAMES, 1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"{error.message}{hint}", ctx) from None

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None if there is none of that name."""
        return _command(cmd_name)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""
Begin with:
  python -m ops history --since 7d     what would be posted; needs no deployment
  python -m ops setup --stage prod     make what the stage needs
  chalice deploy --stage prod
  python -m ops doctor --stage prod    every check, with its remedy
""",
)
@click.version_option(__version__, prog_name="signin-monitor")
def main() -> None:
    """Set up signin-monitor, check it, and read the sign-ins that AWS recorded."""


def run() -> int:
    """Run a command; return its exit code, 130 if it was interrupted."""
    try:
        code = main(prog_name="python -m ops", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted. What was done stays; run it again to continue.", err=True)
        return 130
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(run())
