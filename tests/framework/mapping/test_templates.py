"""Templates: their results and their limits."""

from __future__ import annotations

import itertools
import sys
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import PayloadValidationError
from framework.mapping import compile_mapping
from framework.mapping.javascript import TooMuch
from framework.mapping.templates import compile_jinja, compile_liquid, parse_placeholders
from framework.mapping.templates.liquid_filters import FILTERS
from framework.mapping.templates.rendering_bounds import RenderBudget, TemplateError
from framework.paths import JSON, Path


def path(*parts: str) -> Path:
    return Path(parts)


@pytest.mark.parametrize(
    ("template", "pieces"),
    [
        ("", ()),
        ("text", ("text",)),
        ("{{a.b}}-{{ c }}", (path("a", "b"), "-", path("c"))),
        ("{{{a}}}", (path("a"),)),
        ("{{ }}", (path(),)),
        ("{{}}", ("{{}}",)),
        ("{{a}", ("{{a}",)),
        ("{{a}}}", (path("a"), "}")),
        ("{{{}}}", (path("{"), "}")),
        ("{{ {{a}} }}", (path("{{a"), " }}")),
        ("{{a}b}} {{c}}", ("{{a}b}} ", path("c"))),
        ("{ {a} }", ("{ {a} }",)),
        ("{{\na\n}}", (path("a"),)),
        ("{{{{a}}}}", (path("{a"), "}")),
        ("{{x{{{a}}}y}}", ("{{x", path("a"), "y}}")),
    ],
)
def test_placeholders(template: str, pieces: tuple[Any, ...]) -> None:
    assert parse_placeholders(template) == pieces


@given(st.text(alphabet="{}ab. ", max_size=30))
def test_text_around_placeholders_is_kept(template: str) -> None:
    """Every piece of text occurs in the template, in order."""
    place = 0
    for piece in parse_placeholders(template):
        if isinstance(piece, str):
            place = template.index(piece, place) + len(piece)

    assert place <= len(template)


EVENT: dict[str, Any] = {
    "s": "Hello",
    "n": 7,
    "f": 1.0,
    "t": True,
    "nil": None,
    "l": ["b", "a", None],
    "o": {"items": [1, 2], "first": "F"},
    "emoji": "😀a",
    "key": "s",
}


def rendered(name: str, template: str, event: JSON = EVENT) -> str:
    """Render a template compiled and interpreted; return the text or the error."""
    mapping = compile_mapping({name: template})
    outcomes = set()
    for way in (mapping.resolve, mapping.interpret):
        try:
            outcomes.add(way(event))
        except PayloadValidationError as error:
            outcomes.add(str(error))
    (outcome,) = outcomes
    return str(outcome)


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        ("{{ s }}{{ missing.deep }}{{ nil }}", "Hello"),
        (
            "{{ n }} {{ f }} {{ t }} {{ l }} {{ o }}",
            '7 1 true ["b","a",null] {"items":[1,2],"first":"F"}',
        ),
        ("{{ o.items }} {{ o['first'] }} {{ l[0] }} {{ l.1 }} {{ l[-2] }}", "[1,2] F b a a"),
        ("{{ o.keys }}{{ s.upper }}{{ l.append }}{{ o.__class__ }}{{ ''['__class__'] }}", ""),
        ("{{ s[1:3] }} {{ l[9] }} {{ s[0] }}", "el  H"),
        ("{% if n > 5 and s is defined %}yes{% else %}no{% endif %}", "yes"),
        (
            "{% for x in l %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1b,2a,3",
        ),
        ("{% set x = s ~ 1.0 ~ true ~ nil ~ l %}{{ x }}", 'Hello1true["b","a",null]'),
        (
            "{{ s|upper|replace('L', 'x') }} {{ [1, 2]|join('-') }} {{ 2.567|round(2) }}",
            "HExxO 1-2 2.57",
        ),
        (
            "{{ [3, 1]|sort }} {{ o|tojson }} {{ nil|default('d', true) }}",
            '[1,3] {"items":[1,2],"first":"F"} d',
        ),
        ("{{ o|dictsort|first|first }} {{ l|select|list|length }} {{ (1, 2) }}", "first 2 [1,2]"),
        ("{{ n + 1 }} {{ n * 2 }} {{ 'a' + 'b' }} {{ 7 % 4 }} {{ 7 // 2 }}", "8 14 ab 3 3"),
        ("{{ l|map('upper')|join }}", "BANONE"),
    ],
)
def test_jinja_prints_values_as_json_text(template: str, printed: str) -> None:
    assert rendered("@jinja", template) == printed


@pytest.mark.parametrize(
    ("template", "refusal"),
    [
        ("{{ ''.__class__() }}", "calls are not allowed"),
        ("{{ range(10) }}", "calls are not allowed"),
        ("{% macro m() %}{% endmacro %}", "`macro` is not allowed"),
        ("{% import 'x' as y %}", "`import` is not allowed"),
        ("{% include 'x' %}", "`include` is not allowed"),
        ("{% block x %}{% endblock %}", "`block` is not allowed"),
        ("{{ 2 ** 9 }}", "`pow` is not allowed"),
        ("{% filter upper %}x{% endfilter %}", "`filterblock` is not allowed"),
        ("{{ s|format('x') }}", "No filter named 'format'"),
        ("{{ s|center(10) }}", "No filter named 'center'"),
        ("{{ s|attr('x') }}", "No filter named 'attr'"),
        ("{% for %}", "Expected an expression, got 'end of statement block'"),
        ("{{ " + "(" * 1500 + "1" + ")" * 1500 + " }}", "it is nested too deeply"),
    ],
)
def test_jinja_holds_nothing_but_data(template: str, refusal: str) -> None:
    expected = f"`/@jinja` has a template that does not parse: {refusal}."

    assert rendered("@jinja", template) == expected
    assert compile_mapping({"@jinja": template}).faults == (expected,)


@pytest.mark.parametrize(
    ("template", "refusal"),
    [
        ("{{ 1 / 0 }}", "cannot be rendered: division by zero"),
        ("{{ 'a' * 1000000000 }}", "cannot be rendered: `*` is for numbers"),
        ("{{ '%1000000000d' % 1 }}", "cannot be rendered: `%` is for numbers"),
        (
            "{% set x = n %}" + "{% set x = x * x %}" * 30 + "{{ x }}",
            "cannot be rendered: a number is too large",
        ),
        (
            "{% set x = s %}" + "{% set x = x ~ x %}" * 30 + "{{ x }}",
            "processes more than 5,000,000 characters and items",
        ),
        ("{{ long|replace('x', s * 0) }}", "cannot be rendered: `*` is for numbers"),
        ("{{ long|replace('x', 'abcdefghij') }}", "would produce more than 1,000,000 characters"),
        (
            "{{ many|join(long) }}",
            "processes more than 5,000,000 characters and items",
        ),
        (
            "{% for a in many %}{{ page }}{% endfor %}",
            "would produce more than 1,000,000 characters",
        ),
        (
            "{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}",
            "processes more than 5,000,000 characters and items",
        ),
        ("{{ huge }}", "processes more than 5,000,000 characters and items"),
        ("{{ huge|upper }}", "processes more than 5,000,000 characters and items"),
        ("{{ deep }}", "got a value nested more than 200 levels deep"),
        ("{{ n|join }}", "cannot be rendered: 'int' object is not iterable"),
    ],
)
def test_jinja_keeps_within_its_budget(
    template: str, refusal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is on work: no time passes in this test."""
    monkeypatch.setattr("time.monotonic", lambda: 1.0)
    deep: JSON = 1
    for _ in range(300):
        deep = [deep]
    event = EVENT | {
        "long": "x" * 500_000,
        "page": "x" * 10_000,
        "many": list(range(150_000)),
        "huge": "x" * 10_000_000,
        "deep": deep,
    }

    assert bounded(lambda: rendered("@jinja", template, event)) == f"`/@jinja` {refusal}."


@pytest.mark.parametrize(
    ("directive", "template"),
    [("@jinja", "{% for a in many %}{{ n }}{% endfor %}"), ("@liquid", "{{ n | append: '' }}")],
)
def test_a_rendering_takes_half_a_second_at_most(
    directive: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock advances whenever it is read, about once for ten items."""
    readings = itertools.count()

    def run(step: float) -> Any:
        monkeypatch.setattr("time.monotonic", lambda: next(readings) * step)
        repeated = template * 10 if directive == "@liquid" else template
        return rendered(directive, repeated, {"n": 7, "many": [0] * 10})

    assert run(0.01) == "7" * 10
    assert run(0.1) == f"`/{directive}` takes longer than 0.5 seconds."


def bounded(run: Any) -> Any:
    """Return the result of a call that must use little memory."""
    tracemalloc.start()
    try:
        outcome = run()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 100_000_000
    return outcome


@pytest.mark.parametrize(
    ("template", "printed"),
    [
        (
            "{{ s }}{{ missing.deep }}{{ nil }}{{ t }}{{ f }}{{ l }}{{ o }}",
            "Hellotrue1ba[object Object]",
        ),
        (
            "{{ o.items }} {{ o['first'] }} {{ o.size }} {{ l[0] }} {{ l.1 }} {{ l[-2] }}",
            "12 F 2 b a a",
        ),
        ("{{ emoji.size }} {{ l.first }} {{ l.last }} {{ [key] }}", "3 b  Hello"),
        ("{% if n > 5 and s contains 'ell' %}yes{% endif %}", "yes"),
        (
            "{% if true or t and false %}T{% endif %}{% unless n %}u{% elsif s %}e{% endunless %}",
            "Te",
        ),
        ("{% if l == empty %}E{% elsif gone == blank and gone == nil %}B{% endif %}", "B"),
        ("{% if '10' < '9' and 10 > '9' and n == 7.0 and '7' != n %}T{% endif %}", "T"),
        ("{{ s | nope: 1 }}", "Hello"),
        (
            "{% assign x = s | upcase %}{{ x }}{% capture y %}<{{ x }}>{% endcapture %}{{ y }}",
            "HELLO<HELLO>",
        ),
        ("{% raw %}{{ s }}{% endraw %}{% comment %}{{ s }}{% endcomment %}{% # note %}", "{{ s }}"),
        ("{% liquid\nassign q = n\necho q\nif q\necho s\nendif\n%}", "7Hello"),
        (" {%- if t -%} x {%- endif -%} y\n", "xy\n"),
        ("{% block x %}{{ n }}{% endblock %}{% echo %}", "7"),
        ("{{ (1..n) | join: '' }} {{ (3..1) | size }}", "1234567 0"),
        ("{{ 5 | divided_by: 2 }} {{ 5 | divided_by: 0 }} {{ -5 | modulo: 3 }}", "2.5 Infinity 1"),
        ("{{ 99.499 | date: '%s' }} {{ 99.5 | date: '%s' }} {{ -1.5 | date: '%s' }}", "99 100 -1"),
        (
            "{{ 0 | date: '%Y-%m-%d %H:%M %z %Z', 'Asia/Tokyo' }}",
            "1970-01-01 09:00 +0900 Asia/Tokyo",
        ),
        ("{{ 'never' | date: '%Y' }}", "never"),
    ],
)
def test_liquid_reads_as_segment_does(template: str, printed: str) -> None:
    assert rendered("@liquid", template) == printed


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Mar 5 2024", "2024-03-05T00:00:00.000"),
        ("05-Mar-2024", "2024-03-05T00:00:00.000"),
        ("Tuesday, March 5, 2024", "2024-03-05T00:00:00.000"),
        ("Tue, 05 Mar 2024 06:07:08 GMT", "2024-03-05T06:07:08.000"),
        ("March 5, 2024 10:00:30 PM", "2024-03-05T22:00:30.000"),
        ("03/05/2024 2:30 PM", "2024-03-05T14:30:00.000"),
        ("Tue Mar 05 2024 06:07:08 GMT+0200 (EET)", "2024-03-05T04:07:08.000"),
        ("2024-03-05 06:07:08 UTC", "2024-03-05T06:07:08.000"),
        ("2024-03-05T06:07:08.123456+01:00", "2024-03-05T05:07:08.123"),
        ("2024-02-30", "2024-03-01T00:00:00.000"),
        ("2024-03-05T06:07:60Z", "2024-03-05T06:07:60Z"),
        ("+010000-01-01", "+010000-01-01"),
        ("tomorrow", "tomorrow"),
    ],
)
def test_liquid_reads_the_dates_that_javascript_reads(text: str, read: str) -> None:
    """Values that are not dates, or beyond the year 9999, are unchanged."""
    mapping = compile_mapping({"@liquid": "{{ text | date: '%Y-%m-%dT%H:%M:%S.%L' }}"})
    assert mapping.resolve({"text": text}) == read


def test_liquid_counts_within_its_template() -> None:
    """Counters start at zero, independently of the event; Segment's engine counts in the event."""
    event: dict[str, JSON] = {"n": 5}
    found = compile_mapping(
        {
            "first": {"@liquid": "{% increment n %}{% increment n %} {{ n }}"},
            "second": {"@liquid": "{% increment n %} {{ n }}"},
            "path": {"@path": "$.n"},
            "down": {"@liquid": "{% decrement k %}{% decrement k %} {{ k }}"},
            "other": {"@liquid": "{{ k }}"},
        }
    ).resolve(event)

    assert found == {"first": "01 5", "second": "0 5", "path": 5, "down": "-1-2 -2", "other": ""}
    assert event == {"n": 5}


@pytest.mark.parametrize(
    ("template", "refusal"),
    [
        *(
            (f"{{% {tag} x %}}", f'tag "{tag}" is disabled')
            for tag in ("case", "for", "include", "layout", "render", "tablerow")
        ),
        ("{{ s", "expected '}}', found end of file"),
        ("{{ 's }}", 'unexpected "\'"'),
        ("{% if s", "missing tag name or closing delimiter"),
        ("{% nope %}", "unexpected tag 'nope'"),
        ("{% if s %}", "expected tag endif, found end of expression"),
        ("{{ }}", "expected a primitive expression, found end of expression"),
        ("{{ $.s }}", "unexpected '$'"),
        ("{{ s | upcase 5 }}", "expected end of expression, found integer"),
        ("{{ s , }}", "expected end of expression, found ','"),
        ("{{ s | : }}", "expected word, found ':'"),
        ("{{ l[0 }}", "expected ']', found end of expression"),
        ("{{ (1.2) }}", "expected a primitive expression, found lparen"),
        ("{% assign 5 %}", "expected '=', found end of expression"),
        ("{% capture %}{% endcapture %}", "missing expression"),
        ("{% cycle %}", "missing expression"),
    ],
)
def test_liquid_that_does_not_parse_is_a_fault(template: str, refusal: str) -> None:
    """As in Segment's implementation, it fails when it is evaluated."""
    expected = f"`/@liquid` has a template that does not parse: {refusal}."

    assert rendered("@liquid", template) == expected
    assert compile_mapping({"@liquid": template}).faults == (expected,)


@pytest.mark.parametrize(
    ("template", "refusal"),
    [
        ("{{ l | sort }}", 'cannot be rendered: filter "sort" is disabled'),
        ("{{ s | append }}", "cannot be rendered: filter `append` does not take these values"),
        (
            "{{ s | prepend: 1, 2 }}",
            "cannot be rendered: filter `prepend` does not take these values",
        ),
        (
            "{{ '\\ud800' | url_encode }}",
            "cannot be rendered: filter `url_encode` does not take these values",
        ),
        ("{{ 0 | date: long }}", "would produce more than 1,000,000 characters"),
        (
            "{{ 0 | date: '%H', 'Nowhere' }}",
            "cannot be rendered: filter `date` does not take these values",
        ),
        ("{{ (1..100000000) | size }}", "has a range that is too large"),
        ("{{ (1..10000000000000000) | size }}", "has a range that is too large"),
        (
            "{% assign x = s %}" + "{% assign x = x | append: x %}" * 30,
            "processes more than 5,000,000 characters and items",
        ),
        ("{{ huge | upcase }}", "processes more than 5,000,000 characters and items"),
        ("{{ huge }}", "cannot be rendered: output stream limit reached"),
        (
            "{% capture x %}{{ huge }}{% endcapture %}",
            "cannot be rendered: output stream limit reached",
        ),
        (
            "{% capture x %}{{ long }}{% endcapture %}"
            + "".join(f"{{% assign x{number} = x | append: '' %}}" for number in range(25)),
            "processes more than 5,000,000 characters and items",
        ),
        (
            "".join(
                f"{{% capture x{number} %}}{{{{ long }}}}{{% endcapture %}}" for number in range(23)
            ),
            "cannot be rendered: local namespace limit reached",
        ),
        (
            "{{ long | replace: 'x', 'abcdefghijklmnop' }}",
            "would produce more than 1,000,000 characters",
        ),
        ("{{ deep | json }}", "got a value nested more than 200 levels deep"),
        ("{{ deeper }}", "got a value that is nested too deeply"),
        ("{% if deeper == deepest %}{% endif %}", "got a value that is nested too deeply"),
    ],
)
def test_liquid_keeps_within_its_budget(template: str, refusal: str) -> None:
    deep: JSON = 1
    for _ in range(300):
        deep = [deep]
    deeper = deep
    for _ in range(3000):
        deeper = [deeper]
    deepest = deep
    for _ in range(3000):
        deepest = [deepest]
    event = EVENT | {
        "deepest": deepest,
        "huge": "x" * 10_000_000,
        "long": "x" * 900_000,
        "deep": deep,
        "deeper": deeper,
    }

    assert bounded(lambda: rendered("@liquid", template, event)) == f"`/@liquid` {refusal}."


NESTED = {
    "@liquid": [
        "{{ DEEP }}",
        "{% if DEEP == other %}{% endif %}",
        "{% if DEEP != other %}{% endif %}",
        "{% assign found = objects | where: 'a', DEEP %}",
        "{% if list contains DEEP %}{% endif %}",
        "{{ DEEP | upcase }}",
        "{{ DEEP | join }}",
        "{{ DEEP | json }}",
    ],
    "@jinja": [
        "{{ DEEP }}",
        "{{ DEEP == other }}",
        "{{ 1 < 2 != DEEP == other }}",
        "{{ DEEP in list }}",
        "{{ DEEP is eq other }}",
        "{{ [1]|select('==', DEEP)|list }}",
        "{{ DEEP|upper }}",
        "{{ [DEEP, other]|sort }}",
        "{{ [DEEP, other]|unique|list }}",
        "{{ {'a': DEEP}|tojson }}",
    ],
}


@pytest.mark.parametrize(
    ("name", "template"),
    [(name, template) for name, templates in NESTED.items() for template in templates],
)
def test_a_value_is_entered_to_the_same_depth_on_every_python(name: str, template: str) -> None:
    def nested(levels: int) -> JSON:
        value: JSON = 1
        for _ in range(levels):
            value = [value]
        return value

    outcomes = {}
    for levels in (190, 210, 900, 3000, 8000):
        deep, other, third = (nested(levels) for _ in range(3))
        event = {"deep": deep, "other": other, "list": [third], "objects": [{"a": third}]}
        outcomes[levels] = rendered(name, template.replace("DEEP", "deep"), event)

    refusals = {levels: "nested" in outcome for levels, outcome in outcomes.items()}
    assert refusals == {levels: levels > 200 for levels in refusals}


@pytest.mark.parametrize("shown", ["{{ x }}", "{{ x | upcase }}"])
def test_liquid_prints_a_list_that_holds_another_many_times_within_its_budget(shown: str) -> None:
    template = "{% assign x = l %}" + "{% assign x = x | push: x %}" * 30 + shown
    for items in ([], ["x" * 900_000]):
        outcome = rendered("@liquid", template, {"l": items})
        assert outcome == "`/@liquid` would produce more than 1,000,000 characters."


@pytest.mark.parametrize(
    "template",
    [
        "{{" + " " * 990,
        "{%" + " " * 990,
        "{{" * 499,
        "{% " * 333,
        "{{ '" + "\\" * 900,
        "{% comment %}" * 70,
    ],
)
def test_liquid_text_that_never_ends_is_read_soon(template: str) -> None:
    with pytest.raises(TemplateError):
        compile_liquid(template)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(sorted(FILTERS)), values, st.lists(values, max_size=2))
def test_filters_take_anything(name: str, value: JSON, arguments: list[JSON]) -> None:
    """A filter returns a string or a clear error for every value and arguments."""
    names = [f"a{number}" for number in range(len(arguments))]
    template = compile_liquid(f"{{{{ v | {name}{': ' * bool(names)}{', '.join(names)} }}}}")
    known = dict(zip(names, arguments, strict=True)) | {"v": value}
    with suppress(TemplateError, TooMuch):
        assert isinstance(template.render(*(path.get(known) for path in template.paths)), str)


@given(st.text(alphabet="{}%|'\"()[]., abif:=<>-1\n", max_size=40))
def test_any_text_is_a_template_or_a_fault(source: str) -> None:
    for compile_template in (compile_liquid, compile_jinja):
        with suppress(TemplateError):
            template = compile_template(source)
            assert isinstance(template.render(*(None for _ in template.paths)), str)


def test_a_budget_counts_work_and_time() -> None:
    late = RenderBudget(deadline=0)

    with pytest.raises(TemplateError) as refused:
        late.use(1)
    assert str(refused.value) == "takes longer than 0.5 seconds"
    with pytest.raises(TemplateError) as refused:
        RenderBudget(left=10).use(10)
    assert str(refused.value) == "processes more than 5,000,000 characters and items"


def test_liquid_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "framework.mapping.templates.liquid", raising=False)
    monkeypatch.delitem(sys.modules, "framework.mapping.templates.liquid_filters", raising=False)
    monkeypatch.setitem(sys.modules, "liquid", None)
    with pytest.raises(TemplateError, match=r"pip install 'action-destinations\[liquid\]'"):
        compile_liquid("{{ event }}")
