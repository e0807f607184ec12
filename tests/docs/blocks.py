"""The blocks of a page, read from its Markdown, and the order in which the site shows the pages."""

import re
from pathlib import Path
from typing import NamedTuple

import yaml
from markdown_it import MarkdownIt

TOP = Path(__file__).parents[2]
README = TOP / "README.md"
SHELL = ("sh", "bash", "shell", "zsh", "console")
SHOWN = ("text", "json")  # what a command prints
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+?) -->\s*")


class Block(NamedTuple):
    """A fenced block."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str  # the reason, in a comment before it
    prints: str  # the output that the page shows directly below it
    said: str = ""  # what the page says above it, since the block or heading before

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(TOP)}:{self.line}"


def of(page: Path) -> list[Block]:
    """Return the blocks of a page, in its order."""
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    blocks, above = [], ""
    for i, token in enumerate(tokens):
        if token.type == "inline":
            above += f"{token.content}\n"
        if token.type == "heading_close":
            above = ""
        if token.type != "fence" or token.map is None:
            continue
        before, after = tokens[i - 1] if i else None, tokens[i + 1] if i + 1 < len(tokens) else None
        excuse = NOT_RUN.fullmatch(before.content) if before and before.type == "html_block" else None
        prints = after.content if after and after.type == "fence" and after.info in SHOWN else ""
        reason = excuse["reason"] if excuse else ""
        blocks.append(Block(page, token.map[0] + 1, token.info, token.content, reason, prints, above))
        above = ""
    return blocks


def commands_of(page: Path) -> list[Block]:
    """Return the blocks of a page that a reader pastes into a shell."""
    return [block for block in of(page) if block.language in SHELL]


def section(title: str) -> list[Path]:
    """Return the pages of a section, in the order of the site's navigation."""
    site = yaml.load((TOP / "mkdocs.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    (pages,) = (part[title] for part in site["nav"] if title in part)
    return [TOP / "docs" / path for page in pages for path in page.values()]
