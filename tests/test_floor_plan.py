"""Imports point downwards, packages are entered by their doors, third parties by theirs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "errors": 0,
    "results": 0,
    "dates": 0,
    "numbers": 0,
    "paths": 0,
    "codegen": 0,
    "doors": 0,
    "version": 0,
    "triggers": 1,
    "mapping": 1,
    "definition": 2,
    "delivery": 3,
    "hookspecs": 4,
    "plugins": 4,
    "config": 4,
    "schemas": 4,
    "relay": 5,
    "testing": 6,
    "cli": 6,
    "tester": 6,
    "__main__": 7,
}
# Within one floor these may use those, and nothing else on that floor.
NEIGHBOURS = {
    "results": {"errors"},
    "codegen": {"paths"},
    "plugins": {"hookspecs"},
    "config": {"plugins"},
    "schemas": {"plugins", "config"},
    "cli": {"testing", "tester"},
    "tester": {"testing"},
}
GROUND = {room for room, floor in FLOORS.items() if floor == 0}
DOORS = {
    "jinja2": {"framework.mapping.templates"},
    "liquid": {"framework.mapping.templates"},
    "jsonschema": {"framework.definition.json_schema", "framework.tester.bodies"},
    "httpx": {
        "framework.delivery",
        "framework.definition",
        "framework.hookspecs",
        "framework.testing",
        "framework.tester",
    },
    "pycurl": {"framework.delivery.curl"},
    "certifi": {"framework.delivery.curl"},
    "pluggy": {"framework.hookspecs", "framework.plugins"},
    "yaml": {"framework.config"},
    "tenacity": {"framework.delivery"},
    "msgspec": {"framework.delivery", "framework.relay"},
    "orjson": {"framework.delivery", "framework.relay", "framework.cli", "destinations"},
    "click": {"framework.cli"},
    "rich": {"framework.cli"},
    "cheroot": {"framework.testing"},
    "pytest": {"framework.testing.pytest_plugin"},
    "starlette": {"framework.tester"},
    "uvicorn": {"framework.tester"},
    "anyio": {"framework.tester"},
}


def modules() -> dict[str, Path]:
    found = {}
    for package in ("framework", "destinations"):
        for file in sorted((ROOT / package).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(name: str, file: Path) -> Iterator[str]:
    """Yield every module that a file imports anywhere in it, type-only imports included."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} uses a relative import"
            assert node.module is not None
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (inner for inner in names if inner in MODULES)
            if not all(inner in MODULES for inner in names):
                yield node.module


MODULES = modules()
IMPORTS = {name: sorted(set(imports(name, file))) for name, file in MODULES.items()}
EDGES = [(name, target) for name, targets in IMPORTS.items() for target in targets]
INNER = [(a, b) for a, b in EDGES if b.partition(".")[0] in {"framework", "destinations"}]
OUTER = [(a, b) for a, b in EDGES if b.partition(".")[0] not in {"framework", "destinations"}]


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def within(module: str, places: set[str]) -> bool:
    return any(module == place or module.startswith(place + ".") for place in places)


@pytest.mark.parametrize(("module", "target"), INNER)
def test_imports_point_to_a_lower_floor(module: str, target: str) -> None:
    """A room uses lower floors, its named neighbours and itself."""
    if module.startswith("destinations"):
        allowed = target == "framework" or within(target, {"framework.testing"})
        own = ".".join(module.split(".")[:2])
        assert allowed or target.startswith(own), f"{module} may import only the roof"
        return
    if module == "framework":
        return
    assert not target.startswith("destinations"), "destinations enter by entry point only"
    assert target != "framework", f"{module} imports the roof"
    here, there = room(module), room(target)
    assert here in FLOORS, f"{module} stands on no floor"
    lower = FLOORS[there] < FLOORS[here]
    assert lower or here == there or there in NEIGHBOURS.get(here, set())


@pytest.mark.parametrize(("module", "target"), INNER)
def test_a_package_is_entered_by_its_door(module: str, target: str) -> None:
    """An inner module is imported only inside its own package."""
    if target.count(".") < 2 or target.startswith("destinations"):
        return
    assert room(module) == room(target), f"{module} enters {target} by the window"


@pytest.mark.parametrize(("module", "target"), OUTER)
def test_third_parties_are_known_to_their_rooms_only(module: str, target: str) -> None:
    """Each third-party package is imported only where the table allows it."""
    package = target.partition(".")[0]
    if package in sys.stdlib_module_names:
        return
    if module.startswith("destinations") and package == "httpx":
        return
    assert within(module, DOORS.get(package, set())), f"{module} may not import {package}"


def test_there_are_no_import_cycles() -> None:
    """Modules can be read front to back, type-only imports included."""
    graph = {name: {t for t in targets if t in MODULES} for name, targets in IMPORTS.items()}
    for name, targets in graph.items():
        package = name + "."
        targets.discard(name)
        assert name.rpartition(".")[0] not in targets, f"{name} enters {package} by its door"
    done: set[str] = set()
    while len(done) < len(graph):
        ready = {name for name, targets in graph.items() if name not in done and targets <= done}
        assert ready, f"cycle among {sorted(set(graph) - done)}"
        done |= ready


def test_the_plan_names_only_rooms_that_may_exist() -> None:
    """Every top-level room of the framework has a floor."""
    rooms = {room(name) for name in MODULES if name.startswith("framework.")}
    assert rooms <= set(FLOORS)
    assert set(FLOORS) >= GROUND
