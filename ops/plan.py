"""A plan: what is to be done, shown before it is done."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import click
from rich.padding import Padding
from rich.text import Text

from ops.errors import OpsError
from ops.terminal import console

_SIGNS = {"make": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


class PartialFailure(OpsError):
    """Raised if a step could not do all of its parts, and the rest of the plan is worth doing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: `title` says it in the imperative, `apply` does it.

    `details` stand below the title in the plan.
    """

    title: str
    apply: Callable[[], object]
    details: str = ""
    kind: Literal["make", "change", "remove"] = "make"


def show_plan(steps: Sequence[Step]) -> None:
    """Print what is to be done: `+` makes, `~` changes, `-` removes."""
    out = console()
    out.print("To do:")
    for step in steps:
        sign, colour = _SIGNS[step.kind]
        out.print(Text.assemble("  ", (sign, colour), f" {step.title}"), soft_wrap=True)
        if step.details:
            out.print(Padding(Text(step.details, "dim"), (0, 0, 0, 6), expand=False))


def confirm(question: str) -> None:
    """Go on if the operator agrees; else end the command with status 1.

    Raises OpsError where there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise OpsError("Nothing was done: this is no terminal to ask on. Agree with --yes.")
    if not click.confirm(question, err=True):
        click.echo("Nothing was done.")
        click.get_current_context().exit(1)


def apply_plan(
    steps: Sequence[Step],
    *,
    yes: bool,
    dry_run: bool = False,
    prepare: Callable[[], object] = lambda: None,
) -> bool:
    """Show the steps, ask unless `yes`, take them in turn; return whether all was done.

    `prepare` is called between the answer and the first step. With `dry_run` nothing is done. A
    run that is interrupted can be repeated: a plan is made by looking at what is there.
    """
    show_plan(steps)
    if dry_run:
        click.echo("Nothing was done: this was a dry run.")
        return True
    if not yes:
        confirm("Do it?")
    prepare()
    complete = True
    for step in steps:
        click.echo(f"{step.title}: ", nl=False)
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
