"""Slips of authors that would keep a hook from being called are told when the plugin is loaded."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

from framework import hookspecs
from framework.errors import PluginError
from framework.hook_checks import contradictions
from framework.hookspecs import PROJECT
from framework.plugins import HOOKS, load_plugins, open_plugin
from framework.results import DELIVERED, Delivered
from tests.framework.delivery.bench import connected

HEAD = """\
from __future__ import annotations
import functools, httpx
from framework import Action, Destination, Payload, Settings, field, hookimpl
from slip_helpers import *
class Key(Settings):
    key: str = field("Key", secret=True)
class Line(Payload):
    text: str | None = field("Text")
@hookimpl
def destination() -> Destination:
    return Destination(slug="x", name="X")
@hookimpl
def settings() -> type[Key]:
    return Key
@hookimpl
def actions() -> list[Action]:
    return [Action(slug="send", title="Send", trigger="type != null", payload=Line)]
"""
PERFORM = "@hookimpl\ndef perform(payload): ...\n"
UNMARKED = (
    "Function `{}` is named like a hook but is not marked as one. Write `@hookimpl` above it, or "
    "rename it."
)
NEAR = (
    "Function `{}` is not called, but its name and arguments resemble hook `{}`. Correct the name "
    "and write `@hookimpl` above it, or rename it."
)
NO_FUNCTION = (
    "`{0}` is named like a hook but is {1}, which is never called. Write a function: `@hookimpl` "
    "above `def {0}(...)`. Or rename it."
)
SLIPS = [
    ("def auth(settings): ...\n", 18, UNMARKED.format("auth")),
    ("async def auth(settings): ...\n", 18, UNMARKED.format("auth")),
    ("auth = lambda settings: None\n", 18, UNMARKED.format("auth")),
    ("def auht(settings): ...\n", 18, NEAR.format("auht", "auth")),
    ("def aut(settings): ...\n", 18, NEAR.format("aut", "auth")),
    ("def auths(settings): ...\n", 18, NEAR.format("auths", "auth")),
    ("def outh(settings): ...\n", 18, NEAR.format("outh", "auth")),
    ("def identfy(payloads): ...\n", 18, NEAR.format("identfy", "identify")),
    (
        "def check_autentication(client): ...\n",
        18,
        NEAR.format("check_autentication", "check_authentication"),
    ),
    (
        "def sandbx(): ...\n",
        18,
        NEAR.format("sandbx", "sandbox"),
    ),
    ("class auth(httpx.Auth): ...\n", 18, NO_FUNCTION.format("auth", "a class")),
    ("auth = httpx.BasicAuth('a', 'b')\n", 18, NO_FUNCTION.format("auth", "of type BasicAuth")),
    (
        "def _auth(settings, more): ...\nauth = hookimpl(functools.partial(_auth, more=1))\n",
        19,
        NO_FUNCTION.format("auth", "of type partial"),
    ),
    (
        "class Own:\n    def __call__(self, settings): ...\nauth = hookimpl(Own())\n",
        20,
        NO_FUNCTION.format("auth", "of type Own"),
    ),
    (
        "@functools.cache\ndef auth(settings): ...\n",
        18,
        NO_FUNCTION.format("auth", "of type _lru_cache_wrapper"),
    ),
    (
        "@hookimpl\ndef auth(settings): ...\n@hookimpl\ndef auth(): ...\n",
        21,
        "Hook `auth` is defined again; the definition in line 19 is never used.",
    ),
    (
        "@hookimpl\ndef auth(settings): yield\n",
        18,
        "Hook `auth` contains `yield`. Return the result in place of it.",
    ),
    (
        "@hookimpl\nasync def auth(settings): yield\n",
        18,
        "Hook `auth` is an `async` function. Write `def` in place of `async def`.",
    ),
    (
        "import pluggy\n@pluggy.HookimplMarker('other')\ndef auth(settings): ...\n",
        19,
        UNMARKED.format("auth"),
    ),
]
ARGUMENT = "Argument `{}` of hook `{}` is annotated {}, but {}. Correct it."
RESULT = "The result of hook `{}` is annotated {}, but it has to be {}. Correct it."
OTHERS = """\
class Other(Payload):
    more: int | None = field("More")
class Elsewhere(Settings):
    place: str | None = field("Place")
"""
CONTRADICTIONS = [
    ("perform(payload: Other)", "payload", "`Other`", "the payload of `send` is `Line`"),
    ("perform(payload: 'Other | None')", "payload", "`Other | None`",
     "the payload of `send` is `Line`"),
    ("perform(payload: list[Line])", "payload", "`list[Line]`", "the payload of `send` is `Line`"),
    ("perform(payload: str)", "payload", "`str`", "the payload of `send` is `Line`"),
    ("perform(settings: Elsewhere)", "settings", "`Elsewhere`", "it is `Key`"),
    ("auth(settings: Elsewhere)", "settings", "`Elsewhere`", "it is `Key`"),
    ("perform(client: httpx.AsyncClient)", "client", "`AsyncClient`", "it is `Client`"),
    ("perform(event: str)", "event", "`str`", "it is `dict[str, Any]`"),
    ("perform(event: list[str])", "event", "`list[str]`", "it is `dict[str, Any]`"),
    ("perform(identifier: int)", "identifier", "`int`", "it is `str | None`"),
    ("perform(membership: str)", "membership", "`str`", "it is `bool | None`"),
    ("perform(confide: str)", "confide", "`str`", "it is `Callable[[str], None]`"),
    ("perform_batch(payloads: list[Other])", "payloads", "`list[Other]`",
     "the payload of `send` is `list[Line]`"),
    ("perform_batch(payloads: Line)", "payloads", "`Line`",
     "the payload of `send` is `list[Line]`"),
    ("perform_batch(identifiers: str)", "identifiers", "`str`", "it is `Sequence[str]`"),
    ("perform_batch(identifiers: list[int])", "identifiers", "`list[int]`",
     "it is `Sequence[str]`"),
    ("identify(payloads: list[str])", "payloads", "`list[str]`",
     "the payload of `send` is `list[Line]`"),
]  # fmt: skip
RETURNED = "`Response | Delivered | Failed | Skipped | Unconfirmed | Accepted | None`"
RESULTS = [
    ("perform() -> str", "`str`", RETURNED),
    ("perform() -> bool", "`bool`", RETURNED),
    ("perform() -> str | None", "`str | None`", RETURNED),
    ("perform() -> list[Delivered]", "`list[Delivered]`", RETURNED),
    ("identify() -> list[int]", "`list[int]`", "`Sequence[str | tuple[str, ...] | Failed]`"),
    ("identify() -> str", "`str`", "`Sequence[str | tuple[str, ...] | Failed]`"),
    ("identify() -> None", "`None`", "`Sequence[str | tuple[str, ...] | Failed]`"),
    ("check_authentication() -> bool", "`bool`", "`None`"),
    ("describe_error() -> str", "`str`", "`tuple[str, str] | ErrorDescription | None`"),
]
AGREEMENTS = [
    "perform(payload: Line) -> httpx.Response",
    "perform(payload: Payload) -> Any",
    "perform(payload: Line | Other) -> Delivered | Failed",
    "perform(payload: Any) -> None",
    "perform(payload: object, event: Mapping[str, object]) -> httpx.Response | None",
    "perform(payload: OnlyForTypeCheckers)",
    "perform(settings: Key, client: httpx.Client, identifier: str) -> Result",
    "perform(settings: Settings, sync_mode: Literal['add'], membership: bool)",
    "perform(event: Named, confide: Callable[[str], object])",
    "perform(payload: Annotated[Line, 'x'], cache: Kept, identifier: Name)",
    "perform(payload: T) -> T",
    "perform_batch(payloads: list[Line], identifiers: Iterable[str]) -> list[Result]",
    "perform_batch(payloads: Sequence[Payload]) -> list[Delivered | Failed]",
    "identify(payloads: Sequence[Line]) -> list[str]",
    "auth(settings: Key) -> httpx.BasicAuth",
    "check_authentication(client: httpx.Client) -> None",
    "describe_error(response: httpx.Response) -> tuple[str, str]",
    "open_resource() -> AbstractContextManager[int]",
    "extend_request() -> RequestOptions",
    "extend_request(audience: AudienceCall | None) -> RequestOptions | None",
]
TYPING = """\
from collections.abc import *
from contextlib import AbstractContextManager
from typing import *
from framework import AudienceCall, Delivered, Failed, RequestOptions, Result
class Named(TypedDict):
    type: str
class Kept(Protocol):
    def get(self, key: str) -> Any: ...
T = TypeVar("T")
Name = NewType("Name", str)
"""
FINE = [
    "",
    "from slip_other_folder.hooks import auth\n",
    "from slip_beside import auth\n",
    "import poll\n",
    "def _auth(settings): ...\n",
    "def perform_one(payload): ...\n",
    "def preform(payload): ...\n",  # the hook itself is there
    "def auths(of_something_else): ...\n",
    "auth: httpx.Auth\n",
    "@hookimpl(specname='auth')\ndef sign(settings): ...\n",
    "@hookimpl(tryfirst=True)\ndef auth(settings): ...\n",
    "auth = hookimpl(lambda settings: None)\n",
    "@hookimpl\n@hookimpl\ndef auth(settings): ...\n",
    "@hookimpl\ndef auth(settings, /): ...\n",
    (
        "def kept(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n"
        "    return inner\n@hookimpl\n@kept\ndef auth(settings): ...\n"
    ),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder that modules are imported from, with modules beside the plugin."""
    (tmp_path / "slip_helpers.py").write_text("def helper(): ...\n", "utf-8")
    (tmp_path / "slip_beside.py").write_text("def auth(settings): ...\n", "utf-8")
    (tmp_path / "poll.py").write_text("", "utf-8")
    (tmp_path / "slip_other_folder").mkdir()
    (tmp_path / "slip_other_folder" / "hooks.py").write_text("def auth(settings): ...\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def loaded(folder: Path, text: str) -> ModuleType:
    perform = "" if re.search(r"def perform(_batch)?\(", text) else PERFORM
    (folder / "slip_plugin.py").write_text(f"{HEAD}{text}{perform}", "utf-8")
    importlib.invalidate_caches()
    return importlib.import_module("slip_plugin")


@pytest.mark.parametrize(("text", "line", "problem"), SLIPS)
def test_a_slip_is_told_with_its_line(folder: Path, text: str, line: int, problem: str) -> None:
    with pytest.raises(PluginError) as caught:
        open_plugin(loaded(folder, text))
    assert str(caught.value) == f"{folder / 'slip_plugin.py'}:{line}: {problem}"


def test_a_hook_imported_within_a_package_is_told_with_its_file(folder: Path) -> None:
    package = folder / "slip_package"
    package.mkdir()
    (package / "hooks.py").write_text("def auth(settings): ...\n", "utf-8")
    text = f"{HEAD}from slip_package.hooks import auth\n{PERFORM}"
    (package / "plugin.py").write_text(text, "utf-8")
    importlib.invalidate_caches()
    with pytest.raises(PluginError) as caught:
        open_plugin(importlib.import_module("slip_package.plugin"))
    assert str(caught.value) == f"{package / 'hooks.py'}:1: {UNMARKED.format('auth')}"


@pytest.mark.parametrize("text", FINE)
def test_what_is_no_slip_loads_and_delivers(folder: Path, text: str) -> None:
    with connected(open_plugin(loaded(folder, text))) as connection:
        assert connection.deliver([{"type": "track", "event": "a"}]).results == [DELIVERED]


def contradicted(folder: Path, text: str) -> str:
    """Return what is told about a hook whose annotations contradict something."""
    for head in (HEAD, HEAD.partition("\n")[2]):  # with postponed annotations, and without
        source = f"{head}{TYPING}{OTHERS}"
        body = f"{source}@hookimpl\ndef {text}: return None\n"
        more = "" if "def perform" in body else PERFORM
        (folder / "slip_typed.py").write_text(f"{body}{more}", "utf-8")
        sys.modules.pop("slip_typed", None)
        importlib.invalidate_caches()
        with pytest.raises(PluginError) as caught:
            open_plugin(importlib.import_module("slip_typed"))
        line = source.count("\n") + 1
        place, _, told = str(caught.value).partition(": ")
        assert place == f"{folder / 'slip_typed.py'}:{line}"
    return told


@pytest.mark.parametrize(("text", "name", "note", "known"), CONTRADICTIONS)
def test_an_annotation_of_an_argument_may_not_contradict(
    folder: Path, text: str, name: str, note: str, known: str
) -> None:
    """Neither the classes of the action and the destination, nor the hook."""
    hook, _, _ = text.partition("(")
    assert contradicted(folder, text) == ARGUMENT.format(name, hook, note, known)


@pytest.mark.parametrize(("text", "note", "known"), RESULTS)
def test_the_annotation_of_a_result_may_not_contradict(
    folder: Path, text: str, note: str, known: str
) -> None:
    hook, _, _ = text.partition("(")
    assert contradicted(folder, text) == RESULT.format(hook, note, known)


def test_annotations_are_checked_before_anything_imports_httpx(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Types of httpx are then known by name, and no annotation of a plugin is one."""
    monkeypatch.delitem(sys.modules, "httpx")

    def wrong(client: int) -> str:
        return str(client)

    def right(client: object, identifier: str) -> Delivered | None:
        return DELIVERED if client == identifier else None

    assert [*contradictions("perform", wrong, hookspecs.perform, {})] == [
        ARGUMENT.format("client", "perform", "`int`", "it is `Client`"),
        RESULT.format("perform", "`str`", RETURNED),
    ]
    assert [*contradictions("perform", right, hookspecs.perform, {})] == []
    assert "httpx" not in sys.modules


@pytest.mark.parametrize("text", AGREEMENTS)
def test_annotations_that_agree_or_are_not_known_load(folder: Path, text: str) -> None:
    source = f"{TYPING}{OTHERS}@hookimpl\ndef {text}: return None\n"
    assert open_plugin(loaded(folder, source)).definition.slug == "x"


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_agrees_with_its_own_specification(hook: str) -> None:
    """Also where an annotation is for type checkers only."""
    spec = getattr(hookspecs, hook)
    assert [*contradictions(hook, spec, spec, {})] == []


def test_each_action_counts(folder: Path) -> None:
    """A hook gets the payloads of all actions."""
    more = "Action(slug='more', title='More', payload=Other)"
    head = HEAD.replace("payload=Line)]", f"payload=Line), {more}]") + OTHERS
    both = "@hookimpl\ndef perform({}: {}): ...\n"
    for name, note, good in (
        ("payload", "Line", False),
        ("payload", "Line | Other", True),
        ("payload", "Payload", True),
    ):
        (folder / "slip_two.py").write_text(head + both.format(name, note), "utf-8")
        sys.modules.pop("slip_two", None)
        importlib.invalidate_caches()
        with nullcontext() if good else pytest.raises(PluginError, match="payload of `more` is"):
            open_plugin(importlib.import_module("slip_two"))


@pytest.mark.parametrize("how", ["below", "later", "above", "renamed", "only"])
def test_a_module_with_the_name_of_a_hook_is_told_or_works(folder: Path, how: str) -> None:
    """A submodule takes the place of a function of its name when it is first imported."""
    package = folder / "slip_module"
    package.mkdir()
    (package / "auth.py").write_text("class Flow: ...\n", "utf-8")
    hook = "@hookimpl\ndef auth(settings): return None\n"
    text = {
        "below": f"{hook}from slip_module.auth import Flow\n",
        "later": f"{hook}def use():\n    from slip_module.auth import Flow\n",
        "above": f"from slip_module.auth import Flow\n{hook}",
        "renamed": hook.replace("l\ndef auth", "l(specname='auth')\ndef sign"),
        "only": "from slip_module.auth import Flow\n",
    }[how]
    (package / "__init__.py").write_text(f"{HEAD}{text}{PERFORM}", "utf-8")
    importlib.invalidate_caches()
    module = importlib.import_module("slip_module")
    if how not in {"below", "later"}:
        assert open_plugin(module).implements("auth") is (how != "only")
        return
    with pytest.raises(PluginError) as caught:
        open_plugin(module)
    assert str(caught.value) == (
        f"{package / '__init__.py'}:19: Module `slip_module.auth` takes the place of the hook "
        "`auth` when it is imported. Rename the module, or the function: "
        '`@hookimpl(specname="auth")`.'
    )


DECLARED = """\
from framework import *
class Key(Settings):
    key: str = field("Key", secret=True)
class Line(Payload):
    text: str | None = field("Text")
SEND = Action(
    slug="send", title="Send", trigger="type != null", payload=Line, sync_mode=None, dynamic={},
)
@hookimpl
def destination():
    presets = [Preset(name="All", action="send", kind="automatic")]
    return Destination(
        slug="x", name="X", scheme="custom", settings=Key, actions=[SEND], presets=presets
    )
@hookimpl
def perform(payload): ...
"""
MISTAKES = [
    ("text: str | None =", "text =", 4, "Line is invalid. `text` has no annotation. Write its"),
    ("key: str =", "key =", 2, "Key is invalid. `key` has no annotation. Write its type: `key: "),
    ('"Text"', '"Text", default=7', 4, "Line is invalid. `text`: `default` must be a string"),
    ('"Text"', '"Text", choices=["a"], default="b"', 4, '`default` must be "a", got "b".'),
    ('"Text"', '"Text", format="email", default="b"', 4, "`default` must be an e-mail address"),
    ("str | None = field(", "int = field(default=1, minimum=5, label=", 4, "must be at least 5"),
    ('"Text"', '"Text", dynamic=True', 9, "Field `text` of action `send` is `dynamic=True`, but "),
    ("dynamic={}", "dynamic={'txt': print}", 6, "`dynamic` names the unknown field `txt`."),
    (
        "sync_mode=None",
        "sync_mode=SyncMode(default='add', choices=('update',))",
        6,
        "The default `add` of its sync mode is not among the choices: update.",
    ),
    ('slug="send"', 'slug=""', 6, "`slug` must be a text without spaces that is not empty"),
    ('slug="send"', 'slug="se nd"', 6, "`slug` must be a text without spaces that is not empty"),
    ('slug="x"', 'slug="x y"', 12, "`slug` must be a text without spaces that is not empty"),
    (
        "automatic",
        "automatical",
        11,
        (
            'Preset `All` is invalid: There is no kind of preset "automatical". Did you mean '
            "`automatic`? Known kinds: automatic, specificEvent."
        ),
    ),
    (
        "automatic",
        "specificEvent",
        11,
        "Preset `All` is invalid: `event_slug` must name the event of the host that creates it.",
    ),
    (
        "custom",
        "oauth",
        12,
        'There is no auth scheme "oauth". Did you mean `oauth2`? Known auth schemes: basic, ',
    ),
    (
        "payload=Line",
        "payload=Line(text='a')",
        6,
        "`payload` must be a Payload class or a field table, got an object of Line.",
    ),
    ("payload=Line", "payload=dict", 6, "`payload` must be a Payload class or a field table, got "),
    (
        "settings=Key",
        "settings=Key(key='a')",
        12,
        "`settings` must be a Settings class or a field table, got an object of Key.",
    ),
    ("settings=Key", "settings=str", 12, "must be a Settings class or a field table, got str."),
    (
        "sync_mode=None",
        "membership='yes'",
        6,
        "`membership` must be True, False or None, got 'yes'",
    ),
    (
        'kind="automatic"',
        'trigger="type ="',
        12,
        "The trigger of preset `All` does not parse: Expected a value after `=`.",
    ),
    (
        "sync_mode=None",
        "rules=[OneOf('text', 'txt')]",
        6,
        (
            "There is no field for OneOf('text', 'txt') of `rules` \"txt\". Did you mean `text`? "
            "Known fields: text."
        ),
    ),
    ("perform(payload)", "perform(payload: Key)", 15, "but the payload of `send` is `Line`."),
]


@pytest.mark.parametrize(("old", "new", "line", "told"), MISTAKES)
def test_a_mistake_in_a_declaration_is_a_problem_with_its_place(
    folder: Path, old: str, new: str, line: int, told: str
) -> None:
    """The plugin is left out, with entry point, file, line and fix; others are available."""
    assert old in DECLARED
    (folder / "slip_bad.py").write_text(DECLARED.replace(old, new, 1), "utf-8")
    (folder / "slip_good.py").write_text(DECLARED.replace('slug="x"', 'slug="good"'), "utf-8")
    importlib.invalidate_caches()
    registry = load_plugins([EntryPoint(one, f"slip_{one}", PROJECT) for one in ("bad", "good")])
    assert list(registry.destinations) == ["good"]
    (problem,) = registry.problems
    place = f"Plugin `bad` is left out: {folder / 'slip_bad.py'}:{line}: "
    assert problem.message.startswith(place)
    assert told in problem.message
    assert "Traceback" in problem.trace
