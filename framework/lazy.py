"""Packages that load a name when it is first used, so that what needs few starts quickly."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(package: str, rooms: Mapping[str, str]) -> Callable[[str], Any]:
    """Give the `__getattr__` of *package*; *rooms* has the names that each inner module gives."""
    origin = {name: room for room, names in rooms.items() for name in names.split()}

    def load(name: str) -> Any:
        if name not in origin:
            raise AttributeError(f"module `{package}` has no attribute `{name}`")
        value = getattr(importlib.import_module(f"{package}.{origin[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
