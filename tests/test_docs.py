"""The documentation: its links, its size."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_or_a_heading_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]*)(#[^)]*)?\)", page.read_text("utf-8")):
        path, anchor = target
        file = page.parent / path if path else page
        assert file.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert anchor[1:] in {
                re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
            }, anchor


def test_the_readme_fits_into_900_words() -> None:
    text = (PROJECT / "README.md").read_text("utf-8")
    prose = re.sub(r"```.*?```|^\|.*$|<[^>]+>", "", text, flags=re.DOTALL | re.MULTILINE)
    assert len(prose.split()) <= 900
