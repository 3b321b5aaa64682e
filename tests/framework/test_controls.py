"""Text of others cannot control a terminal or turn the direction of a line."""

from __future__ import annotations

import json

import pytest

from framework.controls import visible, visible_json

CONTROLS = [*range(9), 11, 12, *range(13, 32), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F]
CONTROLS += [*range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF]


@pytest.mark.parametrize("number", CONTROLS)
def test_control_characters_are_escaped(number: int) -> None:
    assert visible(f"a{chr(number)}b") == f"a\\u{number:04x}b"


@pytest.mark.parametrize("number", CONTROLS)
def test_json_keeps_its_value(number: int) -> None:
    line = json.dumps({"a": f"x{chr(number)}y"}, ensure_ascii=False).encode()
    shown = visible_json(line)
    assert json.loads(shown) == {"a": f"x{chr(number)}y"}
    assert not any(ord(char) in CONTROLS for char in shown.decode())


@pytest.mark.parametrize(
    "text", ["", "plain", "two\nlines\tand tabs", "\u00e9\u4e2d\U0001f511\u00a0"]
)
def test_other_characters_stay(text: str) -> None:
    assert visible(text) == text
    assert (
        visible_json(json.dumps(text, ensure_ascii=False).encode())
        == json.dumps(text, ensure_ascii=False).encode()
    )
