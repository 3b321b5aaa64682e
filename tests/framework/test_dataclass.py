"""Dataclasses whose methods are written late are what the standard decorator makes of them."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import itertools
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, field
from functools import partial
from typing import Any, ClassVar, TypeAlias

import pytest

from framework.dataclass import dataclass

Maker: TypeAlias = Callable[..., Callable[[type], Any]]

NAMES = ("frozen", "slots", "eq", "kw_only")
OPTIONS = [
    dict(zip(NAMES, flags, strict=True)) for flags in itertools.product((False, True), repeat=4)
]


def make(decorator: Maker, options: dict[str, bool]) -> Any:
    """Declare a class that has all that the dataclasses of the house have."""

    class Order:
        """An order."""

        number: int
        secret: str = field(repr=False)
        note: str = "none"
        tags: list[str] = field(default_factory=list, hash=False)
        seen: int = field(default=0, compare=False)
        total: float = field(init=False)
        kind: ClassVar[str] = "order"

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", self.number * 2.5)

        def __str__(self) -> str:
            return f"#{self.number}"

    return decorator(**options)(Order)


def told(act: Callable[[], object]) -> object:
    """Give what *act* gives, or the kind and the text of what it raises."""
    try:
        return act()
    except (TypeError, AttributeError) as error:
        return type(error), str(error)


@pytest.fixture(params=OPTIONS, ids=lambda given: "-".join(key for key in given if given[key]))
def both(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Our class and the standard one, with the same options."""
    return make(dataclass, request.param), make(dataclasses.dataclass, request.param)


def instances(kind: Any) -> list[Any]:
    """Make equal ones, some that differ, and one that differs in what is not compared."""
    one, full = {"number": 1, "secret": "s"}, {"note": "n", "tags": ["a"], "seen": 3}
    given = (one, one, {**one, "number": 2}, {**one, **full}, {**one, "seen": 9})
    return [kind(**arguments) for arguments in given]


def test_arguments_are_taken_alike(both: tuple[Any, Any]) -> None:
    ours, standard = (str(inspect.signature(kind)) for kind in both)
    assert ours == standard
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((1, "s", "n", ["a"], 3), {}),
        ((1, "s"), {"seen": 4}),
        ((), {"number": 1, "secret": "s", "tags": ["b"]}),
        ((1,), {}),
        ((), {}),
        ((), {"number": 1, "secret": "s", "total": 2}),
        ((1, "s", "n", [], 3, 4), {}),
    ]
    for positional, named in calls:
        made = [told(partial(kind, *positional, **named)) for kind in both]
        assert repr(made[0]) == repr(made[1])


def test_values_are_compared_hashed_and_shown_alike(both: tuple[Any, Any]) -> None:
    ours, standard = map(instances, both)
    pairs = list(itertools.product(range(len(ours)), repeat=2))
    assert [ours[a] == ours[b] for a, b in pairs] == [standard[a] == standard[b] for a, b in pairs]
    assert [ours[0] == other for other in (standard[0], 1)] == [False, False]
    assert [repr(one) for one in ours] == [repr(one) for one in standard]
    assert [str(one) for one in ours] == [str(one) for one in standard]
    unhashable = both[1].__hash__ is None
    assert (both[0].__hash__ is None) == unhashable
    if not unhashable:
        same = [hash(ours[a]) == hash(ours[b]) for a, b in pairs]
        assert same == [hash(standard[a]) == hash(standard[b]) for a, b in pairs]


def test_attributes_are_kept_alike(both: tuple[Any, Any]) -> None:
    def outcomes(kind: Any) -> list[object]:
        one = kind(number=1, secret="s")
        return [
            told(lambda: setattr(one, "number", 2)),
            told(lambda: delattr(one, "note")),
            told(lambda: one.number),
            told(lambda: one.note),
            told(lambda: vars(one)),
            getattr(kind, "__slots__", None),
            kind.__match_args__,
            kind.kind,
            kind.__doc__,
            kind.__qualname__,
            [(given.name, given.type, given.repr) for given in dataclasses.fields(one)],
        ]

    ours, standard = map(outcomes, both)
    assert ours == standard


def test_copies_are_made_alike(both: tuple[Any, Any]) -> None:
    def copies(kind: Any) -> list[str]:
        one = kind(number=1, secret="s", tags=["a"])
        made = [copy.copy(one), copy.deepcopy(one), dataclasses.replace(one, number=4)]
        return [f"{each!r} {each.secret}" for each in made]

    ours, standard = map(copies, both)
    assert ours == standard


def test_nothing_is_written_before_it_is_asked_for() -> None:
    kind = make(dataclass, {"frozen": True, "slots": True})
    late = ("__init__", "__eq__", "__hash__")
    assert [inspect.isfunction(vars(kind)[name]) for name in late] == [False, False, False]
    one = kind(1, "s")
    assert [inspect.isfunction(vars(kind)[name]) for name in late] == [True, False, False]
    assert one == kind(1, "s")
    assert hash(one) == hash(kind(1, "s"))
    assert [inspect.isfunction(vars(kind)[name]) for name in late] == [True, True, True]


def test_a_list_is_made_for_each() -> None:
    kind = make(dataclass, {})
    first, second = kind(1, "s"), kind(1, "s")
    first.tags.append("a")
    assert second.tags == []


def test_a_frozen_one_takes_no_other_attributes() -> None:
    one = make(dataclass, {"frozen": True})(1, "s")
    with pytest.raises(FrozenInstanceError, match=r"^cannot assign to field 'other'$"):
        one.other = 1
    with pytest.raises(FrozenInstanceError, match=r"^cannot delete field 'other'$"):
        del one.other


def test_a_subclass_may_extend_the_constructor() -> None:
    """The method that is written belongs to the class that declared the fields."""
    kind = make(dataclass, {"slots": True})

    class Large(kind):  # type: ignore[misc, valid-type]
        def __init__(self, number: int) -> None:
            super().__init__(number, "large")

    large = [Large(1), Large(2)]
    assert [(one.number, one.secret) for one in large] == [(1, "large"), (2, "large")]
    assert repr(kind(3, "s")).startswith(f"{kind.__qualname__}(number=3")


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something that travels between processes."""

    weight: int
    notes: dict[str, str] = field(default_factory=dict)


def test_a_parcel_travels_between_processes() -> None:
    assert pickle.loads(pickle.dumps(Parcel(3, {"a": "b"}))) == Parcel(3, {"a": "b"})  # noqa: S301 - written here


def test_reading_needs_no_constructor() -> None:
    """What a process reads may be the first of its class there."""
    kind = make(dataclass, {"frozen": True, "slots": True})
    read = [kind.__new__(kind) for _ in range(2)]
    for one in read:
        one.__setstate__([1, "s", "n", [], 0, 2.5])
    assert read[0] == read[1] == kind(1, "s", "n")


def test_threads_may_make_the_first_at_once() -> None:
    for _ in range(20):
        kind = make(dataclass, {"frozen": True, "slots": True})
        ready = threading.Barrier(4)

        def first(kind: Any, ready: threading.Barrier) -> bool:
            ready.wait()
            return bool(kind(1, "s") == kind(1, "s"))

        with ThreadPoolExecutor(4) as threads:
            made = [threads.submit(first, kind, ready) for _ in range(4)]
            assert [one.result() for one in made] == [True] * 4


def test_a_default_that_would_be_shared_is_refused() -> None:
    with pytest.raises(ValueError, match="mutable default <class 'list'> for field tags"):

        @dataclass(frozen=True)
        class _Order:
            tags: list[str] = []  # noqa: RUF012 - what is refused here
