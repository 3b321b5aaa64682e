"""Rules for batches: what is sent together, in which order, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from framework.errors import DefinitionError, UnknownNameError

Coalesce: TypeAlias = Literal["none", "last", "membership", "merge"]
"""Which of several rows about one identifier are sent; see `Batching`."""


class Target(NamedTuple):
    """What a call changes at the partner, such as a list.

    Rows with equal targets keep their order. Targets with the same *scope* and different *naming*
    (such as `name` and `id`) may be one and the same: rows about one identifier keep their order
    across them, too.
    """

    name: Hashable
    naming: str = ""
    scope: Hashable = None


@dataclass(frozen=True, kw_only=True)
class Aliases:
    """The forms in which one identifier may be sent, such as an address and its hash.

    *form_of* returns the form that all of many identifiers have, within which only equal ones
    are about the same subject, or None if there is not exactly one. It is called for every batch,
    so it has to be fast. *canonical* returns for each identifier the text that is equal for all
    forms. Both are functions of a module, and see identifiers as the hook `identify` returns them.
    """

    form_of: Callable[[Sequence[str]], Hashable]
    canonical: Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Batching:
    """Rules for grouping payloads into one request.

    A batch holds payloads of one action with equal values in all *keys* (names of fields), at
    most *max_size* of them and about *max_bytes* of JSON; *max_age* is the longest wait in
    seconds in a slow stream. *order_keys* are further keys where a request holds one payload, as
    it does after `enable_batching: false`: payloads that agree in them are sent in order.
    Actions with the same *lane* change the same data at the partner: within a lane, payloads with
    the same identifier (see the hook `identify`) are sent in order, an identifier once per batch. A
    function *target* returns what a request changes, from the values of the keys by name; without
    it, all keys say so together. *aliases* joins the forms of one identifier.

    *coalesce* selects the payloads with the same identifier that are sent while they wait: all
    (`none`), the newest (`last`), the newest whose membership is known (`membership`; the others
    are all sent), or one that *merge* creates from consecutive payloads of an action:
    `merge(action, older, newer)` returns a payload. *weigh* returns the bytes that a payload adds
    to a request; without it, the JSON of payloads is measured, or the identifiers if no hook asks
    for payloads.
    """

    keys: tuple[str, ...] = ()
    max_size: int = 1_000
    max_bytes: int = 4_000_000
    max_age: float = 10.0
    lane: str = ""
    target: Callable[[Mapping[str, Any]], Target] | None = None
    aliases: Aliases | None = None
    coalesce: Coalesce = "none"
    merge: Callable[[Any, Any, Any], Any] | None = None
    weigh: Callable[[Any], int] | None = None
    order_keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = [
            f"`{name}` of Batching must be positive, got {getattr(self, name)}."
            for name in ("max_size", "max_bytes", "max_age")
            if getattr(self, name) <= 0
        ]
        problems += [
            f"`{name}` of Batching must be names of fields, got `{getattr(self, name)}`."
            for name in ("keys", "order_keys")
            if isinstance(getattr(self, name), str)
        ]
        problems += self._coalesce_problems()
        if problems:
            raise DefinitionError(" ".join(problems), problems)

    def _coalesce_problems(self) -> Iterator[str]:
        known = get_args(Coalesce)
        if self.coalesce not in known:
            kind = "value of `coalesce`"
            yield str(UnknownNameError.of(kind, str(self.coalesce), known, "values"))
        elif self.coalesce == "merge" and not callable(self.merge):
            yield '`coalesce="merge"` of Batching needs a function: `merge(action, older, newer)`.'
        elif self.coalesce != "merge" and self.merge is not None:
            yield '`merge` of Batching has no effect without `coalesce="merge"`.'
        if self.weigh is not None and not callable(self.weigh):
            yield "`weigh` of Batching must be a function: `weigh(payload)` returns bytes."

    def to_json(self) -> dict[str, Any]:
        """Return the rules as a JSON object, without the functions."""
        return {
            "keys": list(self.keys),
            **({"order_keys": list(self.order_keys)} if self.order_keys else {}),
            "max_size": self.max_size,
            "max_bytes": self.max_bytes,
            "max_age": self.max_age,
            "lane": self.lane,
            **({} if self.coalesce == "none" else {"coalesce": self.coalesce}),
        }
