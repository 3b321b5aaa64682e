"""Jinja templates without functions: only keys of objects and positions of lists are accessible.

A list of allowed syntax nodes keeps templates from calling, importing or defining anything; loops
and operations that make values longer are counted against a budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any, Final

from jinja2 import ChainableUndefined, meta, nodes
from jinja2 import Template as JinjaTemplate
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import pass_context
from jinja2.visitor import NodeTransformer

from framework.mapping.javascript import MAX_NESTING, MAX_TEXT, encode, length
from framework.mapping.templates.rendering_bounds import (
    RenderBudget,
    Template,
    TemplateError,
    size_of,
)
from framework.nesting import is_nested_deeper
from framework.paths import MISSING, Path

MAX_LENGTH: Final = 4000
"""UTF-16 units of the longest template."""

_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.For,
    nodes.Assign,
    nodes.Name,
    nodes.Const,
    nodes.List,
    nodes.Tuple,
    nodes.Dict,
    nodes.Pair,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Getitem,
    nodes.Getattr,
    nodes.Slice,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Not,
    nodes.And,
    nodes.Or,
    nodes.Neg,
    nodes.Pos,
    nodes.Keyword,
)
_FILTERS: Final = (
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "sort",
    "sum",
    "title",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
)
_COMPARING: Final = (
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "eq",
    "equalto",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "le",
    "lessthan",
    "lt",
    "ne",
)
_LOOP: Final = frozenset(
    ("first", "index", "index0", "last", "length", "nextitem", "previtem", "revindex", "revindex0")
)
_MAX_BITS: Final = 1024

_budget: Final[ContextVar[RenderBudget]] = ContextVar("budget")


def _spend(*values: Any) -> None:
    _budget.get().use(sum(map(size_of, values)))


def _shown(value: Any) -> str:
    """Print a value as JSON text, strings unchanged, null and undefined values as nothing."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, Undefined):
        return ""
    if isinstance(value, (tuple, Iterator)):
        value = list(value)
    return encode(value) if isinstance(value, (bool, int, float, list, dict)) else str(value)


@pass_context
def _finalize(_: Context, value: Any) -> str:
    shown = _shown(value)
    _spend(shown)
    return shown


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter whose values count as work; its pass-context marks are kept."""

    @wraps(function)
    def apply(*values: Any, **options: Any) -> Any:
        _spend(*map(_shallow, values))
        return function(*values, **options)

    return apply


def _comparing(function: Any) -> Callable[..., Any]:
    return lambda *values: function(*map(_shallow, values))


def _shallow(value: Any) -> Any:
    """Return a value that may be compared and printed on every Python: not nested too deeply."""
    if is_nested_deeper(value, MAX_NESTING):
        raise TemplateError("cannot be rendered: a value is nested too deeply")
    return value


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        _budget.get().use(1)
        yield item


def _joined(values: Iterable[Any], separator: str = "") -> str:
    texts = []
    for value in values:
        texts.append(_shown(value))
        _budget.get().use(len(texts[-1]) + len(separator))
    return separator.join(texts)


def _replaced(value: Any, old: str, new: str) -> str:
    shown = _shown(value)
    growth = shown.count(old) * len(new)
    if growth > MAX_TEXT:
        raise TemplateError(f"would produce more than {MAX_TEXT:,} characters")
    return shown.replace(old, new)


def _rounded(value: float, digits: int = 0) -> float:
    return round(float(value), max(-15, min(15, digits)))


class _Sandbox(ImmutableSandboxedEnvironment):
    """A Jinja environment that exposes data only."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, dict) and isinstance(argument, (str, int)):
            found = obj.get(str(argument), MISSING)
        elif isinstance(obj, (list, tuple, str)) and isinstance(argument, (int, slice)):
            found = _place(obj, argument)
        elif isinstance(obj, LoopContext) and argument in _LOOP:
            found = getattr(obj, argument)
        else:
            found = MISSING
        return self.undefined(obj=obj, name=argument) if found is MISSING else found

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        are_numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if not are_numbers and operator != "+":
            raise TemplateError(f"cannot be rendered: `{operator}` is for numbers")
        _spend(left, right)
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, int) and result.bit_length() > _MAX_BITS:
            raise TemplateError("cannot be rendered: a number is too large")
        return result


def _place(items: Any, place: int | slice) -> Any:
    _spend(items if isinstance(place, slice) else 1)
    try:
        return items[place]
    except IndexError:
        return MISSING


def _environment() -> _Sandbox:
    sandbox = _Sandbox(finalize=_finalize, undefined=ChainableUndefined, optimized=False)
    sandbox.globals.clear()
    sandbox.filters.clear()
    sandbox.filters |= {name: _guarded(FILTERS[name]) for name in _FILTERS}
    sandbox.filters |= {
        "counted": _counted,
        "shallow": _shallow,
        "join": _joined,
        "replace": _guarded(_replaced),
        "round": _rounded,
        "string": _guarded(_shown),
        "tojson": _guarded(encode),
    }
    sandbox.tests |= {name: _comparing(TESTS[name]) for name in _COMPARING}
    return sandbox


_ENGINE: Final = _environment()


def parse_jinja(source: str) -> Template:
    """Return a compiled template; raises TemplateError when it is too long or does not parse."""
    if length(source) > MAX_LENGTH:
        raise TemplateError(f"has a template of more than {MAX_LENGTH:,} characters")
    try:
        tree = _ENGINE.parse(source)
        _restrict(tree)
        names = sorted(meta.find_undeclared_variables(tree))
        template = JinjaTemplate.from_code(
            _ENGINE, _ENGINE.compile(_Watched().visit(tree)), _ENGINE.make_globals(None)
        )
    except JinjaError as error:
        raise TemplateError(f"has a template that does not parse: {_message(error)}") from None
    except (SyntaxError, RecursionError, MemoryError):
        raise TemplateError("has a template that does not parse: it is nested too deeply") from None
    return Template(
        tuple(Path((name,)) for name in names),
        lambda *values: _render(template, dict(zip(names, values, strict=True))),
    )


def _message(error: Exception) -> str:
    text = error.message if isinstance(error, JinjaError) else str(error)
    return (text or "").partition("\n")[0].rstrip(".")


def _restrict(tree: nodes.Template) -> None:
    for node in tree.find_all(nodes.Node):
        if isinstance(node, nodes.Call):
            raise JinjaError("calls are not allowed")
        if not isinstance(node, _ALLOWED):
            raise JinjaError(f"`{type(node).__name__.lower()}` is not allowed")


class _Watched(NodeTransformer):
    """Routes loops, concatenations and operands of comparisons through filters that limit them."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the library's name for it
        node.iter = _through(node.iter, "counted")
        return self.generic_visit(node)

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - the same
        self.generic_visit(node)
        sides: list[nodes.Compare | nodes.Operand] = [node, *node.ops]
        if sum(not isinstance(side.expr, nodes.Const) for side in sides) > 1:
            for side in sides:
                side.expr = _through(side.expr, "shallow")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - the same
        self.generic_visit(node)
        return _through(nodes.List(node.nodes, lineno=node.lineno), "join")


def _through(node: nodes.Node, name: str) -> nodes.Filter:
    piped = nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)
    piped.set_environment(_ENGINE)
    return piped


def _render(template: JinjaTemplate, known: dict[str, Any]) -> str:
    token = _budget.set(RenderBudget())
    pieces, left = [], MAX_TEXT
    try:
        for piece in template.generate(
            {name: value for name, value in known.items() if value is not MISSING}
        ):
            left -= len(piece)
            if left < 0:
                raise TemplateError(f"would produce more than {MAX_TEXT:,} characters")
            pieces.append(piece)
    except (JinjaError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise TemplateError(f"cannot be rendered: {_message(error)}") from None
    except RecursionError:
        raise TemplateError("cannot be rendered: a value is nested too deeply") from None
    finally:
        _budget.reset(token)
    return "".join(pieces)
