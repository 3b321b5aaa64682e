"""A mapping compiles to one function, which reads declared paths only and can be fused."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import pytest

from framework.codegen import JSONReader, SourceCode
from framework.mapping import Mapping, compile_mapping
from framework.paths import JSON, MISSING, Path

CRITEO = {
    "audience_key": {"@path": "$.properties.audience_key"},
    "email": {
        "@if": {
            "exists": {"@path": "$.context.traits.email"},
            "then": {"@path": "$.context.traits.email"},
            "else": {"@path": "$.properties.email"},
        }
    },
    "enable_batching": True,
}
EVENT = {
    "properties": {"audience_key": "k", "email": "b@x"},
    "context": {"traits": {"email": "a@x"}},
}


def paths_of(raw: JSON) -> set[str]:
    return {str(path) for path in compile_mapping(raw).paths}


@pytest.mark.parametrize(
    ("raw", "paths"),
    [
        ({"a": 1}, set()),
        (CRITEO, {"$.properties.audience_key", "$.context.traits.email", "$.properties.email"}),
        ({"a": {"@template": "{{b.c}} {{{ d }}}"}}, {"$.b.c", "$.d"}),
        ({"a": {"@template": "{{ }}"}}, {"$."}),
        ({"a": {"@path": {"@path": "$.which"}}}, {"$.which", "$."}),
        ({"a": {"@arrayPath": ["$.l", {"b": {"@path": "$.c"}}]}}, {"$.l"}),
        (
            {
                "a": {
                    "@transform": {
                        "apply": {"b": {"@path": "$.c"}},
                        "mapping": {"d": {"@path": "$.b"}},
                    }
                }
            },
            {"$.c"},
        ),
        ({"a": {"@merge": {"direction": "left", "objects": [{"@path": "$.b"}]}}}, {"$.b"}),
        (
            {"a": {"@liquid": "{% assign x = b.c %}{{ x }}{{ d[e] | append: f }}"}},
            {"$.b", "$.d", "$.e", "$.f", "$.x"},
        ),
        ({"a": {"@liquid": "{{ [b] }}"}}, {"$."}),
        ({"a": {"@jinja": "{% for x in b.c %}{{ x }}{{ d }}{% endfor %}"}}, {"$.b", "$.d"}),
    ],
)
def test_a_mapping_knows_what_it_reads(raw: JSON, paths: set[str]) -> None:
    assert paths_of(raw) == paths


@pytest.mark.parametrize(
    ("raw", "event", "expected"),
    [
        (
            {
                "__segment_internal_directive": {"@transform": {"apply": {"u": {"@path": "$.id"}}}},
                "key": {"@path": "$.u"},
            },
            {"id": 1},
            {"key": 1},
        ),
        ({"__segment_internal_directive": {"@arrayPath": ["$.l"]}, "x": 1}, {"l": [1]}, [1]),
        ({"@path": "$.a"}, {"a": 5}, 5),
        ({"@path": "$.a"}, {}, MISSING),
        ("😀", {}, {"0": "\ud83d", "1": "\ude00"}),
        ([{"@path": "$.a"}], {"a": 5}, {"0": 5}),
        (5, {}, {}),
        ({"a": [{"x": 1, "@path": "$.a"}]}, {}, {"a": [{"x": 1, "@path": "$.a"}]}),
        ({"a": {"@path": "$.b", "_metadata": {}}}, {"b": 1}, {"a": 1}),
        ({"_metadata": {"a": 1}}, {}, {"_metadata": {"a": 1}}),
    ],
)
def test_whole_mappings(raw: JSON, event: JSON, expected: JSON) -> None:
    """Root directives, directives at the root and other values are treated as by Segment."""
    mapping = compile_mapping(raw)

    assert mapping.resolve(event) == mapping.interpret(event) == expected


def test_constants_are_folded_and_paths_are_read_once() -> None:
    """Parts that read no event are computed when the mapping is compiled."""
    mapping = compile_mapping({**CRITEO, "c": {"@case": {"operator": "upper", "value": "x"}}})
    source = mapping.resolve.__source__  # type: ignore[attr-defined]

    assert "'X'" in source
    assert source.count("get('email', MISSING)") == 2
    assert mapping.resolve(EVENT) == {
        "audience_key": "k",
        "email": "a@x",
        "enable_batching": True,
        "c": "X",
    }


def test_results_do_not_share_constants() -> None:
    """Changing one result does not change another."""
    mapping = compile_mapping({"a": {"b": [1]}, "c": {"@literal": {"d": []}}})
    for way in (mapping.resolve, mapping.interpret):
        first = way({})
        first["a"]["b"].append(2)
        first["c"]["d"].append(2)

        assert way({}) == {"a": {"b": [1]}, "c": {"d": []}}


def test_a_merge_leaves_the_event_as_it_is() -> None:
    raw = {
        "a": {
            "@merge": {"direction": "right", "objects": [{"@path": "$.t"}, {"x": {"@path": "$.u"}}]}
        }
    }
    event = {"t": {"x": 1, "y": 2}}
    before = copy.deepcopy(event)

    assert compile_mapping(raw).resolve(event) == {"a": {"y": 2}}
    assert event == before


def test_text_of_a_mapping_enters_source_as_literals_only() -> None:
    """Keys, paths and strings that look like source are treated as data."""
    evil = "'] + exit() #\n\\"
    raw = {
        evil: {"@path": evil},
        "t": {"@template": f"{evil}{{{{{evil}}}}}"},
        "c": {"@case": {"operator": evil, "value": {"@path": "$.n"}}},
        "l": [{"@if": {"@": evil}}, {evil: evil}][1:],
    }

    assert compile_mapping(raw).resolve({"n": 1}) == {
        "t": evil,
        "c": 1,
        "l": [{evil: evil}],
    }


def test_very_deep_mappings_are_interpreted_in_their_depths() -> None:
    """Nesting of generated source is limited; deeper parts read the whole event."""
    raw: Any = {"@path": "$.a"}
    for level in range(40):
        raw = {"@if": {"exists": {"@path": f"$.l{level}"}, "then": 0, "else": raw}}
    mapping = compile_mapping({"x": raw})

    assert mapping.resolve({"a": 7}) == mapping.interpret({"a": 7}) == {"x": 7}
    assert Path(()) in mapping.paths


class Given:
    """A reader that is given the value of each path."""

    def __init__(self, code: SourceCode, values: dict[Path, Any]) -> None:
        self._code = code
        self._values = values
        self.known: dict[Path, str] = {}

    def load(self, paths: Iterable[Path]) -> None:
        for path in paths:
            name = self.known[path] = self._code.fresh("p")
            self._code.line(
                f"{name} = {self._code.literal(self._values)}[{self._code.literal(path)}]"
            )

    def read(self, path: Path) -> str:
        return self.known[path]

    def branch(self) -> Given:
        return self

    def item(self, path: Path, variable: str) -> JSONReader:  # noqa: ARG002 - items are plain
        return JSONReader(self._code, variable)


def fused(mapping: Mapping, event: JSON) -> dict[str, Any]:
    """Resolve through `emit` with a reader of another kind."""
    code = SourceCode()
    with code.block("def fuse():"):
        reader = Given(code, {path: path.get(event) for path in mapping.paths})
        reader.load(mapping.paths)
        fields = {key: code.made(one) for key, one in mapping.emit(code, reader).items()}
        code.line(f"return {{{', '.join(f'{key!a}: {text}' for key, text in fields.items())}}}")
    result: dict[str, Any] = code.build("fuse")()
    return {key: value for key, value in result.items() if value is not MISSING}


@pytest.mark.parametrize(
    "raw",
    [
        CRITEO,
        {"a": 1, "b": {"c": []}},
        {"a": {"@arrayPath": ["$.properties", {"k": {"@path": "$.audience_key"}}]}},
        {
            "a": {
                "@transform": {
                    "apply": {"p": {"@path": "$.properties"}},
                    "mapping": {"@path": "$.p.email"},
                }
            }
        },
        {"a": {"@path": {"@literal": "$.properties.email"}}, "b": {"@path": "$.no"}},
        {"a": {"@liquid": "{{ properties.email | upcase }}"}, "b": {"@jinja": "{{ properties }}"}},
    ],
)
def test_fields_can_be_emitted_over_another_reader(raw: JSON) -> None:
    """The fields and their values equal those of `resolve`."""
    mapping = compile_mapping(raw)

    assert mapping.fields == tuple(raw)
    assert fused(mapping, EVENT) == mapping.resolve(EVENT)


def test_a_directive_at_the_root_has_no_fields() -> None:
    mapping = compile_mapping({"@path": "$.a.b"})
    code = SourceCode()

    assert mapping.fields is None
    assert mapping.resolve({"a": {"b": 5}}) == 5
    with pytest.raises(AssertionError):
        mapping.emit(code, Given(code, {Path(("a", "b")): 5}))
