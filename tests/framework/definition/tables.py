"""Random field tables, and values that are likely or unlikely to fit them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from hypothesis import strategies as st

from framework.definition import Choice, Condition, Conditions, Field
from framework.definition.defaults import default_problems
from framework.definition.fields import STRING_TYPES, Category, FieldType, Format
from framework.normalize import METHODS

KEYS = ("a", "b", "c", "d.e")
TEXTS = st.sampled_from(
    ["", "x", "v", " ", "5", "5.5", "true", "false", "null", "2024-03-05", "a@b.co", "https://x.y"]
)
NUMBERS = st.sampled_from([0, 1, 5, -3, 2.5, 5.0, 1e21, 1e-7])
SCALARS = TEXTS | NUMBERS | st.booleans() | st.none()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "b", "any"]), inner, max_size=2)
    ),
    max_leaves=5,
)
CONDITIONS = st.builds(
    Conditions,
    st.lists(
        st.builds(
            Condition,
            st.sampled_from([*KEYS, "a.b", "b.a", "a.b.c", "nothing"]) | st.none(),
            st.sampled_from(["is", "is_not"]),
            SCALARS | st.lists(SCALARS, max_size=2),
        )
        | st.builds(Condition, st.sampled_from([*KEYS, "a.b"]), st.sampled_from(["is", "is_not"])),
        min_size=1,
        max_size=2,
    ).map(tuple),
    st.sampled_from(["all", "any"]),
)


@st.composite
def fields(draw: st.DrawFn, depth: int = 2) -> Field:
    """Return a field with options that may or may not apply to its type, and a valid default."""
    kind: FieldType = draw(st.sampled_from(get_args(FieldType)))
    some = st.none() | st.sampled_from([0, 1, 2, 5, -1, 2.5])
    inner = tables(depth - 1) if depth and kind == "object" else st.none()
    mapping = draw(st.none() | st.just({"@path": "$.a"}))
    made = Field(
        draw(TEXTS),
        draw(TEXTS),
        kind,
        required=draw(st.booleans() | CONDITIONS),
        multiple=draw(st.booleans()),
        nullable=draw(st.booleans()),
        default=draw(st.none() | VALUES) if mapping is None else None,
        mapping=mapping,
        choices=draw(st.just(()) | _choices()),
        format=draw(st.none() | st.sampled_from(get_args(Format))),
        pattern=draw(st.none() | st.sampled_from(["^x", "[0-9]+$"])),
        minimum=draw(some),
        maximum=draw(some),
        placeholder=draw(TEXTS),
        category=draw(st.none() | st.sampled_from(get_args(Category))),
        depends_on=draw(st.none() | CONDITIONS),
        dynamic=draw(st.booleans()),
        properties=draw(st.none() | inner),
        additional_properties=draw(st.none() | st.booleans()),
        disabled_input_methods=draw(st.sampled_from([(), ("literal",)])),
        read_only=draw(st.booleans()),
        hidden=draw(st.booleans()),
        secret=draw(st.booleans()),
        hashed=draw(st.none() | st.sampled_from(METHODS)) if kind in STRING_TYPES else None,
    )
    return replace(made, default=None) if default_problems(made) else made


def tables(depth: int = 2) -> st.SearchStrategy[dict[str, Field]]:
    """Return tables of a few fields."""
    return st.dictionaries(st.sampled_from(KEYS), fields(depth), max_size=3)


def _choices() -> st.SearchStrategy[tuple[Choice, ...]]:
    choice = st.builds(Choice, SCALARS.filter(lambda value: value is not None), TEXTS)
    unique = st.lists(choice, min_size=1, max_size=3, unique_by=lambda c: (type(c.value), c.value))
    return unique.map(tuple)


RAW = st.dictionaries(st.sampled_from([*KEYS, "extra", "dynamicAuthSettings"]), VALUES, max_size=4)
MODES = st.none() | st.sampled_from(["add", "mirror"])
