"""Markdown as a renderer of GitHub's dialect shows it: tables as lists of rows of texts."""

from __future__ import annotations

import html
import re

from markdown_it import MarkdownIt

_TAGS = re.compile(r"<[^>]*>")


def render(markdown: str) -> str:
    """Return HTML."""
    found: str = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return found


def tables(markdown: str) -> list[list[list[str]]]:
    """Return each table as rows of cells, the head first, as they are read."""
    return [
        [[shown(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
         for row in re.findall(r"<tr>(.*?)</tr>", one, re.DOTALL)]
        for one in re.findall(r"<table>(.*?)</table>", render(markdown), re.DOTALL)
    ]  # fmt: skip


def shown(fragment: str) -> str:
    """Return the text of a piece of HTML without its own tags."""
    return " ".join(html.unescape(_TAGS.sub("", fragment)).split())


def tags(markdown: str) -> set[str]:
    """Return the names of all elements."""
    return set(re.findall(r"<([a-z0-9]+)", render(markdown)))
