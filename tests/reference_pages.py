"""Reference pages generated from the framework's own tables: `python -m tests.reference_pages`.

The tests of each package execute the examples of its page.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from destinations import criteo_audiences, webhook
from framework.catalogue import contract_page, declarations_page, markdown_page
from framework.config import parse_connection
from framework.definition import (
    Choice,
    Condition,
    Conditions,
    Field,
    Payload,
    fields_of,
    to_document,
)
from framework.definition.json_schema_meta import OPTIONS
from framework.delivery import DryRun, connect
from framework.mapping import DIRECTIVES, Directive
from framework.mapping import DirectiveExample as Mapped
from framework.paths import MISSING
from framework.plugins import HOOKS, open_plugin
from framework.testing import Harness
from framework.triggers import FUNCTIONS, OPERATORS, Function, Operator, OperatorExample
from tests import normalize_page

DOCS = Path(__file__).parent.parent / "docs"

TRIGGERS = """\
# Triggers

A trigger defines which events run an action, in Segment's Filter Query Language.
A field is written as its keys, separated by dots: `properties.total`, `context.traits.email`.
Triggers do not distinguish missing fields from null.
A condition is true, false or neither: it is neither if the test does not apply to the value, \
such as an order comparison with a value that is not a number.
The negation of neither is neither, and only true is a match.
`not` binds most tightly, then `and`, then `or`; parentheses group.
A trigger can have at most 10,000 characters, and groups can be nested up to 50 levels deep.
"""

MAPPINGS = """\
# Mappings

A mapping defines the value of each field of a payload.
It is JSON: an object whose only key begins with `@` is a directive, computed from the event; any \
other value is a constant.
Directives can be used anywhere, also inside each other.
A path such as `$.traits.address.city` selects keys of objects and positions of lists: \
`$.products[0].sku`.
A path that does not exist has no value, and a key without a value is left out; null is a value.
A path that meets null, false, 0 or an empty string ends there, with that value.
A mapping with an invalid shape is rejected before the first event, with every problem; a problem \
that depends on an event fails that event only.
"""

FIELDS = """\
# Fields

An action declares its input as a table of fields, written as a typed class, as `Field` objects, \
or as a JSON Schema document (draft 2020-12).
These forms are equivalent and convert into each other without loss.
A document uses standard keywords where they exist, and `x-` keywords for all other options.
Values are processed in this order: empty values are dropped, values are converted if the \
conversion is lossless, the result is validated, and fields with `hashed` are hashed.
A `format`, `pattern` or limit of such a field applies before, also to values that are hashes \
already.
A conditionally required field has `x-required`; for validators, `allOf` expresses the same.
"""

ANNOTATIONS = """\
## Annotations

In a typed class, the annotation says the type; `field(...)` adds the other options.
A field is optional if its annotation ends with `| None`, or if it has a default; \
otherwise an event without a value fails.
Hooks get a `datetime` with its offset, and instances of nested Payload classes.
`int` and `float` take texts that are numbers, `bool` takes the texts `true` and `false`.
"""


class Address(Payload):
    """A class of fields within another."""

    city: str


class EveryType(Payload):
    """A field for each annotation."""

    text: str
    whole: int
    number: float
    truth: bool
    moment: datetime
    choice: Literal["a", "b"]
    values: dict[str, Any]
    inner: Address
    several: list[str]
    optional: str | None


SAMPLES: dict[str, Field] = {
    "label": Field("E-mail"),
    "description": Field("E-mail", "Where to write to."),
    "type": Field(type="integer"),
    "required": Field(
        required=Conditions.any(Condition("phone"), Condition("country", "is", ["NO", "SE"]))
    ),
    "multiple": Field(multiple=True),
    "nullable": Field(nullable=True),
    "default": Field(default="EUR"),
    "mapping": Field(mapping={"@path": "$.userId"}),
    "choices": Field(choices=(Choice("a", "First"), Choice("b", "Second"))),
    "format": Field(format="email"),
    "pattern": Field(pattern=r"^\d+$"),
    "minimum": Field(type="number", minimum=0),
    "maximum": Field(maximum=10),
    "placeholder": Field(placeholder="name@example.org"),
    "category": Field(category="identifier"),
    "depends_on": Field(depends_on=Conditions.all(Condition("country", "is", "NO"))),
    "dynamic": Field(dynamic=True),
    "properties": Field(type="object", properties={"id": Field(required=True)}),
    "additional_properties": Field(
        type="object", properties={"id": Field()}, additional_properties=True
    ),
    "object_ui": Field(type="object", object_ui="keyvalue"),
    "disabled_input_methods": Field(disabled_input_methods=("literal",)),
    "display_mode": Field(display_mode="collapsed"),
    "read_only": Field(read_only=True),
    "hidden": Field(hidden=True),
    "secret": Field(secret=True),
    "hashed": Field(hashed="sha256"),
    "extra": Field(extra={"unknownToUs": 1}),
}
"""A field for each option."""

MEANINGS = {
    "label": "The name in forms and messages.",
    "description": "The purpose of the field.",
    "type": "`string`, `text`, `password`, `number`, `integer`, `boolean`, `datetime` or `object`.",
    "required": "True, or conditions on other fields or the sync mode, combined by `any` or `all`.",
    "multiple": "The field is a list; a single value becomes a list of one.",
    "nullable": "Null is a value; otherwise null is dropped.",
    "default": "The initial value in a new subscription.",
    "mapping": "The initial mapping in a new subscription.",
    "choices": "The accepted values.",
    "format": "The format of a string.",
    "pattern": "A regular expression that a string must match.",
    "minimum": "The smallest number, or the minimum length of a string.",
    "maximum": "The largest number, or the maximum length of a string.",
    "placeholder": "The text in an empty input of a form.",
    "category": "The role of the field in the action.",
    "depends_on": "Conditions under which a form shows the field.",
    "dynamic": "The choices are requested from the partner.",
    "properties": "The fields of an object; undeclared keys are dropped.",
    "additional_properties": "Undeclared keys are kept.",
    "object_ui": "How a form edits an object.",
    "disabled_input_methods": "Input methods that a form does not offer.",
    "display_mode": "How a form displays the field.",
    "read_only": "A form shows the value but cannot change it.",
    "hidden": "Forms leave the field out.",
    "secret": "The value is never shown.",
    "hashed": "The hash function, `md5`, `sha1`, `sha256` or `sha512`, whose lower-case \
hexadecimal digest replaces a valid string; a hash is kept.",
    "extra": "Options of a manifest that are not listed here.",
}


def triggers() -> str:
    """Return the page on the trigger language."""
    parts = [TRIGGERS, "\n## Operators and other constructs\n"]
    parts += [_construct(f"`{one.name}`", one) for one in OPERATORS.values()]
    parts += ["\n## Functions\n", "| Function | Returns | Meaning |", "| --- | --- | --- |"]
    parts += [
        f"| `{one.signature}` | {one.returns} | {_cell(one.summary)} |"
        for one in FUNCTIONS.values()
    ]
    parts += [_construct(f"`{one.signature}`", one) for one in FUNCTIONS.values()]
    return "\n".join(parts) + "\n"


def mappings() -> str:
    """Return the page of the mapping language."""
    parts = [MAPPINGS, "\n| Directive | Meaning |", "| --- | --- |"]
    parts += [f"| `{one.name}` | {_cell(one.summary)} |" for one in DIRECTIVES.values()]
    return "\n".join([*parts, *map(_directive, DIRECTIVES.values())]) + "\n"


def fields() -> str:
    """Return the page of annotations and of the options of a field."""
    parts = [FIELDS, ANNOTATIONS, "| Annotation | As a JSON Schema document |", "| --- | --- |"]
    schemas = to_document(fields_of(EveryType))["properties"]
    for name, note in EveryType.__annotations__.items():
        schema = {key: value for key, value in schemas[name].items() if key != "title"}
        parts.append(f"| {_code(note)} | {_code(schema)} |")
    parts += ["\n## Options\n"]
    parts += ["| Option | Meaning | As a JSON Schema document |", "| --- | --- | --- |"]
    for option in OPTIONS:
        schema = to_document({"a": SAMPLES[option], "phone": Field(), "country": Field()})
        parts.append(f"| `{option}` | {_cell(MEANINGS[option])} | {_code(_written(schema))} |")
    return "\n".join(parts) + "\n"


def generated_code() -> str:
    """Return the page about generated code with the current output of its example."""
    page = (DOCS / "generated-code.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    environment = {"CRITEO_CLIENT_SECRET": "a secret"}
    file = parse_connection(example, "example.yaml", DOCS, environment).connection
    assert file is not None
    plugin = open_plugin(criteo_audiences)
    with connect(plugin, file.settings, file.subscriptions, transport=DryRun()) as connection:
        source = connection.generated()
    head, fence, rest = page.partition("```python\n")
    return f"{head}{fence}{source}```{rest.partition('```')[2]}"


def testing() -> str:
    """Return the page about tests with the methods of the harness."""
    page = (DOCS / "testing.md").read_text(encoding="utf-8")
    rows = "".join(
        f"| `{name}({', '.join(_required(method))})` | {_cell(_first_sentence(method))} |\n"
        for name, method in vars(Harness).items()
        if inspect.isfunction(method) and not name.startswith("_")
    )
    head = "| Method | |\n| --- | --- |\n"
    before, _, after = page.partition(head)
    _, _, rest = after.partition("\n\n")
    return f"{before}{head}{rows}\n{rest}"


def _required(method: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments without defaults."""
    _, *arguments = inspect.signature(method).parameters.values()
    return [one.name for one in arguments if one.default is one.empty]


def _first_sentence(method: Callable[..., Any]) -> str:
    text = " ".join((inspect.getdoc(method) or "").split())
    sentence, *_ = re.split(r"(?<=\.) |; raises |,? as `", text)
    return re.sub(r"\*(\w+)\*", r"`\1`", sentence.rstrip(".")) + "."


def criteo_reference() -> str:
    """Return the reference page of Criteo Audiences."""
    return _reference(criteo_audiences, "Setup, identifiers, requests and results", "criteo.md")


def webhook_reference() -> str:
    """Return the reference page of the webhook."""
    return _reference(webhook, "Examples, signatures and results", "webhook.md")


def _reference(module: ModuleType, about: str, page: str) -> str:
    """Return what `actions docs` prints, with a link to the page written by hand."""
    plugin = open_plugin(module)
    text = markdown_page(plugin.definition, set(filter(plugin.implements, HOOKS)))
    return f"{text}\n{about}: [{page}]({page}).\n"


PAGES = {
    "triggers.md": triggers,
    "mappings.md": mappings,
    "fields.md": fields,
    "generated-code.md": generated_code,
    "criteo-reference.md": criteo_reference,
    "webhook-reference.md": webhook_reference,
    "hooks.md": contract_page,
    "declared-values.md": declarations_page,
    "normalize.md": normalize_page.page,
    "testing.md": testing,
}
"""How each page is made."""


def _written(schema: dict[str, Any]) -> Any:
    listed = {"required": ["a"]} if "a" in schema.get("required", ()) else {}
    return {**schema["properties"]["a"], **listed}


def _construct(title: str, one: Operator | Function) -> str:
    lines = [
        f"\n### {title}\n",
        one.summary,
        "",
        "| Trigger | Event | Match |",
        "| --- | --- | --- |",
    ]
    return "\n".join([*lines, *map(_matching, one.examples)])


def _matching(example: OperatorExample) -> str:
    outcome = example.expected
    shown = outcome if isinstance(outcome, str) else "yes" if outcome else "no"
    return f"| {_code(example.trigger)} | {_code(example.event)} | {_cell(shown)} |"


def _directive(directive: Directive) -> str:
    argument = directive.schema.get("description", "")
    lines = [f"\n## {directive.name}\n", directive.summary, f"Argument: {argument}"]
    lines += [f"- `{key}`: {_part(part)}" for key, part in _parts(directive)]
    return "\n".join([*lines, *map(_mapped, directive.examples)])


def _parts(directive: Directive) -> Iterable[tuple[str, Any]]:
    parts: dict[str, Any] = directive.schema.get("properties", {})
    return parts.items()


def _part(part: dict[str, Any]) -> str:
    words = part.get("enum")
    listed = f"One of {', '.join(f'`{word}`' for word in words)}. " if words else ""
    return (listed + part.get("description", "")).strip() or "Any value."


def _mapped(example: Mapped) -> str:
    code = json.dumps(example.mapping, indent=2, ensure_ascii=False)
    result = "no value" if example.output is MISSING else _code(example.output)
    outcome = f"error: {example.refusal}" if example.refusal is not None else f"{result}."
    event = _code(dict(example.event))
    return f"\n{example.note}\n\n```json\n{code}\n```\n\nFor the event {event}: {outcome}"


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=dict)
    fence = "``" if "`" in text else "`"
    return f"{fence}{_cell(text)}{fence}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
