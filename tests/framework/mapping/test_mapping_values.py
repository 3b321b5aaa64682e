"""Directives return the same values as in Segment's implementation, also for unusual parts."""

from __future__ import annotations

from typing import Any

import pytest

from framework.mapping import compile_mapping
from framework.paths import JSON

EVENT: dict[str, Any] = {
    "s": "txt",
    "n": 5,
    "o": {"x": 9, "v": {"w": 1}},
    "nil": None,
    "nulls": {"x": None, "y": {"z": None}},
    "dir": "left",
    "l": [{"a": 1}, {"b": [{"c": 2}]}, {"b": 3}],
    "big": 1e21,
    "greek": "ΟΔΟΣ İ",
    "hollow": [[None]],
    "ref": "{{s}}!",
    "mixed": [{"a": 1}, [2], 3, None, "t"],
}
NONE: Any = object()

# Recorded from Segment; NONE where the field has no value.
RECORDED: list[tuple[JSON, JSON]] = [
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [{"@path": "$.o"}, {"x": {"@path": "$.no"}, "z": 3}],
            }
        },
        {"v": {"w": 1}, "z": 3},
    ),
    (
        {"@merge": {"direction": "left", "objects": [{"x": {"@path": "$.no"}}, {"@path": "$.o"}]}},
        {"v": {"w": 1}},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [
                    {"x": 1, "y": 2},
                    {"@if": {"exists": {"@path": "$.s"}, "then": {"x": {"@path": "$.no"}}}},
                ],
            }
        },
        {"y": 2},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [
                    {"x": 1, "y": 2},
                    {
                        "@if": {
                            "exists": {"@path": "$.no"},
                            "then": 1,
                            "else": {"y": {"@path": "$.no"}, "n": {"@path": "$.n"}},
                        }
                    },
                ],
            }
        },
        {"x": 1, "n": 5},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [
                    {"x": 1, "y": 2},
                    {
                        "@transform": {
                            "apply": {"q": {"@path": "$.s"}},
                            "mapping": {"x": {"@path": "$.no"}, "q": {"@path": "$.q"}},
                        }
                    },
                ],
            }
        },
        {"y": 2, "q": "txt"},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [
                    {"x": 1, "y": 2},
                    {
                        "@excludeWhenNull": {
                            "x": None,
                            "y": {"@path": "$.no"},
                            "z": {"@path": "$.nil"},
                        }
                    },
                ],
            }
        },
        {},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [{"x": 1, "y": 2}, {"@excludeWhenNull": {"@path": "$.nulls"}}],
            }
        },
        {"y": {}},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [
                    {"x": 1, "y": 2},
                    {
                        "@merge": {
                            "direction": "left",
                            "objects": [{"x": {"@path": "$.no"}}, {"x": 5, "w": 6}],
                        }
                    },
                ],
            }
        },
        {"y": 2, "w": 6},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [
                    {"x": 1, "y": 2},
                    {
                        "@merge": {
                            "direction": "right",
                            "objects": [{"x": {"@path": "$.n"}}, {"@path": "$.no"}],
                        }
                    },
                ],
            }
        },
        {"x": 5, "y": 2},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [
                    {"x": 1, "y": 2},
                    {
                        "@flatten": {
                            "value": {"x": {"@path": "$.no"}, "k": {"j": 1}},
                            "separator": ".",
                        }
                    },
                ],
            }
        },
        {"y": 2, "k.j": 1},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [{"x": 1, "y": 2}, {"@literal": {"x": {"@path": "$.no"}}}],
            }
        },
        {"y": 2},
    ),
    (
        {
            "@merge": {
                "direction": "right",
                "objects": [{"@path": "$.n"}, {"@path": "$.nil"}, {"@path": "$.o"}],
            }
        },
        {"x": 9, "v": {"w": 1}},
    ),
    ({"@merge": {"direction": "right", "objects": []}}, {}),
    ({"@merge": {"direction": "right", "objects": [{"@path": "$.o"}]}}, {"x": 9, "v": {"w": 1}}),
    (
        [
            {
                "@merge": {
                    "direction": {"@path": "$.dir"},
                    "objects": [{"a": 1, "b": {"@path": "$.no"}}, {"a": 2, "b": 3}],
                }
            }
        ],
        [{"a": 1}],
    ),
    (
        [
            {
                "@merge": {
                    "direction": {"@path": "$.no"},
                    "objects": [{"a": 1}, {"a": 2, "b": {"@path": "$.no"}}],
                }
            }
        ],
        [{"a": 2}],
    ),
    ([{"@merge": {"direction": 5, "objects": [{"a": 1}, {"a": 2}, 5]}}], [{"a": 2}]),
    ({"@merge": {"direction": "right", "objects": [{"x": 1, "y": 2}]}}, {"x": 1, "y": 2}),
    (
        {"@flatten": {"value": [{"@path": "$.no"}, 1], "separator": ".", "omitArrays": True}},
        {"": [None, 1]},
    ),
    (
        {"@flatten": {"value": {"@arrayPath": ["$.l", {"@path": "$.a"}]}, "separator": "."}},
        {"0": 1},
    ),
    (
        {
            "@flatten": {
                "value": {"@if": {"exists": {"@path": "$.s"}, "then": [{"@path": "$.no"}, 2]}},
                "separator": ".",
            }
        },
        {"1": 2},
    ),
    (
        [{"@flatten": {"value": {"@path": "$.o"}, "separator": {"@path": "$.dir"}}}],
        [{"x": 9, "vleftw": 1}],
    ),
    ({"@excludeWhenNull": [{"@path": "$.no"}, None, {"a": None}]}, [None, None, {"a": None}]),
    (
        {"@excludeWhenNull": {"a": {"b": {"c": None, "d": [None]}}, "e": {"@path": "$.no"}}},
        {"a": {"b": {"d": [None]}}},
    ),
    (
        {
            "@arrayPath": [
                {"@literal": [{"a": 1}, {"b": 2}]},
                {"@if": {"exists": {"@path": "$.a"}, "then": {"@path": "$.a"}}},
            ]
        },
        [1, None],
    ),
    (
        {"@arrayPath": ["$.l", {"@arrayPath": ["$.b", {"c": {"@path": "$.c"}}]}]},
        [None, [{"c": 2}], 3],
    ),
    ([{"@arrayPath": [[1, {"@path": "$.s"}], {"v": {"@path": ""}}]}], [[{"v": 1}, {"v": "txt"}]]),
    ([{"@arrayPath": []}], [None]),
    ([{"@arrayPath": [5, {"a": 1}]}], [5]),
    ([{"@replace": {"pattern": ["a"], "value": "xax"}}], [""]),
    ([{"@replace": {"pattern": "a", "replacement": 5, "value": "xax"}}], [""]),
    ([{"@replace": {"pattern": "a", "global": "no", "value": "xax"}}], [""]),
    ([{"@replace": {"pattern": "a", "value": 0}}], [None]),
    ([{"@replace": {"pattern": "a", "pattern2": ["b"], "value": "xaxb"}}], ["xxb"]),
    (
        {
            "@replace": {
                "pattern": "SS",
                "ignorecase": True,
                "replacement": "!",
                "value": "ss Ss ß \u017fs",
            }
        },
        "! ! ß \u017fs",
    ),
    (
        {
            "@replace": {
                "pattern": "μ",
                "ignorecase": True,
                "replacement": "!",
                "value": "\u039c µ μ",
            }
        },
        "! ! !",
    ),
    (
        {"@replace": {"pattern": "aa", "replacement": "b", "global": False, "value": "aaaaa"}},
        "baaa",
    ),
    (
        {
            "@replace": {
                "pattern": "A",
                "ignorecase": True,
                "global": False,
                "replacement": "_",
                "value": "banana",
            }
        },
        "b_nana",
    ),
    ({"@replace": {"pattern": "e", "value": {"@path": "$.big"}}}, "1+21"),
    ({"@replace": {"pattern": "e", "value": {"@literal": {"a": 1}}}}, ""),
    ([{"@case": {"operator": ["lower"], "value": {"@path": "$.n"}}}], [5]),
    ({"@case": {"operator": "lower", "value": ""}}, NONE),
    ([{"@case": {"operator": "upper", "value": {"a": "x"}}}], [{"a": "x"}]),
    ({"@case": {"operator": "lower", "value": {"@path": "$.greek"}}}, "οδος i̇"),
    ([{"@if": {"exists": None, "blank": "x", "then": 1, "else": 2}}], [2]),
    ({"@if": {"blank": {"@path": "$.l"}, "then": "full", "else": "empty"}}, "full"),
    ({"@if": {"blank": {"@path": "$.hollow"}, "then": "full", "else": "empty"}}, "empty"),
    ({"@if": {"exists": "x", "then": {"a": {"@path": "$.no"}}}}, {}),
    ([{"@if": {"exists": "x"}}], [None]),
    (
        {
            "@json": {
                "mode": "encode",
                "value": {
                    "2": [{"@path": "$.no"}],
                    "10": 1,
                    "b": {"@path": "$.no"},
                    "n": {"@path": "$.big"},
                },
            }
        },
        '{"2":[null],"10":1,"n":1e+21}',
    ),
    ({"@json": {"mode": "encode", "value": {"@path": "$.no"}}}, NONE),
    ({"@json": {"mode": "decode", "value": [1]}}, [1]),
    ({"@json": {"mode": "decode", "value": '{"a":1.0}'}}, {"a": 1.0}),
    ([{"@transform": {"apply": {"a": 1}, "mapping": "text"}}], ["text"]),
    ({"@transform": {"apply": {"@path": "$.s"}, "mapping": {"c": {"@path": "$.0"}}}}, {"c": "t"}),
    ({"@transform": {"apply": {"@literal": 5}, "mapping": {"w": {"@path": ""}}}}, {"w": 5}),
    (
        {
            "@transform": {
                "apply": {"@path": "$.no"},
                "mapping": {
                    "t": {"@transform": {"apply": {"a": 1}, "mapping": {"b": {"@path": "$.a"}}}}
                },
            }
        },
        {"t": {"b": 1}},
    ),
    ({"@template": {"@template": "{{ref}}"}}, "txt!"),
    ({"@template": "{{n}}{{n}}{{n}}{{n}}{{n}}{{o}}"}, "55555[object Object]"),
    ({"@liquid": "{{ x }}"}, ""),
    ({"@arrayPath": ["$.mixed", {"@liquid": "{{ a }}"}]}, ["1", "", "", "", ""]),
    ({"@arrayPath": ["$.mixed", {"@liquid": "{{ [s] }}"}]}, ["", "", "", "", ""]),
]


@pytest.mark.parametrize(("raw", "value"), RECORDED)
def test_directives_return_what_segment_returns(raw: JSON, value: JSON) -> None:
    """The value holds compiled, interpreted, and inside a merge."""
    mapping = compile_mapping({"a": raw})
    expected = {} if value is NONE else {"a": value}

    assert mapping.resolve(EVENT) == mapping.interpret(EVENT) == expected


@pytest.mark.parametrize(("raw", "value"), RECORDED)
def test_values_are_the_same_inside_merges(raw: JSON, value: JSON) -> None:
    """Values that are not objects add nothing; objects add their keys."""
    merge = {"@merge": {"direction": "right", "objects": [{}, {"@literal": raw}, {"end": 1}]}}
    mapping = compile_mapping({"a": [merge]})
    expected = {**value, "end": 1} if isinstance(value, dict) else {"end": 1}

    assert mapping.resolve(EVENT) == mapping.interpret(EVENT) == {"a": [expected]}


# Where ours differs from Segment on purpose; see the page of differences.
DIFFERENT: list[tuple[JSON, JSON]] = [
    ({"@template": "{{$.s}}"}, "txt"),
    ({"@template": "{{{braces}}}"}, "{{s}}"),
    ({"@if": {"exists": {"@path": "$.no"}, "then": 1, "else": 0}}, 0),
    ({"@if": {"exists": {"@path": "$.no"}, "then": 1, "else": False}}, False),
    ({"@if": {"exists": {"@path": "$.no"}, "then": 1, "else": ""}}, NONE),
    ({"@if": {"exists": {"@path": "$.no"}, "then": 1, "else": None}}, NONE),
    ({"@replace": {"pattern": "t", "replacement": "$&", "value": "at"}}, "a$&"),
    ({"@json": {"mode": "Encode", "value": {"@path": "$.n"}}}, "5"),
    ({"@json": {"mode": "DECODE", "value": "[1]"}}, [1]),
    ({"@json": {"mode": "decode", "value": "12345678901234567890"}}, 12345678901234567890),
    ({"@merge": {"direction": "Left", "objects": [{"a": 1}, {"a": 2}]}}, {"a": 1}),
    ({"@merge": {"direction": "right", "objects": [{"a": 1}, {"@path": "$.s"}]}}, {"a": 1}),
    ({"@merge": {"direction": "right", "objects": [{"a": 1}, {"@path": "$.l"}]}}, {"a": 1}),
    ({"@path": "$.s.length"}, NONE),
    ({"@path": "$.l.length"}, NONE),
    ({"@liquid": "{{ nil | json }}{{ nil | inspect }}"}, ""),
]


@pytest.mark.parametrize(("raw", "value"), DIFFERENT)
def test_differences_from_segment(raw: JSON, value: JSON) -> None:
    mapping = compile_mapping({"a": raw})
    event = EVENT | {"braces": "{{s}}"}
    expected = {} if value is NONE else {"a": value}

    assert mapping.resolve(event) == mapping.interpret(event) == expected
