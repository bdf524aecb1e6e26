"""A plan: what is to be done, shown before it is done."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Final

import click

from ops.errors import OpsError

_WIDTH: Final = 70  # characters of a step that is being taken; above it stood whole


class PartialFailure(OpsError):
    """Raised if a step could not do all of its parts, and the rest of the plan is worth doing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `describe` says it in the imperative; `apply` does it."""

    describe: str
    apply: Callable[[], object]


def apply_plan(steps: Sequence[Step], *, yes: bool) -> bool:
    """Show the steps, ask unless told `yes`, take them in turn; say whether all was done.

    A run that breaks off can be repeated: a plan is made by looking at what is there.
    """
    click.echo("To do:")
    for step in steps:
        click.echo(f"  {click.style('+', fg='green')} {step.describe}")
    if not yes:
        if not sys.stdin.isatty():
            raise OpsError("Nothing was done: this is no terminal to ask on. Agree with --yes.")
        click.confirm("Do it?", abort=True)
    complete = True
    for step in steps:
        click.echo(f"{shorten(step.describe, _WIDTH, placeholder='…')}: ", nl=False)
        try:
            step.apply()
        except PartialFailure as fault:
            complete = False
            click.secho(f"in part\n{fault.message}", fg="yellow")
        except BaseException:
            click.secho("failed", fg="red")
            raise
        else:
            click.secho("done", fg="green")
    return complete
