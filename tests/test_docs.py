"""The documentation: its links, its size, its commands, its runbook."""

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.exceptions import BadParameter, Exit

from chalicelib.decision import DIGEST, NOT_AN_EVENT
from chalicelib.delivery import answer
from chalicelib.http import PROXY_REFUSALS
from ops.__main__ import main
from tests.support.faults import FAULTS

PROJECT = Path(__file__).parent.parent
PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]
# The first line of a block of commands that no test runs.
MARKS = ("# needs an AWS account", "# AWS 계정이 필요합니다", "# AWSアカウントが必要です")
# By tests/playground, with and without a demo, or by the workflow of each push.
RUN_BY_TESTS = {"make demo", "make local", "make test", "make check", "make golden"}


def words_of(block: str) -> Iterator[list[str]]:
    """Return the words of each command of a block, without its comments."""
    for line in block.replace("\\\n", " ").splitlines():
        for command in line.split("&&"):
            if words := shlex.split(command, comments=True):
                yield words


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_or_a_heading_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", read(page)):
        path, anchor = target
        file = page.parent / path if path else page
        assert file.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", read(file), re.MULTILINE)
            assert anchor[1:] in {
                re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
            }, anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_run_by_a_test_or_marked_and_there_is_what_it_names(page: Path) -> None:
    text = read(page)
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    for block in blocks:
        if not block.lstrip().startswith(MARKS):
            assert {" ".join(words) for words in words_of(block)} <= RUN_BY_TESTS
    inline = re.findall(r"`((?:python -m ops|make) [^`<]+)`", text)
    targets = set(re.findall(r"^([a-z-]+):", read(PROJECT / "Makefile"), re.MULTILINE))
    commands = (command.replace("\n", " ") for command in inline)
    for words in words_of("\n".join((*blocks, *commands))):
        if words[:3] == ["python", "-m", "ops"]:
            arguments = list(itertools.takewhile(lambda word: word != ">", words[3:]))
            with suppress(Exit, BadParameter):  # --version ends it; a placeholder is no value
                context = main.make_context("ops", arguments)
                name, command, rest = main.resolve_command(context, arguments)
                assert command
                command.make_context(name, rest, parent=context)
        elif words[0] == "make":
            assert words[1] in targets
        elif "-r" in words:
            assert (PROJECT / words[words.index("-r") + 1]).exists()


def test_the_runbook_has_an_entry_for_every_reason_and_every_check() -> None:
    runbook = read(PROJECT / "docs" / "operations.md")
    entries = {
        word
        for line in re.findall(r"^\| (.*?) \|", runbook, re.MULTILINE)
        for word in re.findall(r"`(\w+)`", line)
    }
    sources = "".join(map(read, (PROJECT / "chalicelib").rglob("*.py")))
    reasons = {
        *re.findall(r"(?:Webhook\w+|NoAnswer|RefusedForNow)\(\s*\"(\w+)\"", sources),
        *re.findall(r"return \"(\w+)\"\n", read(PROJECT / "chalicelib/signin/filters.py")),
        *(fault.reason for fault in FAULTS.values()),
        *(answer._PAYLOAD_WORDS | answer._DEAD_WORDS | answer._BUSY_WORDS),
        *("duplicate", DIGEST, NOT_AN_EVENT, *PROXY_REFUSALS),
    }
    english = json.loads(read(PROJECT / "chalicelib/messages/languages/en.json"))
    checks = {key.removeprefix("check.") for key in english if key.startswith("check.")}
    assert (reasons | checks) - entries == set()


def test_the_readme_fits_into_900_words() -> None:
    prose = re.sub(
        r"```.*?```|^\|.*$|<[^>]+>", "", read(PROJECT / "README.md"), flags=re.DOTALL | re.MULTILINE
    )
    assert len(prose.split()) <= 900
