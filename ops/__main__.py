"""`python -m ops`: the commands of whoever runs signin-monitor."""

from importlib import import_module
from typing import Final

import click

from .command import Command

# Each command is `command` in its module, imported only when it is asked for.
_MODULES: Final = {
    "setup": "setup",
    "doctor": "doctor",
    "history": "history",
    "audit": "audit",
    "regions": "regions",
    "policies": "policy_files",
    "package": "commands.package",
    "teardown": "teardown",
}


class Commands(Command, click.Group):
    """The group, in the order in which an operator meets its commands."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Name the commands."""
        return list(_MODULES)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """Give a command, None if there is none of that name."""
        if cmd_name not in _MODULES:
            return None
        command: click.Command = import_module(f"ops.{_MODULES[cmd_name]}").command
        return command


@click.group(
    cls=Commands,
    epilog="""
Begin with:
  python -m ops history --since 7d     what would have been posted, before any deployment
  python -m ops setup --stage prod     make what the stage needs
  chalice deploy --stage prod
  python -m ops doctor --stage prod    every link of the chain, with remedies
""",
)
def main() -> None:
    """Set up signin-monitor, look after it, and ask what it sees."""


if __name__ == "__main__":
    main(prog_name="python -m ops")
