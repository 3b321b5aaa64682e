"""Plugins are found by entry point, each on its own; an invalid one affects no other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from framework import hookspecs
from framework.definition import Action, Choice, Destination, Field, Settings, Subscription, field
from framework.delivery import connect
from framework.errors import DefinitionError, PluginError, UnknownNameError
from framework.hook_checks import place_of
from framework.hookspecs import hookimpl
from framework.mapping import Directive, DirectiveExample, compile_mapping, value_directive
from framework.mapping import directives as known_directives
from framework.paths import JSON
from framework.plugins import HOOKS, PluginProblem, Registry, load_plugins, open_plugin
from framework.results import DELIVERED, Delivered
from tests.framework.delivery.bench import SEND, Partner, connected, module, plugin, said

PLUGINS = Path(__file__).parent.parent / "plugins"
KNOWN_HOOKS = ", ".join(sorted(HOOKS))


def extension(**hooks: Any) -> Any:
    """Return an extension's module; functions that are already marked are unchanged."""
    mark = f"{hookspecs.PROJECT}_impl"
    return SimpleNamespace(
        **{name: hook if hasattr(hook, mark) else hookimpl(hook) for name, hook in hooks.items()}
    )


# Third parties


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build and install the distributions in `tests/plugins`, as their users would."""
    target = tmp_path_factory.mktemp("site")
    names = ["acme_webhook", "acme_broken"]
    sources = [copied(name, tmp_path_factory.mktemp("sources")) for name in names]
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options]
    subprocess.run([*command, str(target), *map(str, sources)], check=True)
    return target


def copied(name: str, folder: Path) -> Path:
    """Copy a plugin's sources, so that building it leaves nothing behind."""
    place = folder / name
    place.mkdir()
    for file in ("pyproject.toml", f"{name}.py"):
        place.joinpath(file).write_bytes((PLUGINS / name / file).read_bytes())
    return place


@pytest.fixture
def third_parties(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Load the installed plugins, and no others, by their entry points."""
    monkeypatch.syspath_prepend(str(installed))
    points = [point for dist in distributions(path=[str(installed)]) for point in dist.entry_points]
    yield load_plugins(points)
    for name in ("acme_webhook", "acme_broken"):
        sys.modules.pop(name, None)


def test_a_third_partys_destination_is_found_and_delivers(third_parties: Registry) -> None:
    webhook = third_parties.get("webhook")
    assert (webhook.name, webhook.origin) == ("webhook", "acme-webhook 1.0.0")
    partner = Partner()
    settings = {"url": "https://hooks.test/in"}
    with connect(
        webhook, settings, [Subscription(action="postMessage")], transport=partner
    ) as connection:
        report = connection.deliver([said("Order Completed"), {"type": "page"}])
    assert report.results[0] == DELIVERED
    assert partner.sent == [{"text": "Order Completed"}]
    assert [str(request.url) for request in partner.requests] == ["https://hooks.test/in"]


def line_of(file: Path, text: str, time: int = 1) -> int:
    """Return the number of the line that is *text*, the *time*-th of them."""
    lines = file.read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if line.strip() == text][time - 1]


def test_a_broken_plugin_is_reported_and_left_out(third_parties: Registry, installed: Path) -> None:
    (problem,) = third_parties.problems
    place = (
        f"{installed / 'acme_broken.py'}:{line_of(installed / 'acme_broken.py', '@hookimpl', 3)}"
    )
    text = (
        f"Plugin `broken` of acme-broken 1.0.0 is left out: {place}: "
        f'There is no hook "preform". Did you mean `perform`? Known hooks: {KNOWN_HOOKS}.'
    )
    assert problem == PluginProblem("broken", "acme-broken 1.0.0", text)
    assert list(third_parties.destinations) == ["webhook"]


def test_our_own_destination_is_loaded_by_entry_point() -> None:
    registry = load_plugins()
    assert registry.problems == ()
    found = registry.get("actions-criteo-audiences")
    assert found.name == "actions-criteo-audiences"
    assert found.origin.startswith("action-destinations ")


# Loading


@pytest.fixture
def point(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that creates an entry point for a module with given attributes."""

    def make(name: str, hooks: Any = None, group: str = hookspecs.PROJECT) -> EntryPoint:
        made = ModuleType(f"third_party_{name}")
        vars(made).update(vars(hooks) if hooks is not None else {})
        monkeypatch.setitem(sys.modules, made.__name__, made)
        return EntryPoint(name, made.__name__, group)

    return make


def named(slug: str, **hooks: Any) -> Any:
    identity = Destination(slug=slug, name=slug.title())
    return module(**{"destination": lambda: identity, "perform": lambda: None, **hooks})


def test_destinations_are_sorted_by_slug(point: Any) -> None:
    registry = load_plugins([point("b", named("a")), point("a", named("b"))])
    assert list(registry.destinations) == ["a", "b"]
    assert [plugin.name for plugin in registry.destinations.values()] == ["b", "a"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("actions-mail", "actions-mail"),
        ("mail", None),
        ("mail-bulk", "bulk-mail-bulk"),
        ("web", "web"),
        ("actions", None),
        ("mai", None),
        ("bulk", "bulk-mail-bulk"),
        ("", None),
        ("-", None),
    ],
)
def test_a_part_of_a_slug_will_do_where_only_one_has_it(
    point: Any, name: str, slug: str | None
) -> None:
    slugs = ["actions-mail", "bulk-mail-bulk", "web", "actions-web"]
    registry = load_plugins([point(f"p{place}", named(one)) for place, one in enumerate(slugs)])
    if slug is None:
        with pytest.raises(UnknownNameError):
            registry.get(name)
    else:
        assert registry.get(name).definition.slug == slug


def test_an_unknown_slug_is_reported_with_the_known_ones(point: Any) -> None:
    registry = load_plugins([point("one", named("webhook")), point("two", named("mail"))])
    with pytest.raises(UnknownNameError) as caught:
        registry.get("webhok")
    assert str(caught.value) == (
        'There is no destination "webhok". Did you mean `webhook`? '
        "Known destinations: mail, webhook."
    )


def test_two_destinations_with_one_slug_are_both_left_out(point: Any) -> None:
    registry = load_plugins(
        [point(name, named("x")) for name in ("one", "two")] + [point("y", named("y"))]
    )
    text = "Plugins `one` and `two` define `x`; none of them is available. Uninstall the others."
    assert registry.problems == (PluginProblem("one", "", text), PluginProblem("two", "", text))
    assert list(registry.destinations) == ["y"]


OTHER = Action(slug="other", title="Other", trigger='type = "track"', payload={})


class OwnSettings(Settings):
    """Settings other than those of a hook."""

    key: str = field("Key")


def given(**options: Any) -> Any:
    """Return the hook `destination` for one called `x`."""
    return lambda: Destination(slug="x", name="X", **options)


def test_what_is_given_twice_and_equal_is_given() -> None:
    """A definition and its hooks may say the same."""
    hooks = {"settings": lambda: OwnSettings, "actions": lambda: [OTHER]}
    destination = given(settings=OwnSettings, actions=[OTHER])
    plugin = open_plugin(named("x", destination=destination, **hooks))
    assert plugin.definition.settings is OwnSettings
    assert [*plugin.definition.actions] == [OTHER]


def test_two_hooks_make_a_destination() -> None:
    """Settings and actions may be part of the destination, as a list or a tuple."""

    class Access(Settings):
        """Where the door is."""

        door: str = field("Door")

    for actions in ([SEND], (SEND,)):
        hooks = extension(destination=given(settings=Access, actions=actions), perform=lambda: None)
        opened = open_plugin(hooks)
        assert opened.definition.actions == (SEND,)
        assert opened.definition.settings is Access
        with connect(opened, {"door": "7"}, [Subscription(action="send")]) as connection:
            assert connection.settings.door == "7"
            assert connection.deliver([said("hello")]).results == [DELIVERED]


def crash() -> Any:
    raise ZeroDivisionError("by zero")


WRONG_ACTIONS = "{actions}: Hook `actions` must return at least one Action."
ASYNC = "{perform}: Hook `perform` is an `async` function. Write `def` in place of `async def`."
PERFORM_ARGUMENTS = ", ".join(sorted(HOOKS["perform"]))


def defaulted(payload: Any = None) -> None:
    """Have an argument with a default."""


def keyword_only(*, payload: Any, settings: Any = None) -> None:
    """Have keyword-only arguments."""


def variadic(*things: Any, **others: Any) -> None:
    """Take anything."""


async def asynchronous() -> None:
    """Need an event loop."""


def generator() -> Iterator[None]:
    yield


async def asynchronous_generator() -> Any:
    yield


@hookimpl(wrapper=True)
def no_wrapper() -> None:
    """Wrap nothing."""


@pytest.mark.parametrize(
    ("hooks", "told"),
    [
        (
            named("x", destination=lambda: None),
            "{destination}: Hook `destination` must return a Destination.",
        ),
        (named("x", destination=crash), "In hook `destination`: ZeroDivisionError: by zero"),
        (
            named("x", settings=lambda: dict),
            "{settings}: Hook `settings` must return a Settings class.",
        ),
        (named("x", settings=crash), "In hook `settings`: ZeroDivisionError: by zero"),
        (named("x", actions=lambda: ()), WRONG_ACTIONS),
        (named("x", actions=lambda: ["send"]), WRONG_ACTIONS),
        (
            extension(destination=given(), perform=lambda: None),
            (
                "{destination}: It has no actions: give them to Destination, or implement the "
                "hook `actions`."
            ),
        ),
        (
            named("x", destination=given(actions=[OTHER])),
            (
                "{actions}: The Destination has `actions`, too. Remove them there, or remove the "
                "hook `actions`."
            ),
        ),
        (
            named("x", destination=given(settings=OwnSettings), settings=lambda: Settings),
            (
                "{settings}: The Destination has `settings`, too. Remove them there, or remove the "
                "hook `settings`."
            ),
        ),
        (
            extension(destination=given(actions=["send"]), perform=lambda: None),
            (
                "In hook `destination`: Destination `x` is invalid: `actions` must be a list of "
                "Action objects."
            ),
        ),
        (
            extension(destination=given(actions=[SEND], presets=SEND), perform=lambda: None),
            (
                "In hook `destination`: Destination `x` is invalid: `presets` must be a list of "
                "Preset objects."
            ),
        ),
        (named("x", actions=lambda: sys.exit(3)), "In hook `actions`: SystemExit: 3"),
        (
            named("x", actions=lambda: [SEND, SEND]),
            "{destination}: Destination `x` is invalid: Two actions have the slug `send`.",
        ),
        (module(), "{destination}: It implements neither `perform` nor `perform_batch`."),
        (
            named("x", perform=lambda payloads: None),  # noqa: ARG005 - its name is the case
            (
                '{perform}: There is no argument of `perform` called "payloads". '
                f"Did you mean `payload`? Known arguments: {PERFORM_ARGUMENTS}."
            ),
        ),
        (
            named("x", perfrom=lambda: None, idenity=lambda: None),
            (
                '{idenity}: There is no hook "idenity". Did you mean `identify`? '
                f"Known hooks: {KNOWN_HOOKS}. "
                '{perfrom}: There is no hook "perfrom". Did you mean `perform`? '
                f"Known hooks: {KNOWN_HOOKS}."
            ),
        ),
        (
            named("x", perform=defaulted),
            (
                "{perform}: Argument `payload` of hook `perform` has a default value, which is "
                "never used. Write `payload` without it."
            ),
        ),
        (
            named("x", perform=keyword_only),
            (
                "{perform}: Argument `payload` of hook `perform` is keyword-only, so that it is "
                "never filled. Remove the `*` before it. "
                "{perform}: Argument `settings` of hook `perform` is keyword-only, so that it is "
                "never filled. Remove the `*` before it. "
                "{perform}: Argument `settings` of hook `perform` has a default value, which is "
                "never used. Write `settings` without it."
            ),
        ),
        (
            named("x", auth=variadic),
            (
                "{auth}: Hook `auth` takes `*things`. Name the arguments that it uses in place of "
                "it: clock, confide, settings, stop. "
                "{auth}: Hook `auth` takes `**others`. Name the arguments that it uses in place of "
                "it: clock, confide, settings, stop."
            ),
        ),
        (
            named("x", perform=asynchronous),
            ASYNC,
        ),
        (
            named("x", perform=asynchronous_generator),
            ASYNC,
        ),
        (
            named("x", perform=generator),
            "{perform}: Hook `perform` contains `yield`. Return the result in place of it.",
        ),
        (
            extension(perform=no_wrapper),
            "{perform}: The wrapper of hook `perform` contains no `yield`. Write `return (yield)`.",
        ),
        (
            extension(perform=lambda: None),
            (
                "It implements no hook `destination`. Write one; if it is an extension, declare "
                "its entry point in the group `action_destinations.extensions`."
            ),
        ),
    ],
)
def test_an_invalid_plugin_is_left_out(point: Any, hooks: Any, told: str) -> None:
    """Every invalid plugin is a problem with position, hook and fix; the others are available."""
    registry = load_plugins([point("bad", hooks), point("good", named("good"))])
    places = {name: place_of(hook) for name, hook in vars(hooks).items()}
    text = f"Plugin `bad` is left out: {told.format_map(places)}"
    assert registry.problems == (PluginProblem("bad", "", text),)
    assert list(registry.destinations) == ["good"]


@pytest.mark.parametrize(
    ("hooks", "told"),
    [
        (
            extension(perform=lambda: None),
            (
                "{perform}: An extension may wrap the hook `perform` (`wrapper=True`), not "
                "implement it."
            ),
        ),
        (
            extension(register_directives=crash),
            "In hook `register_directives`: ZeroDivisionError: by zero",
        ),
    ],
)
def test_an_invalid_extension_is_left_out(point: Any, hooks: Any, told: str) -> None:
    registry = load_plugins(
        [point("bad", hooks, hookspecs.EXTENSIONS), point("good", named("good"))]
    )
    places = {name: place_of(hook) for name, hook in vars(hooks).items()}
    text = f"Plugin `bad` is left out: {told.format_map(places)}"
    assert registry.problems == (PluginProblem("bad", "", text),)
    assert list(registry.destinations) == ["good"]


def test_a_function_that_is_not_marked_as_a_hook_is_named() -> None:
    """It is accepted if its hook is implemented under another name."""

    class Mail:
        destination, actions, perform = (
            staticmethod(hookimpl(hook))
            for hook in (
                lambda: Destination(slug="mail", name="Mail"),
                lambda: [SEND],
                lambda: None,
            )
        )

        def auth(self) -> None:
            """Sign nothing."""

    class Signed(Mail):
        @hookimpl(specname="auth")
        def sign(self) -> None:
            """Sign nothing."""

    with pytest.raises(PluginError) as caught:
        open_plugin(Mail())
    assert str(caught.value) == (
        f"{place_of(Mail.auth)}: Function `auth` is named like a hook but is not marked as one. "
        "Write `@hookimpl` above it, or rename it."
    )
    assert open_plugin(Signed()).implements("auth")


IMPORTED = """from framework import Destination, Payload, field, hookimpl
from elsewhere import auth


class Line(Payload):
    count: int = field(default=7)


def pick(found):
    return found[2]


@hookimpl
def destination():
    return Destination(slug="written", name="Written")


@hookimpl
def actions():
    return pick([])


@hookimpl
def perform():
    pass
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("", "", 10, "In hook `actions`: IndexError: list index out of range"),
        ("class Line(Payload):", "class Line(Payload)", 5, "SyntaxError: expected ':'"),
        ("auth\n", "nothing\n", 2, "ImportError: cannot import name 'nothing' from 'elsewhere' "),
        ("field(default=7)", "field(default='x')", 5, "Line is invalid. `count`: "),
        ("count: int", "count", 5, "Line is invalid. `count` has no annotation. "),
        ("def pick", "raise SystemExit\ndef pick", 9, "SystemExit: "),
        ("def pick", "def auth(settings):\n    pass\n\ndef pick", 9, "Function `auth` is named"),
    ],
)
def test_a_problem_shows_the_authors_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, line: int, told: str
) -> None:
    """It is the innermost line in the plugin's own files; imported functions are not hooks."""
    file = tmp_path / "written.py"
    file.write_text(IMPORTED.replace(old, new, 1))
    (tmp_path / "elsewhere.py").write_text("def auth(settings, more=None):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("written", "elsewhere"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    (problem,) = load_plugins([EntryPoint("bad", "written", hookspecs.PROJECT)]).problems

    assert problem.message.startswith(f"Plugin `bad` is left out: {file}:{line}: {told}")


def test_a_plugin_that_cannot_be_imported_is_left_out() -> None:
    registry = load_plugins([EntryPoint("gone", "no_such_module", hookspecs.PROJECT)])
    (problem,) = registry.problems
    assert problem.message == (
        "Plugin `gone` is left out: ModuleNotFoundError: No module named 'no_such_module'"
    )


def test_opening_an_invalid_plugin_raises() -> None:
    hooks = module()
    with pytest.raises(PluginError) as caught:
        open_plugin(hooks)
    text = "It implements neither `perform` nor `perform_batch`."
    assert str(caught.value) == f"{place_of(hooks.destination)}: {text}"
    with pytest.raises(DefinitionError):
        open_plugin(named("x", actions=lambda: [SEND, SEND]))


def test_defaults_of_field_tables_are_checked() -> None:
    """As those of classes are when the class is defined, and at every depth."""
    plan = {"plan": Field(choices=(Choice("small"), Choice("large")), default="medium")}
    inner = Field(type="object", properties={"count": Field(type="integer", default="7")})
    send = Action(slug="send", title="Send", trigger="type != null", payload={"item": inner})
    made = Destination(slug="tables", name="Tables", settings=plan, actions=[send])
    with pytest.raises(PluginError) as caught:
        open_plugin(extension(destination=lambda: made, perform=lambda: None))
    assert caught.value.problems == (
        'Setting `plan`: `default` must be "small" or "large", got "medium".',
        'Field `item.count` of action `send`: `default` must be an integer, got "7".',
    )


def test_anything_with_hooks_can_be_a_plugin() -> None:
    """A plugin is a module, a namespace or an instance; `specname` allows other function names."""

    class Mail:
        """Hooks as methods."""

        @hookimpl(specname="destination")
        def identity(self) -> Destination:
            return Destination(slug="mail", name="Mail")

        @hookimpl
        def actions(self) -> Any:
            return [SEND]

        @hookimpl
        def perform(self) -> None:
            """Deliver nothing."""

    opened = open_plugin(Mail())
    assert (opened.name, opened.definition.slug) == ("Mail", "mail")
    assert opened.implements("perform")
    assert not opened.implements("perform_batch")
    assert opened.wants("perform") == frozenset()


# Extensions


@hookimpl(wrapper=True)
def perform(payload: Any) -> Generator[None, Any, Any]:
    """Pass a destination's result on and record the call."""
    answer = yield
    return Delivered(answer.status, {"wrapped": payload.text, "answer": answer.body})


@hookimpl(wrapper=True)
def perform_batch(events: Any) -> Generator[None, Any, Any]:
    """Replace an exception of a destination."""
    try:
        return (yield)
    except ValueError:
        return [Delivered(299) for _ in events]


WRAPPERS = SimpleNamespace(perform=perform, perform_batch=perform_batch)


def test_an_extension_wraps_perform() -> None:
    """It gets the arguments that it names, also those that the destination does not use."""
    opened = open_plugin(module(perform=lambda: Delivered(201, "made")), [WRAPPERS])
    with connected(opened) as connection:
        (result,) = connection.deliver([said("a")]).results
    assert result == Delivered(201, {"wrapped": "a", "answer": "made"})


def test_an_extension_wraps_perform_batch() -> None:
    def broken() -> None:
        raise ValueError

    opened = open_plugin(module(perform_batch=broken), [WRAPPERS])
    with connected(opened) as connection:
        assert connection.deliver([said(), said()]).results == [Delivered(299)] * 2


def test_a_wrapper_alone_implements_nothing() -> None:
    """A hook that an extension only wraps does not count as implemented."""
    opened = open_plugin(module(perform_batch=lambda: None), [WRAPPERS])
    assert opened.implements("perform_batch")
    assert not opened.implements("perform")
    with pytest.raises(PluginError):
        open_plugin(module(), [WRAPPERS])


def test_an_installed_extension_serves_every_destination(point: Any) -> None:
    registry = load_plugins(
        [
            point("wrappers", WRAPPERS, hookspecs.EXTENSIONS),
            point("one", named("one", perform=lambda: DELIVERED)),
            point("two", named("two", perform=lambda: DELIVERED)),
        ]
    )
    assert registry.problems == ()
    for slug in ("one", "two"):
        with connected(registry.get(slug)) as connection:
            (result,) = connection.deliver([said("a")]).results
        assert result == Delivered(200, {"wrapped": "a", "answer": None})


@pytest.fixture
def shout() -> Iterator[Directive]:
    """Return an additional directive, and remove it after the test."""

    def shouted(value: JSON) -> JSON:
        return f"{value}!"

    made = {"@shout": {"@path": "$.event"}}
    yield value_directive(
        "@shout",
        "Say it aloud.",
        schema={},
        examples=(
            DirectiveExample(note="One.", mapping=made, event={"event": "a"}, output="a!"),
            DirectiveExample(note="Two.", mapping=made, event={"event": "b"}, output="b!"),
            DirectiveExample(note="Three.", mapping=made, event={}, refusal="No."),
        ),
        check=lambda _value, _where: [],
        function=shouted,
    )
    known_directives._known.pop("@shout", None)


def test_an_extension_adds_directives(shout: Directive, point: Any) -> None:
    """They are registered before any destination is opened; loading twice has no effect."""
    hooks = extension(register_directives=lambda: [shout])
    for _ in range(2):
        registry = load_plugins([point("x", named("x")), point("zz", hooks, hookspecs.EXTENSIONS)])
        assert registry.problems == ()
    mapping = compile_mapping({"text": {"@shout": {"@path": "$.event"}}})
    assert mapping.resolve({"event": "hi"}) == {"text": "hi!"}


def test_an_extension_given_directly_adds_directives_too(shout: Directive) -> None:
    hooks = extension(register_directives=lambda: [shout])
    opened = open_plugin(module(perform=lambda payload: Delivered(body=payload.text)), [hooks])
    mapping = {"text": {"@shout": {"@path": "$.event"}}}
    subscription = Subscription(action="send", mapping=mapping)
    with connected(opened, subscription) as connection:
        assert connection.deliver([said("hi")]).results == [Delivered(body="hi!")]


def test_only_the_arguments_that_are_asked_for_need_to_be_given() -> None:
    opened = plugin(perform=lambda payload: payload)
    assert opened.call("perform", payload="x") == "x"


def passing(hook: str) -> Any:
    """Return an extension that wraps *hook* and changes nothing."""

    @hookimpl(wrapper=True)
    def wrap() -> Generator[None, Any, Any]:
        return (yield)

    return extension(**{hook: wrap})


@pytest.mark.parametrize("extensions", [(), (passing("perform"),)], ids=["alone", "wrapped"])
def test_a_hook_gets_the_arguments_it_names(
    extensions: tuple[Any, ...],
) -> None:
    """The result is the same with and without a wrapper."""

    def perform(payload: Any, settings: Any) -> Any:
        return payload, settings

    opened = open_plugin(module(perform=perform), extensions)
    assert opened.call("perform", settings="s", payload="p", event="e") == ("p", "s")
    assert opened.call("perform", payload="p") == ("p", None)


@pytest.mark.parametrize("extensions", [(), (passing("perform"),)], ids=["alone", "wrapped"])
def test_what_a_hook_raises_is_raised(extensions: tuple[Any, ...]) -> None:
    def perform() -> Any:
        raise KeyError("no")

    opened = open_plugin(module(perform=perform), extensions)
    with pytest.raises(KeyError, match="no"):
        opened.call("perform")
