"""Liquid templates: the library reads tags and blocks, our expressions stand inside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from typing import Any, Final, TextIO, TypeAlias

from liquid import Environment
from liquid.ast import ConditionalBlockNode, Node
from liquid.builtin.content import Literal
from liquid.builtin.illegal import Illegal
from liquid.builtin.tags.comment_tag import CommentTag
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentTag
from liquid.builtin.tags.liquid_tag import LiquidTag
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.context import RenderContext
from liquid.exceptions import LiquidError, LiquidSyntaxError, StopRender
from liquid.expression import Expression
from liquid.parser import get_parser
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.template import BoundTemplate
from liquid.token import TOKEN_EXPRESSION, TOKEN_OUTPUT, TOKEN_TAG, Token

from framework.mapping.javascript import MAX_TEXT, is_truthy, length
from framework.mapping.templates.language import Template, TemplateError
from framework.mapping.templates.liquid_filters import FILTERS
from framework.mapping.templates.liquid_syntax import (
    Cursor,
    Operand,
    Variables,
    is_true,
    plain,
    stringify,
    to_number,
)
from framework.paths import MISSING, Path

MAX_LENGTH: Final = 1000
"""UTF-16 units of the longest template; the reference's limit."""

DISABLED: Final = ("case", "for", "include", "layout", "render", "tablerow")
"""Tags that the reference has switched off: a template with one of them does not parse."""

_Run: TypeAlias = Callable[[Variables], str]


class _Context(RenderContext):
    """The library's context, which only carries our variables."""

    __slots__ = ("variables",)

    variables: Variables


class _Condition(Expression):
    """An expression of ours where the library wants to know true or false."""

    __slots__ = ("operand",)

    def __init__(self, token: Token, operand: Operand) -> None:
        super().__init__(token)
        self.operand = operand

    def evaluate(self, context: RenderContext) -> bool:
        return is_true(self.operand.evaluate(_variables(context)))

    def children(self) -> Iterable[Expression]:
        return ()


def _variables(context: RenderContext) -> Variables:
    assert isinstance(context, _Context)
    return context.variables


class _Statement(Node):
    """A tag or output that a function renders; *operands* are what it reads."""

    __slots__ = ("operands", "run")

    def __init__(self, token: Token, run: _Run, operands: Iterable[Operand] = ()) -> None:
        super().__init__(token)
        self.run = run
        self.operands = tuple(operands)
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        return buffer.write(self.run(_variables(context)))


class _Block(Node):
    """Everything between two tags, rendered in place or, by *name*, into a variable."""

    __slots__ = ("block", "name")

    def __init__(self, token: Token, block: Node, name: str = "") -> None:
        super().__init__(token)
        self.block = block
        self.name = name
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        if not self.name:
            return self.block.render(context, buffer)
        inner = _LimitedText()
        self.block.render(context, inner)
        _variables(context).assigned[self.name] = inner.getvalue()
        return 0

    def children(self, *_: Any, **__: Any) -> Iterable[Node]:
        return (self.block,)


class _LimitedText(StringIO):
    """A text that refuses to become too long."""

    def write(self, piece: str) -> int:
        if self.tell() + len(piece) > MAX_TEXT:
            raise TemplateError(f"would give more than {MAX_TEXT:,} characters")
        return super().write(piece)


def _cursor(stream: TokenStream) -> Cursor:
    """Give a reader of the expression that stands next, empty where there is none."""
    if stream.current.kind != TOKEN_EXPRESSION:
        return Cursor("", FILTERS)
    return Cursor(stream.current.value, FILTERS)


class _Output(Tag):
    name = TOKEN_OUTPUT
    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_OUTPUT)
        return _printing(token, _cursor(stream).filtered())


def _printing(token: Token, operand: Operand) -> Node:
    return _Statement(token, lambda variables: stringify(operand.evaluate(variables)), [operand])


class _LineTag(Tag):
    """A tag without a block: what it does is computed from the text behind its name."""

    block = False

    def parse(self, stream: TokenStream) -> Node:
        token = stream.current
        has_text = stream.peek.kind == TOKEN_EXPRESSION and stream.peek.start_index > 0
        if has_text:
            next(stream)
        return self.read(token, Cursor(stream.current.value if has_text else "", FILTERS))

    def read(self, token: Token, cursor: Cursor) -> Node:
        """Give what the tag does."""
        raise NotImplementedError


class _Echo(_LineTag):
    name = "echo"

    def read(self, token: Token, cursor: Cursor) -> Node:
        cursor.skip()
        return (
            _Statement(token, _nothing) if cursor.at_end() else _printing(token, cursor.filtered())
        )


def _nothing(_: Variables) -> str:
    return ""


class _Assign(_LineTag):
    name = "assign"

    def read(self, token: Token, cursor: Cursor) -> Node:
        name = cursor.name()
        cursor.skip()
        if not name or not cursor.accept("="):
            raise cursor.fail("`assign` is written like `assign name = value`")
        value = cursor.filtered()

        def run(variables: Variables) -> str:
            variables.assigned[name] = value.evaluate(variables)
            return ""

        return _Statement(token, run, [value])


class _Count(_LineTag):
    """`increment` prints a number and adds one, `decrement` takes one and prints."""

    def read(self, token: Token, cursor: Cursor) -> Node:
        name, step = cursor.name(), 1 if self.name == "increment" else -1

        def run(variables: Variables) -> str:
            number = variables.event.get(name)
            is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
            before = to_number(number) if is_number else 0
            variables.event[name] = before + step
            return stringify(before if step > 0 else before + step)

        return _Statement(token, run, [Cursor(name, {}).way()])


class _Increment(_Count):
    name = "increment"


class _Decrement(_Count):
    name = "decrement"


class _Cycle(_LineTag):
    """Prints its values in turn, 0 and false as nothing.

    Cycles of one group and number of values take turns together.
    """

    name = "cycle"

    def read(self, token: Token, cursor: Cursor) -> Node:
        first = cursor.value()
        cursor.skip()
        group = first if first is not None and cursor.accept(":") else None
        values: list[Operand] = []
        if first is not None and group is None:
            values.append(first)
            cursor.skip_past(",")
        while not cursor.at_end():
            value = cursor.value()
            values += [] if value is None else [value]
            cursor.skip_past(",")
        if not values:
            raise cursor.fail("`cycle` needs values")

        def run(variables: Variables) -> str:
            key = stringify(group.evaluate(variables)) if group else "", len(values)
            place = variables.cycles.get(key, 0)
            variables.cycles[key] = (place + 1) % len(values)
            value = plain(values[place].evaluate(variables))
            return stringify(value) if is_truthy(value) else ""

        return _Statement(token, run, values + ([group] if group else []))


class _Stop(_LineTag):
    """`break` and `continue` outside a loop end the template."""

    def read(self, token: Token, cursor: Cursor) -> Node:  # noqa: ARG002 - nothing to read
        def run(_: Variables) -> str:
            raise StopRender

        return _Statement(token, run)


class _Break(_Stop):
    name = "break"


class _Continue(_Stop):
    name = "continue"


class _If(Tag):
    name = "if"
    end = "endif"
    node: type[IfNode | UnlessNode] = IfNode

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        ends = frozenset({self.end, "elsif", "else"})
        condition = _condition(stream)
        parse_block = get_parser(self.env).parse_block
        block = parse_block(stream, ends)
        alternatives = []
        while stream.current.is_tag("elsif"):
            tag = next(stream)
            alternative = _condition(stream)
            alternatives.append(ConditionalBlockNode(tag, alternative, parse_block(stream, ends)))
        otherwise = None
        if stream.current.is_tag("else"):
            next(stream)
            otherwise = parse_block(stream, ends)
        _close(self, stream)
        return self.node(token, condition, block, alternatives, otherwise)


def _condition(stream: TokenStream) -> _Condition:
    token = stream.expect(TOKEN_EXPRESSION)
    condition = _Condition(token, _cursor(stream).filtered())
    next(stream)
    return condition


class _Unless(_If):
    name = "unless"
    end = "endunless"
    node = UnlessNode


class _Capture(Tag):
    name = "capture"
    end = "endcapture"

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        cursor = _cursor(stream)
        quoted = cursor.name() or cursor.value()
        name = quoted if isinstance(quoted, str) else getattr(quoted, "value", None)
        if not isinstance(name, str):
            raise cursor.fail("`capture` needs a name")
        next(stream)
        return _Block(token, _inside(self, stream), name)


class _Named(Tag):
    """A block that a layout could replace; without layouts it stands where it is."""

    name = "block"
    end = "endblock"

    def parse(self, stream: TokenStream) -> Node:
        token = stream.eat(TOKEN_TAG)
        if stream.current.kind == TOKEN_EXPRESSION:
            next(stream)
        return _Block(token, _inside(self, stream))


def _inside(tag: Tag, stream: TokenStream) -> Node:
    block = get_parser(tag.env).parse_block(stream, frozenset({tag.end}))
    _close(tag, stream)
    return block


def _close(tag: Tag, stream: TokenStream) -> None:
    if not stream.current.is_tag(tag.end):
        raise LiquidSyntaxError(f"`{tag.name}` needs `{tag.end}`", token=stream.current)


class _Disabled(Tag):
    block = False

    def parse(self, stream: TokenStream) -> Node:
        name = stream.current.value
        raise LiquidSyntaxError(f'tag "{name}" is disabled', token=stream.current)


class _Liquid(Environment):
    """The tags of the reference's engine."""

    block_nesting_limit = 100
    suppress_blank_control_flow_blocks = False

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:  # noqa: ARG002 - the library's
        for tag in _TAGS:
            self.add_tag(tag)
        for name in DISABLED:
            self.tags[name] = _Disabled(self)


_TAGS: Final[tuple[type[Tag], ...]] = (
    Literal,
    Illegal,
    CommentTag,
    InlineCommentTag,
    LiquidTag,
    _Output,
    _Echo,
    _Assign,
    _Increment,
    _Decrement,
    _Cycle,
    _Break,
    _Continue,
    _If,
    _Unless,
    _Capture,
    _Named,
)
_ENGINE: Final = _Liquid()
_KEEPS_END: Final = "{% # %}"
"""The library loses a line break at the end behind `-%}`, unless something follows it."""


def parse_liquid(source: str) -> Template:
    """Give a compiled template; raises TemplateError when it is too long or does not parse."""
    if length(source) > MAX_LENGTH:
        raise TemplateError(f"has a template of more than {MAX_LENGTH:,} characters")
    try:
        template = _ENGINE.from_string(_checked(source) + _KEEPS_END * source.endswith("\n"))
    except LiquidError as error:
        raise _explained(error, "has a template that does not parse") from None
    names = {name for operand in _operands(template.nodes) for name in operand.names()}
    if None in names:
        return Template((Path(()),), lambda whole: _render_whole(template, whole))
    known = tuple(sorted(name for name in names if name is not None))
    return Template(
        tuple(Path((name,)) for name in known),
        lambda *values: _render(template, dict(zip(known, values, strict=True))),
    )


_OPENING: Final = re.compile(r"\{[{%]")
_TAG: Final = re.compile(r"\{%-?\s*raw\b.*?endraw\s*-?%\}|\{%.*?%\}", re.DOTALL)
_OUTPUT: Final = re.compile(
    r"""\{\{(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^"'])*?\}\}""", re.DOTALL
)


def _checked(source: str) -> str:
    """Give a template in which no quoted text holds the end of its output.

    The library ends an output at the first `}}`, the reference at the first outside quotes.
    TemplateError where that is missing.
    """
    pieces, place = [], 0
    while opening := _OPENING.search(source, place):
        pattern = _OUTPUT if opening[0] == "{{" else _TAG
        found = pattern.match(source, opening.start())
        if found is None and pattern is _OUTPUT:
            raise TemplateError("has a template that does not parse: an output is not closed")
        if found is None:
            break
        written = found[0] if pattern is _TAG else found[0][:-2].replace("}}", r"}\u007d") + "}}"
        pieces += [source[place : opening.start()], written]
        place = found.end()
    return "".join([*pieces, source[place:]])


def _explained(error: LiquidError, what: str) -> TemplateError:
    cause = error.__cause__
    if isinstance(cause, TemplateError):
        return cause
    return TemplateError(f"{what}: {error.message}")


def _operands(nodes: Iterable[Node]) -> Iterator[Operand]:
    for node in nodes:
        if isinstance(node, _Statement):
            yield from node.operands
        for expression in node.expressions():
            if isinstance(expression, _Condition):
                yield expression.operand
        yield from _operands(node.children(_NO_CONTEXT))


_NO_CONTEXT: Any = None


def _render_whole(template: BoundTemplate, whole: Any) -> str:
    return _render(template, dict(whole) if isinstance(whole, dict) else {})


def _render(template: BoundTemplate, event: dict[str, Any]) -> str:
    context = _Context(template)
    known = {name: value for name, value in event.items() if value is not MISSING}
    context.variables = Variables(known)
    text = _LimitedText()
    try:
        template.render_with_context(context, text)
    except LiquidError as error:
        raise _explained(error, "cannot be rendered") from None
    return text.getvalue()
