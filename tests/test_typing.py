"""Type checkers see what authors get wrong: names that do not exist, defaults of another type."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
WRITTEN = '''
"""Lines that end with the code of an error have that error, and the others have none."""

from datetime import datetime
from typing import Any, ClassVar, Literal

from framework import DoesNotExist  # attr-defined
from framework import Payload, Settings, field
from framework.config import NorThis  # attr-defined
from framework.definition import NorThat  # attr-defined
from framework.testing import Harness, NorTheOther  # attr-defined
from framework.triggers import NorAnything  # attr-defined


class Item(Payload):
    """Right in every line."""

    sku: str = field("SKU", pattern="^[a-z]+$")
    kinds: ClassVar[int] = 3


class Right(Settings):
    """Right in every line, too."""

    count: int = field("Count", default=7)
    rate: float = field(default=1, minimum=0)
    on: bool = field(default=True)
    region: Literal["eu", "us"] = field(default="eu")
    note: str | None = field()
    no_note: str | None = field(default=None)
    tags: list[str] = field(default=["new"])
    at: datetime = field(default=datetime(2024, 3, 5))
    item: Item = field(default=Item(sku="a"))
    items: list[Item] | None = field("Items")
    extra: dict[str, Any] = field(default={"a": 1})


class Wrong(Settings):
    """Wrong in every line."""

    count: int = field(default="seven")  # assignment
    url: str = field("URL", default=7)  # assignment
    region: Literal["eu", "us"] = field(default="uk")  # arg-type
    tags: list[str] = field(default=[1])  # list-item
    at: datetime = field(default="2024-03-05")  # assignment
    note: str | None = field(default=7)  # assignment
    other: set[str] = field(default={"a"})  # call-overload
    text: str = field(typ="string")  # call-overload
    kind: str = field(type="strng")  # call-overload
    lost = field("Lost")  # var-annotated


Item(sku=1)  # arg-type
Item(sku="a").sku = "b"  # misc
Item(sku="a").suk  # attr-defined
'''


def test_mypy_refuses_what_is_wrong(tmp_path: Path) -> None:
    """The destination of README and what is right pass in strict mode."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (destination, *_) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "webhook.py").write_text(destination)
    (tmp_path / "written.py").write_text(WRITTEN)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    errors = re.findall(r"(\w+)\.py:(\d+): error: .*\[([a-z-]+)\]", done.stdout)
    lines = enumerate(WRITTEN.splitlines(), 1)
    expected = [
        ("written", str(n), line.partition("  # ")[2]) for n, line in lines if "  # " in line
    ]
    assert errors == expected, done.stdout + done.stderr
