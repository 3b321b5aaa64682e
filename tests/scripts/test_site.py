"""The documentation site holds every page; links lead somewhere, there and in the sources."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.site import OTHERS, build, staged

ROOT = Path(__file__).parents[2]
PAGES = [*OTHERS, *(str(page.relative_to(ROOT)) for page in sorted((ROOT / "docs").rglob("*.md")))]

CODE = re.compile(r"^( *)(```+).*?^\1\2", re.DOTALL | re.MULTILINE)


def listed(entry: Any) -> Iterator[str]:
    """Yield the pages of a part of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry if isinstance(entry, list) else entry.values():
            yield from listed(part)


def test_the_navigation_lists_every_page_once() -> None:
    config = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    names = Counter(OTHERS.get(page, page.removeprefix("docs/")) for page in PAGES)
    assert Counter(listed(config["project"]["nav"])) == names


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with the project's pages."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for path in OTHERS:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    return tmp_path


def test_the_site_is_built_without_warnings(copy: Path) -> None:
    done = build(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr
    home = (copy / "build" / "site" / "index.html").read_text(encoding="utf-8")
    assert 'href="criteo.html"' in home


@pytest.mark.parametrize("link", ["missing.md", "events.md#missing"])
def test_a_link_that_leads_nowhere_fails_the_build(copy: Path, link: str) -> None:
    with (copy / "docs" / "security.md").open("a", encoding="utf-8") as page:
        page.write(f"\nSee [there]({link}).\n")
    done = build(copy)
    assert done.returncode == 1
    assert "security.md" in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


@pytest.mark.parametrize(
    ("page", "text", "expected"),
    [
        ("docs/a.md", "[b](b.md#c) [d](#e)", "[b](b.md#c) [d](#e)"),
        ("docs/a.md", "[home](../README.md#b)", "[home](index.md#b)"),
        ("docs/a.md", "[`code`](../framework/hookspecs.py)", "`code`"),
        ("docs/a.md", "![page](images/page.png)", "![page](images/page.png)"),
        ("README.md", "[a](docs/a.md#b)", "[a](a.md#b)"),
        ("README.md", "[log](CHANGELOG.md)", "[log](changelog.md)"),
        ("README.md", "[spec](https://segment.com/docs)", "[spec](https://segment.com/docs)"),
        ("benchmarks/README.md", "[a](../docs/a.md)", "[a](a.md)"),
        ("docs/a.md", "```json events\n[a](../b.py)\n```\n", "```json\n[a](../b.py)\n```\n"),
    ],
)
def test_links_on_the_site(page: str, text: str, expected: str) -> None:
    assert staged(page, text) == expected


@pytest.mark.parametrize("page", PAGES)
def test_links_in_the_sources_lead_to_files(page: str) -> None:
    """They are also read where the sources are shown, as by code hosts."""
    text = CODE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = {target for target in re.findall(r"\]\(([^)\s#]+)", text) if ":" not in target}
    missing = [target for target in targets if not ((ROOT / page).parent / target).exists()]
    assert missing == []
