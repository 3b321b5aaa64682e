"""Connection files that are made to take too long or too much memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from framework.config import parse_connection
from framework.definition import MAX_SUBSCRIPTIONS, from_manifest
from framework.linting import MANIFEST, choose, model_from_spec, validate
from framework.paths import JSON

Act = Callable[[], object]

_LETTERS = from_manifest(MANIFEST)

TEN_MB = 10_000_000

FILE_SIZE = 1_000_000
"""Characters that a connection file may have, nearly."""

ESCAPE = "\\n"


def connection(make: Callable[[], str], file: str = "c.yaml") -> Callable[[], Act]:
    """Read a connection file and, where that is refused, say why."""

    def prepare() -> Act:
        text = make()

        def act() -> None:
            reading = parse_connection(text, file, Path(), {})
            assert reading.connection or reading.diagnostics
            if reading.connection is None:
                raise ConnectionError(str(reading.diagnostics[0].message))

        return act

    return prepare


def checked(make: Callable[[], list[str | JSON]]) -> Callable[[], Act]:
    """Check a connection file whose subscriptions have these triggers or mappings."""

    def prepare() -> Act:
        text = json.dumps(
            {"destination": "letters", "subscriptions": [*map(_subscription, make())]}
        )

        def act() -> None:
            reading = parse_connection(text, "c.json", Path(), {})
            assert choose(reading, {"letters": _LETTERS})
            validate(reading, _LETTERS, model_from_spec())
            codes = {each.code for each in reading.diagnostics}
            assert codes & {"AD103", "AD105"}, "it is hostile enough"

        return act

    return prepare


def _subscription(part: str | JSON) -> JSON:
    """Give a subscription with a trigger, or else with what is mapped to a text."""
    trigger, text = (part, "Hello") if isinstance(part, str) else ('type = "track"', part)
    action = "addReader" if len(str(part)) % 2 else "removeReader"
    mapping = {"address": "a@b.example", "text": text, "reader": "a@b.example"}
    named = "sendLetter" if text != "Hello" else action
    return {"partnerAction": named, "subscribe": trigger, "mapping": mapping}


def triggers(condition: str, times: int, joint: str) -> Callable[[], Act]:
    """Check many triggers of many conditions; `{i}` and `{j}` tell them apart."""
    return checked(
        lambda: [
            joint.join(condition.format(i=i, j=j) for j in range(times))
            for i in range(MAX_SUBSCRIPTIONS)
        ]
    )


def wide(value: Callable[[int], JSON], times: int, *wraps: str) -> Callable[[], Act]:
    """Check a mapping of many values inside directives."""

    def make() -> list[str | JSON]:
        made: JSON = {f"k{number}": value(number) for number in range(times)}
        for wrap in wraps:
            made = _WRAPS[wrap](made)
        return [made]

    return checked(make)


def merged(value: Callable[[int], JSON], times: int) -> Callable[[], Act]:
    """Check a mapping that merges many objects."""
    return checked(
        lambda: [{"@merge": {"direction": "right", "objects": [*map(value, range(times))]}}]
    )


_WRAPS: dict[str, Callable[[JSON], JSON]] = {
    "list": lambda inner: {"@arrayPath": ["$.properties.products", inner]},
    "null": lambda inner: {"@excludeWhenNull": inner},
    "transform": lambda inner: {
        "@transform": {"apply": {"a": {"@path": "$.a"}}, "mapping": {"m": inner}}
    },
}


def aliases(levels: int) -> str:
    """Give YAML of a few lines that would hold ten to the power of *levels* texts."""
    first = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    return first + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
        for level in range(1, levels)
    )


def repeated(key: str, line: str, times: int) -> str:
    """Give YAML that holds *line* so often, below *key*."""
    return f"destination: x\n{key}:\n" + f"{line}\n" * times


def members(member: str, times: int) -> str:
    """Give JSON of an object that holds *member* so often."""
    return f"{{{', '.join([member] * times)}}}"


FILES = {
    "aliases": connection(lambda: aliases(10)),
    "an alias of itself": connection(lambda: "destination: x\nsettings: &a\n  b: *a\n"),
    "deep flow": connection(lambda: "[" * 100_000),
    "deep blocks": connection(lambda: "\n".join(" " * level + "a:" for level in range(2_000))),
    "ten megabytes of text": connection(lambda: "x" * TEN_MB),
    "ten megabytes of keys": connection(lambda: "a: 1\n" * (TEN_MB // 5)),
    "a huge scalar": connection(lambda: f"name: '{'x' * TEN_MB}'"),
    "a tag": connection(lambda: "!!python/object/apply:os.system ['true']"),
    "a long number": connection(lambda: f"name: {'9' * 100_000}"),
    "a number in base sixty": connection(lambda: "name: " + ":".join(["1"] * 100_000)),
    "merges of merges": connection(
        lambda: (
            "a: &a {x: 1}\n"
            + "\n".join(f"b{n}: &b{n} {{<<: [{', '.join(['*a'] * 200)}]}}" for n in range(200))
        )
    ),
    "merges of one large object": connection(
        lambda: (
            f"a: &a {{{', '.join(f'k{n}: 1' for n in range(4_000))}}}\n"
            + "\n".join(f"b{n}: {{<<: *a}}" for n in range(2_000))
        )
    ),
    "a long list of merges": connection(
        lambda: (
            f"a: &a {{{', '.join(f'k{n}: 1' for n in range(1_000))}}}\n"
            f"b: {{<<: [{', '.join(['*a'] * 200_000)}]}}"
        )
    ),
    "laughing merges": connection(
        lambda: (
            "a0: &a0 {x: 1}\n"
            + "\n".join(
                f"a{n}: &a{n} {{{', '.join(f'k{i}: *a{n - 1}' for i in range(9))}, <<: *a{n - 1}}}"
                for n in range(1, 1_000)
            )
        )
    ),
    "a chain of aliases": connection(
        lambda: "a0: &a0 x\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 40_000))
    ),
    "a chain of merges": connection(
        lambda: (
            "a0: &a0 {k: 1}\n"
            + "\n".join(f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: 1}}" for n in range(1, 25_000))
        )
    ),
    "many anchors": connection(
        lambda: f"[{', '.join(f'&a{n} x' for n in range(90_000))}]",
    ),
    "aliases of a long text": connection(
        lambda: f"a: &a {'x' * 500_000}\nsettings: [{', '.join(['*a'] * 9_000)}]"
    ),
    "aliases of references": connection(
        lambda: f"a: &a {'${env:A}' * 60_000}\nsettings: [{', '.join(['*a'] * 9_000)}]"
    ),
    "a long alias as a key": connection(
        lambda: (
            f"destination: &a {'x' * 500_000}\nsubscriptions:\n" + "- {*a : 1, *a : 2}\n" * 2_000
        )
    ),
    "long keys": connection(lambda: "".join(f"{'k' * 900}{n}: 1\n" for n in range(1_000))),
    "a key of a megabyte": connection(lambda: f"? {'k' * FILE_SIZE}\n: 1\n"),
    "a quoted key of a megabyte": connection(lambda: f"? '{'k ' * (FILE_SIZE // 2)}'\n: 1\n"),
    "an anchor of a megabyte": connection(lambda: f"a: &{'a' * FILE_SIZE} x\n"),
    "an alias of a megabyte": connection(lambda: f"a: *{'a' * FILE_SIZE}\n"),
    "a tag of a megabyte": connection(lambda: f"a: !{'a' * FILE_SIZE} x\n"),
    "one key many times": connection(lambda: "a: 1\n" * 190_000),
    "many unknown keys": connection(lambda: "".join(f"destinatio{n}: 1\n" for n in range(4_500))),
    "keys that look secret": connection(
        lambda: "".join(f"{'secret' * 150}{n}: 1\n" for n in range(1_000))
    ),
    "one line that looks secret": connection(
        lambda: f"a: {{{', '.join(f'a{n}: 1' for n in range(100))}, '{'secret' * 150}': 1}}\n"
    ),
    "many lines that look secret": connection(
        lambda: repeated(
            "subscriptions",
            f"- {{'{'secret' * 140}', {', '.join(f'a{n}: 1' for n in range(45))}}}",
            100,
        )
    ),
    "many references that fail": connection(
        lambda: (
            repeated("settings", "", 1)
            + "".join(f"  a{n}: ${{env:X{n}}}${{env:Y}}${{env:Z}}\n" for n in range(4_500))
        )
    ),
    "unfinished references": connection(lambda: repeated("settings", f"  a: {'${' * 490_000}", 1)),
    "outer references": connection(lambda: repeated("name", f"  {'${env:A}' * 100_000}", 1)),
    "references in mappings": connection(
        lambda: repeated(
            "subscriptions", f"- {{partnerAction: a, mapping: {{a: '{'${env:A}' * 2_000}'}}}}", 50
        )
    ),
    "empty lines": connection(lambda: "\n" * FILE_SIZE),
    "comments": connection(lambda: "#\n" * (FILE_SIZE // 2)),
    "comments before a mistake": connection(lambda: "#\n" * (FILE_SIZE // 2 - 9) + "a: b: c"),
    "escapes": connection(lambda: f'a: "{ESCAPE * (FILE_SIZE // 2)}"'),
    "words": connection(lambda: f"a: {'x ' * (FILE_SIZE // 2)}"),
    "lines of a text": connection(lambda: f"a: |\n{' x' * 3}\n" + " \n" * (FILE_SIZE // 2 - 9)),
    "ten megabytes of flow": connection(lambda: f"[{'x,' * (TEN_MB // 2)}]"),
    "a megabyte of flow": connection(lambda: f"[{'x,' * (FILE_SIZE // 2 - 1)}]"),
    "a megabyte of flow objects": connection(lambda: f"[{'{x: y},' * (FILE_SIZE // 7)}]"),
    "a megabyte of braces": connection(lambda: "a: " + "{" * FILE_SIZE),
    "a megabyte of questions": connection(lambda: "? " * (FILE_SIZE // 2)),
    "a megabyte of dashes": connection(lambda: "- " * (FILE_SIZE // 2)),
    "directives": connection(lambda: "%A b\n" * (FILE_SIZE // 5)),
    "half characters": connection(lambda: "a: \ud800"),
    "many subscriptions": connection(
        lambda: "destination: x\nsubscriptions:\n" + "- {partnerAction: a}\n" * 40_000
    ),
    "references": connection(lambda: f"destination: x\nname: {'${env:A}' * 100_000}"),
    "JSON of deep lists": connection(lambda: "[" * 100_000, "c.json"),
    "JSON of a huge text": connection(lambda: json.dumps({"name": "x" * TEN_MB}), "c.json"),
    "JSON of many values": connection(lambda: f"[{'1,' * 499_000}1]", "c.json"),
    "JSON of many objects": connection(lambda: f"[{'{},' * 330_000}1]", "c.json"),
    "JSON of one key many times": connection(lambda: members('"a": 1', 120_000), "c.json"),
    "JSON of one long key many times": connection(
        lambda: members(f'"{"k" * 100}": 1', 9_000), "c.json"
    ),
    "JSON of many unknown keys": connection(
        lambda: json.dumps({f"destinatio{n}": 1 for n in range(9_000)}, indent=1), "c.json"
    ),
    "JSON of long keys": connection(
        lambda: json.dumps({f"{'k' * 900}{n}": 1 for n in range(1_000)}), "c.json"
    ),
    "JSON of a key of a megabyte": connection(lambda: json.dumps({"k" * FILE_SIZE: 1}), "c.json"),
    "JSON of escapes": connection(lambda: json.dumps({"a": "ä" * 160_000}), "c.json"),
    "JSON of spaces": connection(lambda: f"{' ' * FILE_SIZE}{{", "c.json"),
    "JSON of lines": connection(lambda: "{" + "\n" * FILE_SIZE, "c.json"),
    "JSON of unfinished text": connection(lambda: f'["{"x" * FILE_SIZE}', "c.json"),
    "JSON of ten megabytes": connection(lambda: f"[{'1,' * (TEN_MB // 2)}1]", "c.json"),
    "JSON of one long line of findings": connection(
        lambda: json.dumps({"subscriptions": [{f"a{n}": 1 for n in range(4_500)}]}), "c.json"
    ),
    "JSON of references": connection(
        lambda: json.dumps({"destination": "x", "settings": {"a": "${env:A}" * 120_000}}), "c.json"
    ),
    "JSON of a long number": connection(lambda: f'{{"name": {"9" * 100_000}}}', "c.json"),
}

CHECKED = {
    "alternatives": triggers('event = "a{i}x{j}"', 400, " or "),
    "conditions on many fields": triggers("properties.a{i}x{j} = 1", 300, " and "),
    "alternatives in conditions": triggers('(event = "a{i}" or event = "b{j}")', 200, " and "),
    "types that no event has": triggers('type = "trak{i}x{j}"', 400, " or "),
    "limits of numbers": triggers("properties.n > {i}{j}", 400, " and "),
    "patterns": triggers('match(event, "*a{i}*{j}*")', 300, " and "),
    "functions": triggers('lowercase(event) = "a{i}x{j}"', 300, " or "),
    "slips": triggers("contxt{j}.a{i} = 1", 300, " and "),
    "keys inside each other": triggers("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.b", 290, " = {i} and "),
    "one deep key": checked(lambda: [f'{".".join("a" * 4_900)} = "x"'] * MAX_SUBSCRIPTIONS),
    "long lists": checked(
        lambda: [
            f"properties.a in [{','.join(str(n * 50 + i) for n in range(1_000))}]"
            for i in range(MAX_SUBSCRIPTIONS)
        ]
    ),
    "triggers that do not parse": triggers('event = "a{i}x{j}"', 400, " or ) "),
    "alternatives of many fields": triggers("(a{j} = {i} or b{j} > 1) and z = {j}", 30, " and "),
    "fields inside each other": triggers("(a.a{j} = {i} or a{j} > 1) and a = {j}", 9, " and "),
    "opposite triggers": triggers("(a{j} > 1 or b{j} > 1) and z = {i}", 10, " and "),
    "opposite limits": triggers("(a{j} > 1 or c > {i} and d{j} != 1)", 6, " and "),
    "paths of many parts": checked(
        lambda: [{"@template": " ".join("{{" + f"a{n}." * 40 + "}}" for n in range(270))}]
    ),
    "long paths": merged(lambda n: {"@path": f"$.properties.{f'a{n}.' * 40}"}, 1_500),
    "paths that lead nowhere": merged(lambda n: {"@path": f"$.userid{n}.abcdefgh{n}"}, 3_000),
    "merged objects": merged(lambda n: {f"k{n}": {"@path": "$.userId"}}, 2_400),
    "listed objects": checked(lambda: [[{f"k{n}": {"@path": "$.a"}} for n in range(3_000)]]),
    "objects without null": wide(lambda _: {"@path": "$.a"}, 4_400, *["null"] * 40),
    "objects of transforms": wide(lambda _: {"@path": "$.a.b"}, 4_000, *["transform"] * 14),
    "objects of lists": wide(lambda _: {"@path": "$.a.b"}, 4_000, *["list"] * 18),
    "unknown directives": wide(lambda n: {f"@tmplate{n}": 1}, 4_900),
    "two directives": wide(lambda _: {"@path": 1, "@literal": 1}, 3_000),
    "Jinja templates": wide(
        lambda n: {"@jinja": f"{'{% if a %}x{{ b.c|upper }}{% endif %}' * 100}{n}"}, 200
    ),
    "Jinja expressions": wide(lambda n: {"@jinja": f"{{{{{'a+' * 1_900}{n}}}}}"}, 200),
    "Liquid templates": wide(
        lambda n: {"@liquid": f"{'{% if a %}x{{ b.c|upcase }}{% endif %}' * 24}{n}"}, 900
    ),
    "placeholders": wide(
        lambda n: {"@template": "".join(f"{{{{a{k}}}}}" for k in range(n, n + 20))}, 3_000
    ),
}
