"""The pages of the documentation, and their parts."""

from __future__ import annotations

import re
from pathlib import Path

from tests.places import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), *(REPOSITORY / "examples").glob("*.md")])
"""All pages that people write; those that the site generates lie in folders below ``docs/``."""

_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    """The page within the repository, for messages and for the names of tests."""
    return page.relative_to(REPOSITORY).as_posix()


def code_blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of one language; an empty one for those without."""
    return [match[3] for match in _FENCE.finditer(text) if match[2].strip() == language]


def without_code(text: str) -> str:
    """The text without its fenced blocks, line by line where it was."""
    return _FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)


def anchors(text: str) -> set[str]:
    """Of the headings, as code hosts make them: lower case, without punctuation, spaces as hyphens."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "") for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}
