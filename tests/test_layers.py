"""Imports point to lower layers, packages are imported by name, and third parties in few places."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = {
    "clock": 0,
    "controls": 0,
    "codegen": 0,
    "dates": 0,
    "delivery_options": 0,
    "errors": 0,
    "lazy": 0,
    "numbers": 0,
    "nesting": 0,
    "normalize": 0,
    "paths": 0,
    "postgres_address": 0,
    "quantities": 0,
    "results": 0,
    "state_store": 0,
    "storage": 0,
    "threads": 0,
    "version": 0,
    "events": 1,
    "mapping": 1,
    "triggers": 1,
    "definition": 2,
    "delivery": 3,
    "config": 4,
    "hook_checks": 4,
    "hookspecs": 4,
    "plugins": 4,
    "schemas": 4,
    "linting": 5,
    "relay": 5,
    "sandbox": 5,
    "catalogue": 6,
    "audiences": 6,
    "explain": 6,
    "importing": 6,
    "monitoring": 6,
    "samples": 6,
    "scaffolding": 6,
    "cli": 7,
    "intake": 7,
    "tester": 7,
    "testing": 7,
    "__main__": 8,
}
# Within one layer these may use those, and nothing else in that layer.
NEIGHBOURS = {
    "clock": {"errors"},
    "results": {"errors"},
    "delivery_options": {"quantities"},
    "storage": {"errors"},
    "state_store": {"errors"},
    "codegen": {"paths"},
    "normalize": {"errors", "lazy"},
    "postgres_address": {"errors"},
    "plugins": {"hook_checks", "hookspecs"},
    "config": {"plugins"},
    "schemas": {"plugins", "config"},
    "cli": {"intake", "tester"},
}
# Single modules that may use a neighbour that the rest of their package may not.
NEIGHBOURS_OF_MODULES = {"framework.cli.certify": {"testing"}}
GROUND = {package for package, layer in LAYERS.items() if layer == 0}
ALLOWED_IN = {
    "duckdb": {"framework.events.table_database"},
    "jinja2": {"framework.mapping.templates"},
    "liquid": {"framework.mapping.templates"},
    "jsonschema": {"framework.definition.json_schema", "framework.tester.bodies"},
    "httpx": {
        "framework.cli.connections",
        "framework.cli.origin_checks",
        "framework.delivery",
        "framework.definition",
        "framework.hookspecs",
        "framework.monitoring",
        "framework.sandbox",
        "framework.testing",
        "framework.tester",
    },
    "psycopg": {
        "framework.events.postgres_rows",
        "framework.postgres_address",
        "framework.relay",
    },
    "pycurl": {"framework.delivery.curl"},
    "certifi": {"framework.delivery.curl"},
    "prometheus_client": {"framework.monitoring.metrics", "framework.monitoring.otlp"},
    "opentelemetry": {"framework.monitoring.otlp"},
    "pluggy": {"framework.hookspecs", "framework.plugins"},
    "typing_extensions": {"framework.testing.harness"},  # for type checkers, which bring it along
    "yaml": {"framework.config"},
    "tenacity": {"framework.delivery"},
    "msgspec": {
        "framework.audiences",
        "framework.delivery",
        "framework.events",
        "framework.intake",
        "framework.monitoring",
        "framework.relay",
        "framework.tester.api_types",
        "framework.tester.openapi",
        "framework.tester.sandbox_types",
        "framework.tester.operation",
    },
    "orjson": {"framework.delivery", "framework.relay", "framework.cli", "destinations"},
    "click": {"framework.cli"},
    "rich": {"framework.cli"},
    "cheroot": {"framework.sandbox.server"},
    "pytest": {"framework.testing.pytest_plugin"},
    "starlette": {"framework.intake", "framework.tester"},
    "uvicorn": {"framework.intake", "framework.tester"},
    "anyio": {"framework.tester"},
}
PUBLIC_MODULES = {"framework.triggers.language"}
"""Modules inside of packages that other packages may import."""


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


def package_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def within(module: str, places: set[str]) -> bool:
    return any(module == place or module.startswith(place + ".") for place in places)


@pytest.mark.parametrize(("module", "target"), INNER)
def test_imports_point_to_a_lower_layer(module: str, target: str) -> None:
    """A package imports lower layers, its named neighbors and itself."""
    if module.startswith("destinations"):
        allowed = target == "framework" or within(
            target, {"framework.normalize", "framework.sandbox"}
        )
        own = ".".join(module.split(".")[:2])
        assert allowed or target.startswith(own), (
            f"{module} may import only `framework`, `framework.normalize` and `framework.sandbox`"
        )
        return
    if module == "framework":
        return
    assert not target.startswith("destinations"), "destinations enter by entry point only"
    assert target != "framework", f"{module} imports `framework`"
    here, there = package_of(module), package_of(target)
    assert here in LAYERS, f"{module} is in no layer"
    lower = LAYERS[there] < LAYERS[here]
    neighbours = NEIGHBOURS.get(here, set()) | NEIGHBOURS_OF_MODULES.get(module, set())
    assert lower or here == there or there in neighbours


@pytest.mark.parametrize(("module", "target"), INNER)
def test_a_package_is_imported_by_its_public_names(module: str, target: str) -> None:
    """An inner module is imported only inside its own package."""
    if target.count(".") < 2 or target.startswith("destinations") or target in PUBLIC_MODULES:
        return
    assert package_of(module) == package_of(target), f"{module} imports the inner module {target}"


@pytest.mark.parametrize(("module", "target"), OUTER)
def test_third_parties_are_imported_where_the_table_allows_it(module: str, target: str) -> None:
    """Each third-party package is imported only where the table allows it."""
    package = target.partition(".")[0]
    if package in sys.stdlib_module_names | {"annotationlib"}:  # that one from 3.14 on
        return
    if module.startswith("destinations") and package == "httpx":
        return
    assert within(module, ALLOWED_IN.get(package, set())), f"{module} may not import {package}"


def test_there_are_no_import_cycles() -> None:
    """Modules can be read front to back, type-only imports included."""
    graph = {name: {t for t in targets if t in MODULES} for name, targets in IMPORTS.items()}
    for name, targets in graph.items():
        package = name + "."
        targets.discard(name)
        assert name.rpartition(".")[0] not in targets, (
            f"{name} imports the package {package} that it belongs to"
        )
    done: set[str] = set()
    while len(done) < len(graph):
        ready = {name for name, targets in graph.items() if name not in done and targets <= done}
        assert ready, f"cycle among {sorted(set(graph) - done)}"
        done |= ready


def test_the_table_names_every_package() -> None:
    """Every top-level package and module of the framework has a layer."""
    packages = {package_of(name) for name in MODULES if name.startswith("framework.")}
    assert packages <= set(LAYERS)
    assert set(LAYERS) >= GROUND
