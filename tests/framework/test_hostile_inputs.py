"""Hostile inputs end in a value or one of our errors, within bounds of time and memory.

They run in a process of their own, which stops what takes more than one second of its processor
(longer where that is slow) or 100 MB beside the input; see `tests/framework/hostile/`.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys

import pytest

from tests.framework.hostile.inputs import INPUTS

ERRORS = {
    "trigger": "TriggerError",
    "template": "PayloadValidationError MappingError",
    "mapping": "PayloadValidationError MappingError",
    "field": "PayloadValidationError DefinitionError",
    "file": "ConnectionError",
    "check": "",
}
"""How an input of each room may be refused; `ConnectionError` stands for a file's findings."""


@functools.cache
def endings() -> dict[str, tuple[str, str]]:
    """Run all inputs once, and give how each ended."""
    command = [sys.executable, "-m", "tests.framework.hostile"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300)
    found: dict[str, tuple[str, str]] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and read as on Linux")
@pytest.mark.parametrize("name", INPUTS)
def test_a_hostile_input_ends_in_a_value_or_a_clear_error(name: str) -> None:
    kind, text = endings()[name]

    assert kind in {"value", *ERRORS[name.split(":", maxsplit=1)[0]].split()}, text
    assert bool(text) == (kind != "value")
    assert len(text) < 20_000
