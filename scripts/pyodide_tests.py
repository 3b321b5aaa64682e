"""Run pytest with the packages alone that there are for Pyodide.

    python scripts/pyodide_tests.py ARGUMENTS-OF-PYTEST...

Pyodide runs this file; any other Python that does, gets no more packages than Pyodide has. A test
module that imports jsonschema is skipped: what jsonschema needs is not built for Pyodide.
"""

from __future__ import annotations

import sys
from importlib.metadata import packages_distributions

import pytest

PYODIDE_NEEDS = (
    "babel",
    "hypothesis",
    "importlib_resources",
    "iniconfig",
    "msgspec",
    "packaging",
    "pluggy",
    "pygments",
    "pytest",
    "python-dateutil",
    "python-liquid",
    "pytz",
    "six",
    "sortedcontainers",
    "typing-extensions",
)
"""The packages that the tests on Pyodide need; MarkupSafe comes with them."""


NOT_IN_PYODIDE = frozenset({"fcntl", "grp", "pwd", "resource", "syslog", "termios"})
"""Modules of Python's library that Pyodide leaves out."""


class Absent:
    """Finds nothing where Pyodide would not, before anything else is asked."""

    def __init__(self) -> None:
        present = {name.lower().replace("_", "-") for name in (*PYODIDE_NEEDS, "markupsafe")}
        self.names = {
            package
            for package, distributions in packages_distributions().items()
            if present.isdisjoint(name.lower().replace("_", "-") for name in distributions)
        } - {"framework", "destinations"}
        self.names |= NOT_IN_PYODIDE
        for name in NOT_IN_PYODIDE:
            sys.modules.pop(name, None)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse a package that Pyodide does not have."""
        del path, target
        if name == "jsonschema":
            pytest.skip("there is no jsonschema for Pyodide", allow_module_level=True)
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main(arguments: list[str]) -> int:
    """Run pytest; return its exit status."""
    sys.meta_path.insert(0, Absent())
    print("Python", sys.version)
    return int(pytest.main(["-q", "-p", "no:cacheprovider", "--tb=short", *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
