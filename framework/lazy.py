"""Packages that import a name on first use, so that commands start quickly."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(package: str, exports: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` function of *package*; it raises AttributeError for unknown names.

    *exports* maps modules to the names that they provide, separated by spaces. A module is named
    relative to *package*, or in full if it belongs to another package.
    """
    origin = {
        name: module if module.startswith("framework.") else f"{package}.{module}"
        for module, names in exports.items()
        for name in names.split()
    }

    def load(name: str) -> Any:
        if name not in origin:
            raise AttributeError(f"module `{package}` has no attribute `{name}`")
        value = getattr(importlib.import_module(origin[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
