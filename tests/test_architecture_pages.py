"""The pages about the code name modules, classes and attributes that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [path for part in ("framework", "destinations") for path in (ROOT / part).rglob("*.py")]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
MODULES = {path.with_suffix("").relative_to(ROOT).as_posix() for path in SOURCES}
PAGES = {
    name: (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("architecture.md", "generated-code.md")
}


@pytest.mark.parametrize("page", PAGES)
def test_modules_exist(page: str) -> None:
    """Written as `package/module`, with or without `framework/`; packages too."""
    named = set(re.findall(r"`(?:framework/)?([a-z_]+/[a-z_]+)(?:\.py)?`", PAGES[page]))
    folders = {path.parent.relative_to(ROOT).as_posix() for path in SOURCES}
    known = MODULES | folders | {one.removeprefix("framework/") for one in MODULES | folders}
    assert {one for one in named - known if not one.startswith("tests/")} == set()


@pytest.mark.parametrize("page", PAGES)
def test_classes_and_attributes_exist(page: str) -> None:
    """Written as `Class`, or `Class.attribute`, with or without arguments."""
    named = re.findall(r"`([A-Z][a-z]\w+)(?:\.([a-z]\w+))?(?:\([^`]*\))?`", PAGES[page])
    missing = {
        name
        for name, _ in named
        if not re.search(rf"\bclass {name}\b|^{name}\b.* = ", TEXT, re.MULTILINE)
    }
    missing |= {
        f"{name}.{attribute}"
        for name, attribute in named
        if attribute and not re.search(rf"\bdef {attribute}\b|\b{attribute}\b *[:=]", TEXT)
    }
    assert missing == set()
