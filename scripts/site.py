"""Build the documentation site into `build/site`, with its links checked.

    python scripts/site.py

The pages of `docs/` and the Markdown files of the project's root are staged in `build/docs`. There
a link to another page leads to its staged copy; a link to a source file keeps its text only, as
the site holds no sources. Exits with 1, and says where, if a link leads nowhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath

ROOT = Path(__file__).resolve().parent.parent
STAGED = "build/docs"

OTHERS = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""The pages outside of `docs/`, by their paths in the project, with their names on the site."""

_FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2\s*$", re.DOTALL | re.MULTILINE)
_INFO = re.compile(r"\A( *[`~]{3,}\w*)[^\n]*")
"""The first line of a block of code. Python-Markdown reads nothing after the language."""

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def staged_name(path: str) -> str | None:
    """Return the name on the site of the file *path* of the project, or None if it has none."""
    if path in OTHERS:
        return OTHERS[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def staged(path: str, text: str) -> str:
    """Return the *text* of the page *path* with the links that it has on the site."""
    folder = path.rpartition("/")[0]

    def link(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        file, hash_, anchor = target.partition("#")
        name = staged_name(normpath(f"{folder}/{file}".lstrip("/")))
        return f"{image}[{label}]({name}{hash_}{anchor})" if name else label

    return "".join(
        _INFO.sub(r"\1", part) if fenced else _LINK.sub(link, part) for part, fenced in _split(text)
    )


def _split(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of *text* in order, each with whether it is a block of code."""
    end = 0
    for block in _FENCED.finditer(text):
        yield text[end : block.start()], False
        yield block[0], True
        end = block.end()
    yield text[end:], False


def stage(root: Path = ROOT) -> None:
    """Write all pages and the pictures and data that they show into `build/docs`."""
    target = root / STAGED
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "docs", target)
    pages = [*OTHERS, *(str(file.relative_to(root)) for file in (root / "docs").rglob("*.md"))]
    for path in pages:
        text = (root / path).read_text(encoding="utf-8")
        (target / str(staged_name(path))).write_text(staged(path, text), encoding="utf-8")


def build(root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Return the finished build of the staged pages, which fails on any warning."""
    stage(root)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def main() -> int:
    """Build the site; say where it is, or what is wrong."""
    done = build()
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
        return 1
    print(f"{STAGED.replace('docs', 'site')}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
