"""Liquid templates: python-liquid's parser and nodes with the semantics of Segment's engine."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial, reduce
from typing import Any, Final

from liquid import BoundTemplate, Environment, Node, RenderContext, Tag, Token, TokenStream
from liquid.builtin import output
from liquid.builtin.expressions import Filter, FilteredExpression, logical, primitive
from liquid.exceptions import LiquidError, LiquidSyntaxError
from liquid.expression import Expression
from liquid.token import TOKEN_EXPRESSION

from framework.mapping.javascript import MAX_TEXT, compare, length, text, to_number
from framework.mapping.templates import liquid_filters as values
from framework.mapping.templates.rendering_bounds import (
    RenderBudget,
    Template,
    TemplateError,
    size_of,
)
from framework.paths import MISSING, Path

MAX_LENGTH: Final = 1000
"""UTF-16 units of the longest template; the same limit as Segment's."""

MAX_RANGE: Final = 10_000

DISABLED: Final = ("case", "for", "include", "layout", "render", "tablerow")
"""Tags that Segment disables: a template with one of them does not parse."""


class _Context(RenderContext):
    """The variables and the budget of one rendering."""

    budget: RenderBudget

    def get(self, path: list[Any], **_: object) -> object:
        name, *keys = text(path[0]), *path[1:]
        for names in (self.locals, self.globals, self.counters):
            if (value := names.get(name, MISSING)) is not MISSING:
                break
        return reduce(values.enter, keys, value)


class _Computed(Expression):
    """A function of the values of other expressions."""

    def __init__(self, function: Callable[..., Any], *operands: Expression) -> None:
        super().__init__(operands[0].token)
        self.function = function
        self.operands = operands

    def evaluate(self, context: RenderContext) -> object:
        return self.function(*[operand.evaluate(context) for operand in self.operands])

    def children(self) -> Iterable[Expression]:
        return self.operands


class _Filter(Filter):
    """A filter whose values count as work; an unknown filter changes nothing."""

    def evaluate(self, left: object, context: Any) -> object:
        if values.DISABLED.fullmatch(self.name):
            raise TemplateError(f'cannot be rendered: filter "{self.name}" is disabled')
        arguments, options = self.evaluate_args(context)
        context.budget.use(size_of(left) + sum(map(size_of, arguments)))
        try:
            return context.filter(self.name, self.token)(left, *arguments, **options)
        except (LiquidError, TypeError, ValueError, ArithmeticError, LookupError):
            reason = f"filter `{self.name}` does not take these values"
            raise TemplateError(f"cannot be rendered: {reason}") from None


def _range(low: Any, high: Any) -> list[float]:
    first, last = to_number(low), to_number(high)
    if last - first >= MAX_RANGE:
        raise TemplateError("has a range that is too large")
    return [first + step for step in range(int(last - first) + 1)] if first <= last else []


_OPERATORS: Final[dict[type[Expression], Callable[[Any, Any], bool]]] = {
    logical.EqExpression: values.equals,
    logical.NeExpression: lambda left, right: not values.equals(left, right),
    logical.LtExpression: partial(compare, operator.lt),
    logical.GtExpression: partial(compare, operator.gt),
    logical.LeExpression: partial(compare, operator.le),
    logical.GeExpression: partial(compare, operator.ge),
    logical.ContainsExpression: values.contains,
    logical.LogicalAndExpression: lambda *sides: all(map(values.is_true, sides)),
    logical.LogicalOrExpression: lambda *sides: any(map(values.is_true, sides)),
}


def _filtered(expression: FilteredExpression) -> FilteredExpression:
    filters = expression.filters or ()
    for argument in (argument for each in filters for argument in each.args):
        argument.value = _adapted(argument.value)
    expression.filters = [_Filter(each.token, each.name, each.args) for each in filters]
    expression.left = _adapted(expression.left)
    return expression


_ADAPTERS: Final[dict[type[Expression], Callable[..., Expression]]] = {
    primitive.Nil: lambda each: primitive.Literal(each.token, MISSING),
    primitive.StringLiteral: lambda each: primitive.Literal(each.token, _unescaped(each.value)),
    primitive.RangeLiteral: lambda each: _Computed(_range, *map(_adapted, each.children())),
    logical.BooleanExpression: lambda each: _Computed(values.is_true, _adapted(each.expression)),
    FilteredExpression: _filtered,
}


def _adapted(expression: Any) -> Any:
    """Return an expression of the library with the semantics of Segment's engine."""
    kind = type(expression)
    if kind in _OPERATORS:
        return _Computed(_OPERATORS[kind], *map(_adapted, expression.children()))
    return _ADAPTERS[kind](expression) if kind in _ADAPTERS else expression


def _unescaped(string: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPED.get(m[2], m[2]), string)


_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t"}
_KEYWORD: Final = re.compile(
    r"""("[^"]*"|'[^']*')|\.(?!\.)\s*((?:true|false|nil|null|empty|blank|and|or|contains|not|in|"""
    r"""offset|limit|reversed|cols|continue|with|for|as|if|else|required)(?![\w?-]))"""
)


class _Disabled(Tag):
    block = False

    def parse(self, stream: TokenStream) -> Node:
        raise LiquidSyntaxError(f'tag "{stream.current.value}" is disabled', token=stream.current)


class _Engine(Environment):
    """The tags and filters of Segment's engine, within the library's limits."""

    block_nesting_limit = 100
    context_depth_limit = 5
    loop_iteration_limit = 1
    local_namespace_limit = 20_000_000
    output_stream_limit = MAX_TEXT
    shorthand_indexes = True
    suppress_blank_control_flow_blocks = False

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags |= {name: _Disabled(self) for name in DISABLED}
        self.tags |= dict.fromkeys(("block", "endblock"), self.tags["#"])
        kinds = {"string": values.of_strings, "math": values.of_numbers}
        for name, function in self.filters.items():
            if convert := kinds.get(function.__module__.rpartition(".")[2]):
                needed = {"environment": self} if hasattr(function, "with_environment") else {}
                self.filters[name] = convert(partial(function, **needed))
        self.filters |= values.FILTERS

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        read = super().tokenizer()
        return lambda source: map(_with_names, read(source))


def _with_names(token: Token) -> Token:
    """Quote members whose names are keywords of the library, such as `limit` in `a.limit`."""
    shown = _KEYWORD.sub(lambda found: found[1] or f'["{found[2]}"]', token.value)
    return token._replace(value=shown) if token.kind == TOKEN_EXPRESSION else token


_ENGINE: Final = _Engine(strict_filters=False)
_KEEPS_END: Final = "{% # %}"
"""The library loses a line break at the end after `-%}`, unless something follows it."""


def parse_liquid(source: str) -> Template:
    """Return a compiled template; raises TemplateError when it is too long or does not parse."""
    if length(source) > MAX_LENGTH:
        raise TemplateError(f"has a template of more than {MAX_LENGTH:,} characters")
    try:
        template = _ENGINE.from_string(source + _KEEPS_END * source.endswith("\n"))
        _adapt(template.nodes)
        names = template.variables()
    except LiquidError as error:
        raise TemplateError(f"has a template that does not parse: {error.message}") from None
    if any(name.startswith("[") for name in names):
        return Template((Path(()),), lambda event: _render(template, event))
    return Template(
        tuple(Path((name,)) for name in names),
        lambda *given: _render(template, dict(zip(names, given, strict=True))),
    )


def _adapt(nodes: Iterable[Any]) -> None:
    for node in nodes:
        for name in ("condition", "expression"):
            if hasattr(node, name):
                setattr(node, name, _adapted(getattr(node, name)))
        if isinstance(node, output.OutputNode):
            node.expression = _Computed(values.stringify, node.expression)
        elif hasattr(node, "args"):
            node.args = [_Computed(values.stringify, _adapted(each)) for each in node.args]
        _adapt(node.children(None))


def _render(template: BoundTemplate, event: Any) -> str:
    context = _Context(template, globals=event if isinstance(event, dict) else {})
    context.budget = RenderBudget()
    rendered = context.get_buffer()
    try:
        template.render_with_context(context, rendered)
    except (LiquidError, UnicodeError) as error:
        reason = getattr(error, "message", "a text holds half a character")
        raise TemplateError(f"cannot be rendered: {reason}") from None
    return rendered.getvalue()
