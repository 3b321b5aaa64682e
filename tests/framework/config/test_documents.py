"""YAML and JSON with positions: the meaning of values, and the positions of errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
import yaml as pyyaml
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.config.diagnostics import MAX_FINDINGS, DiagnosticList, Spot
from framework.config.jsontext import read_json
from framework.config.nodes import DocumentNode, Unreadable
from framework.config.yamltext import read_yaml

Reader: TypeAlias = Callable[[str, DiagnosticList], DocumentNode]


def yaml(text: str) -> DocumentNode:
    findings = DiagnosticList("c.yaml", text)
    node = read_yaml(text, findings)
    assert findings.all == ()
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("null", None),
        ("~", None),
        ("a:", {"a": None}),
        ("12", 12),
        ("-1.5e3", -1500.0),
        ("1e5", 100000.0),
        ("0123", "0123"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("yes", "yes"),
        ("True", "True"),
        (".inf", ".inf"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("''", ""),
        ("|\n a\n b\n", "a\nb\n"),
        ("12: a\ntrue: b\nno: c", {"12": "a", "true": "b", "no": "c"}),
        ("[a, {b: 1}]", ["a", {"b": 1}]),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        ("a: {<<: [{p: 1}, {p: 2, q: 2}]}", {"a": {"p": 1, "q": 2}}),
        ("'<<': {p: 1}", {"<<": {"p": 1}}),
    ],
)
def test_yaml_means_what_json_means(text: str, value: Any) -> None:
    assert yaml(text).plain() == value


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(VALUES, st.sampled_from([None, 1]))
def test_json_is_read_as_python_reads_it(value: Any, indent: int | None) -> None:
    for plain in (True, False):
        text = json.dumps(value, indent=indent, ensure_ascii=plain)
        findings = DiagnosticList("c.json", text)
        assert read_json(text, findings).plain() == json.loads(text)
        assert findings.all == ()


@pytest.mark.parametrize(
    ("text", "path", "value", "spot"),
    [
        (r'{"a": "\ud83d\ude00\/\u00e9"}', "a", "\U0001f600/é", Spot(1, 7, 22)),
        (r'["\ud83d"]', 0, "\ud83d", Spot(1, 2, 8)),
        ('\t[\t"é\x7f\x85\u2028",\r\n\t2]', 1, 2, Spot(2, 2, 1)),
        (f'{{"{"k" * 2000}": 1}}', "k" * 2000, 1, Spot(1, 2006, 1)),
        ('{"key"\n : 1}', "key", 1, Spot(2, 4, 1)),
        ('{""\r\n:[]}', "", [], Spot(2, 2, 1)),
        ('{"a":"b","c":-0}', "c", 0, Spot(1, 14, 2)),
        (f"[{'9' * 302}]", 0, "9" * 302, Spot(1, 2, 302)),
        ("[1e400]", 0, float("inf"), Spot(1, 2, 5)),
        ('{"<<": {"a": 1}}', "<<", {"a": 1}, Spot(1, 8, 1)),
        ('["# no: comment", "*x", "---"]', 1, "*x", Spot(1, 19, 4)),
        ('["yes", "1:30", "2024-01-01"]', 2, "2024-01-01", Spot(1, 17, 12)),
    ],
)
def test_json_is_read_as_json_where_yaml_differs(
    text: str, path: str | int, value: Any, spot: Spot
) -> None:
    """Escapes, tabs, line breaks, keys and numbers follow JSON, with their positions."""
    findings = DiagnosticList("c.json", text)
    node = read_json(text, findings).at(path)
    assert (node.plain(), node.spot, findings.all) == (value, spot, ())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{a: 1}", ['1:2: expected a key in double quotes, got "a".']),
        ("['a']", ['1:2: expected a value, got "\'".']),
        ("[1] # why", ['1:5: expected the end of the document, got "#".']),
        ("--- 1", ['1:1: expected a value, got "-".']),
        ("a: 1", ['1:1: expected a value, got "a".']),
        ("[&a 1]", ['1:2: expected a value, got "&".']),
        ("[1, 2,]", ['1:7: expected a value, got "]".']),
        ('{"a": 1, }', ['1:10: expected a key in double quotes, got "}".']),
        ("[NaN, @", ['1:2: expected a value, got "N".']),
        ("[1, -Infinity]", ['1:5: expected a value, got "-".']),
        ("[01]", ['1:2: expected a value, got "0".']),
        ("[1.]", ['1:2: expected a value, got "1".']),
        ("[truex]", ['1:2: expected a value, got "t".']),
        ('["a\tb"]', ["1:4: Invalid control character."]),
        ('{"a": 1, "b": [2\n@', ['2:1: expected `,` or `]`, got "@".']),
        ('[{"a": 1, "a": 2},\n"b\\x"]', ["1:11", "2:3: Invalid \\escape."]),
        ("[" * 1000 + "@", ["1:65"]),
    ],
)
def test_what_only_yaml_allows_is_refused_in_json(text: str, problems: list[str]) -> None:
    """It is reported at its position, after earlier findings."""
    findings = DiagnosticList("c", text)
    with pytest.raises(Unreadable):
        read_json(text, findings)
    told = [str(each).replace("This is not valid JSON: ", "") for each in findings.all]
    assert [each[2 : 2 + len(problem)] for each, problem in zip(told, problems, strict=True)] == (
        problems
    )


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='{}[]",:\\ \n\t10-.eEtrufalsn/b\x01', max_size=14))
def test_invalid_json_is_refused_with_a_position(text: str) -> None:
    """Python's reader decides; `NaN` and `Infinity` are invalid."""
    try:
        expected = [json.loads(text)]
    except ValueError:
        expected = []
    findings = DiagnosticList("c.json", text)
    try:
        got = [read_json(text, findings).plain()]
    except Unreadable:
        got = []
        (finding,) = findings.all
        assert finding.line <= text.count("\n") + 1
    if not any(d.code == "AD102" for d in findings.all):
        assert got == expected


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
TOWER = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 100))


DEEP = "The document is nested more than 64 levels deep."
MANY = "The document holds more than 10,000 values."
LONG = f"a: &a {'x' * 600_000}\nb: [*a, *a]"
MERGES = "a: &a {b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1}\n" + "\n".join(
    f"b{n}: {{<<: [*a, *a, *a]}}" for n in range(400)
)


@pytest.mark.parametrize(
    ("read", "text", "problem"),
    [
        (read_json, "[" * 70, f"1:65: {DEEP}"),
        (read_json, "[" + "0," * 100_000 + "0]", f"1:20002: {MANY}"),
        (read_yaml, "[" * 70, f"1:65: {DEEP}"),
        (read_yaml, LAUGHS, f"4:45: {MANY}"),
        (read_yaml, TOWER, f"65:6: {DEEP}"),
        (read_yaml, LONG, "2:9: The document's aliases repeat more than 1,024 KiB of text."),
        (read_yaml, MERGES, f"335:17: {MANY}"),
    ],
    ids=[
        "deep JSON",
        "large JSON",
        "deep YAML",
        "aliases of aliases",
        "a tower of aliases",
        "aliases of a long text",
        "merges",
    ],
)
def test_no_document_grows_beyond_the_limits(read: Reader, text: str, problem: str) -> None:
    """Values that aliases repeat count each time."""
    findings = DiagnosticList("c", text)
    with pytest.raises(Unreadable):
        read(text, findings)
    assert [f"{d.code} {d}" for d in findings.all] == [f"AD103 c:{problem}"]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab:-[]{},&*!|>'\"#%@ \n\t?<01~", max_size=20))
def test_any_text_is_a_document_or_a_finding(text: str) -> None:
    findings = DiagnosticList("c.yaml", text)
    try:
        read_yaml(text, findings).plain()
    except Unreadable:
        assert findings.all


def test_yaml_is_read_alike_by_both_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meaning and positions are the same with and without PyYAML's C parser.

    One thing differs, which the next test holds: a bare key's `:` without a space in braces.
    """
    text = (
        "a: &x [1, 'ä b', \"c\\td\", null]\n"
        "  # why\nlong: |\n  text\n\n  text\n"
        "b: {<<: {p: >-\n    q\n    r, s: t}, u: *x}\n- no\n"
    )
    found = []
    for parser in (pyyaml.CSafeLoader, pyyaml.SafeLoader):
        monkeypatch.setattr("framework.config.yamltext._PARSER", parser)
        readings = []
        for end in range(len(text)):
            findings = DiagnosticList("c.yaml", text[:end])
            try:
                readings.append(_placed(read_yaml(text[:end], findings)))
            except Unreadable:
                readings += [each.line for each in findings.all if each.code == "AD101"]
        found.append(readings)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("a: {key:, b: 1}\n", 8, {"a": {"key": None, "b": 1}}),
        ("a: {b: {key:}}\n", 12, {"a": {"b": {"key": None}}}),
        ("a: [x:, y]\n", 6, {"a": [{"x": None}, "y"]}),
    ],
)
def test_a_colon_without_a_space_is_refused_by_the_parser_in_c_only(
    text: str, column: int, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error points to the colon and says what to write; with a space both parsers agree."""
    findings = DiagnosticList("c.yaml", text)
    monkeypatch.setattr("framework.config.yamltext._PARSER", pyyaml.CSafeLoader)
    with pytest.raises(Unreadable):
        read_yaml(text, findings)
    assert "\n".join(map(str, findings.all)) == (
        f"c.yaml:1:{column}: This is not valid YAML: found unexpected ':'. "
        "Write a space after the key's `:`, or put a text with `:` into quotes."
    )
    spaced = read_yaml(re.sub(r":(?=[,}])", ": ", text), DiagnosticList("c.yaml", text))
    assert spaced.plain() == value
    monkeypatch.setattr("framework.config.yamltext._PARSER", pyyaml.SafeLoader)
    assert read_yaml(text, DiagnosticList("c.yaml", text)).plain() == value


def _placed(node: DocumentNode) -> Any:
    """Return a node as data that can be compared."""
    if isinstance(node.value, dict):
        members = {key: (node.key(key), _placed(inner)) for key, inner in node.value.items()}
        return node.spot, members
    if isinstance(node.value, list):
        return node.spot, [_placed(inner) for inner in node.value]
    return node.spot, node.value


def test_places_count_from_one_in_characters() -> None:
    for node in (
        yaml('ä: 1\nb:\n  - "ü": [x, yz]\n'),
        read_json('{"ä": 1,\n"b": [{\n    "ü": ["x",    "yz"]}]}', DiagnosticList("c.json")),
    ):
        assert node.at("b", 0, "ü", 1).spot.line == 3
    assert yaml('b:\n  - "ü": [x, yz]').at("b", 0, "ü", 1).spot == Spot(2, 14, 2)
    assert yaml("a: |\n  long\n  text\n").at("a").spot == Spot(1, 4, 1)
    assert yaml("  key: 1").key("key") == Spot(1, 3, 3)
    assert yaml("a: [1]").at("a", 7, "b").spot == Spot(1, 4, 1)
    assert yaml("a: [1]").key("none") == Spot(1, 1, 1)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  client_secret: abc # d", "  client_secret: *** * *"),
        ('"password" : "a b, c",', '"password" : "* *, *",'),
        ("- token: ${env:TOKEN}", "- token: ${env:TOKEN}"),
        ("  audience_key: abc", "  audience_key: abc"),
        ("Private-Key: abc", "Private-Key: ***"),
    ],
)
def test_excerpts_cover_what_sounds_secret(line: str, shown: str) -> None:
    """Columns do not move."""
    assert DiagnosticList("c.yaml", f"a: 1\n{line}\n").excerpt(2) == shown
    assert DiagnosticList("c.yaml", line).excerpt(2) == ""


def test_findings_are_listed_up_to_a_number() -> None:
    """Each severity has its own number, so that errors are never hidden by warnings."""
    findings = DiagnosticList("c.yaml", "a: 1")
    for number in range(2 * MAX_FINDINGS):
        findings.warning("AD304", Spot(), f"{number}")
    findings.error("AD201", Spot(), "x" * 10_000)

    warnings, error = findings.all[:-1], findings.all[-1]

    assert len(warnings) == MAX_FINDINGS
    assert str(warnings[-2]) == "c.yaml:1:1: 998"
    last = "c.yaml:1:1: No more than 1,000 warnings are listed. Fix these first."
    assert str(warnings[-1]) == last
    assert (error.severity, error.message) == ("error", f"{'x' * 2_000}…")
    assert findings.lists_errors


def test_excerpts_of_many_findings_cover_what_is_found_secret_later() -> None:
    findings = DiagnosticList("c.yaml", "a: open\r\nb: ${env:B} open ${env:C\rc: 1")
    for line in (1, 2, 3):
        findings.error("AD201", Spot(line), "wrong")
    before = [each.excerpt for each in findings.all]
    findings.cover(2)

    assert before == ["a: open", "b: ${env:B} open ${env:C", "c: 1"]
    assert [each.excerpt for each in findings.all] == [
        "a: open",
        "b: ${env:B} **** *{*****",
        "c: 1",
    ]
