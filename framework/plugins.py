"""Plugins found by entry point: each loaded on its own, checked, and kept apart from the others.

A plugin that cannot be imported, has hooks that cannot be called correctly or returns an invalid
definition becomes a problem of the registry, with file and line; the others are loaded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from time import perf_counter
from traceback import format_exception
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

import pluggy

from framework import hookspecs
from framework.definition import (
    Action,
    Destination,
    Settings,
    resolve_slug,
)
from framework.errors import (
    DefinitionError,
    FrameworkError,
    PluginError,
    PluginExitError,
    UnknownNameError,
)
from framework.hook_checks import (
    Given,
    check_implementation,
    contradictions,
    hidden_hooks,
    is_interrupt,
    place_of,
    place_of_error,
    refused_defaults,
    repeated_hooks,
    undefined_choices,
    unmarked_hooks,
)
from framework.mapping import register_directive

T = TypeVar("T")

HOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(inspect.signature(hook).parameters)
    for name, hook in vars(hookspecs).items()
    if hasattr(hook, f"{hookspecs.PROJECT}_spec")
}
"""The arguments of every hook, by name."""

_GIVEN_TWICE: Final = "The Destination has `{0}`, too. Remove them there, or remove the hook `{0}`."

_OF_EXTENSIONS: Final = frozenset({"register_directives", "batch_finished"})
"""The hooks that an extension implements; all others it may only wrap."""

SLOW_IMPORT: Final = 0.5
"""Seconds that the import of a plugin may take before `load_plugins` says so."""


@dataclass(frozen=True)
class Plugin:
    """A destination ready to be connected: its definition and its hooks.

    *name* is the entry point's name, *origin* its distribution.
    """

    definition: Destination
    manager: pluggy.PluginManager = field(repr=False)
    name: str = ""
    origin: str = ""

    def __str__(self) -> str:
        return f"`{self.name}` of {self.origin}" if self.origin else f"`{self.name}`"

    def implements(self, hook: str) -> bool:
        """Return whether the destination or an extension implements or wraps *hook*."""
        return any(not _wraps(impl) for impl in self._implementations(hook))

    def wants(self, hook: str) -> frozenset[str]:
        """Return the names of all arguments that implementations of *hook* use."""
        return frozenset(name for impl in self._implementations(hook) for name in impl.argnames)

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call *hook*; only arguments that implementations use are required.

        Raises PluginExitError in place of exceptions that would end the process.
        """
        alone = self._alone.get(hook)
        try:
            if alone:
                # The same result as through pluggy, whose call takes longer than many hooks.
                return alone.function(*map(arguments.get, alone.argnames))
            caller = getattr(self.manager.hook, hook)
            return caller(**{**dict.fromkeys(caller.spec.argnames), **arguments})
        except Exception:
            raise
        except BaseException as error:
            if is_interrupt(error, self._packages(hook)):
                raise
            raise PluginExitError(hook, type(error).__name__) from error

    def _packages(self, hook: str) -> frozenset[str]:
        """Return the names of the packages that implement *hook*."""
        modules = (impl.function.__module__ for impl in self._implementations(hook))
        return frozenset(module.partition(".")[0] for module in modules)

    @cached_property
    def _alone(self) -> Mapping[str, pluggy.HookImpl]:
        """The implementation of each hook with one implementation and one result."""
        found = {name: self._implementations(name) for name in HOOKS}
        return {
            name: impls[0]
            for name, impls in found.items()
            if len(impls) == 1
            and not _wraps(impls[0])
            and getattr(self.manager.hook, name).spec.opts["firstresult"]
        }

    def _implementations(self, hook: str) -> list[pluggy.HookImpl]:
        return list(getattr(self.manager.hook, hook).get_hookimpls())


@dataclass(frozen=True)
class PluginProblem:
    """A plugin that was left out: the entry point's *name*, its *origin* and the reason.

    *trace* is the traceback of the exception, if it was one; *slug* is what the plugin defines, if
    that is known.
    """

    name: str
    origin: str
    message: str
    trace: str = field(default="", repr=False, compare=False)
    slug: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class Registry:
    """The loaded plugins: destinations by slug, and the problems of invalid plugins.

    *warnings* are about plugins that are available, but slow every command.
    """

    destinations: Mapping[str, Plugin]
    problems: tuple[PluginProblem, ...] = ()
    warnings: tuple[str, ...] = ()

    def get(self, slug: str) -> Plugin:
        """Return the destination called *slug*; raises UnknownNameError, see `unknown`.

        A part of the slug between hyphens is sufficient if no other destination has it.
        """
        found = resolve_slug(slug, self.destinations)
        if found is None:
            raise self.unknown(slug)
        return self.destinations[found]

    def unknown(self, slug: str) -> UnknownNameError:
        """Return the error for *slug*: why it was left out, or else the known ones."""
        reasons = self.reasons(slug)
        if reasons:
            return UnknownNameError(f'There is no destination "{slug}". {reasons}')
        return UnknownNameError.of("destination", slug, self.destinations)

    def reasons(self, slug: str) -> str:
        """Return why a destination called *slug* was left out; empty if there is none."""
        same = [one.message for one in self.problems if slug in {one.name, one.slug}]
        return " ".join(dict.fromkeys(same))


class _Loaded(NamedTuple):
    name: str
    origin: str
    module: Any
    package: str = ""
    group: str = hookspecs.PROJECT
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"`{self.name}` of {self.origin}" if self.origin else f"`{self.name}`"


def load_plugins(found: Iterable[EntryPoint] | None = None, *, slug: str = "") -> Registry:
    """Load every plugin of the entry-point groups, or those of *found*; never raises for one.

    With *slug* (a slug or what abbreviates one), import only the destination whose entry point is
    called so, and the extensions. All are imported if that defines no such destination.
    """
    points = sorted(_installed() if found is None else found, key=lambda point: point.name)
    if slug and (near := _called(slug, points)):
        registry = _load(near)
        if resolve_slug(slug, registry.destinations) is not None:
            return registry
    # What most plugins share does not count as the time that the first of them takes.
    from framework.delivery import api_key  # noqa: F401, PLC0415 - imports httpx, too

    return _load(points)


def _installed() -> list[EntryPoint]:
    groups = entry_points()
    return [*groups.select(group=hookspecs.PROJECT), *groups.select(group=hookspecs.EXTENSIONS)]


def _called(slug: str, points: Iterable[EntryPoint]) -> list[EntryPoint]:
    """Return the entry points that *slug* names, with all extensions; none if it names none."""
    extensions = [point for point in points if point.group == hookspecs.EXTENSIONS]
    others = [point for point in points if point.group != hookspecs.EXTENSIONS]
    name = resolve_slug(slug, {point.name for point in others})
    named = [point for point in others if point.name == name]
    return named and [*extensions, *named]


def _load(points: Iterable[EntryPoint]) -> Registry:
    problems: list[PluginProblem] = []
    loaded = [one for one in _import_all(points, problems) if _guarded(_manager, one, problems)]
    extensions = [one for one in loaded if one.group == hookspecs.EXTENSIONS]
    working = [one for one in extensions if _guarded(_install, one, problems)]
    destinations = [one for one in loaded if one.group != hookspecs.EXTENSIONS]
    opened = [_guarded(lambda one: _open(one, working), one, problems) for one in destinations]
    unique = _without_doubles([plugin for plugin in opened if plugin], problems)
    warnings = [*_misnamed(unique.values()), *_slow(loaded)]
    return Registry(
        MappingProxyType(dict(sorted(unique.items()))), tuple(problems), tuple(warnings)
    )


def _misnamed(plugins: Iterable[Plugin]) -> Iterator[str]:
    for plugin in plugins:
        slug = plugin.definition.slug
        if plugin.name != slug:
            yield (
                f"Entry point {plugin} defines `{slug}`: commands about it import all plugins to "
                f"find it. Call the entry point `{slug}`."
            )


def _slow(loaded: Iterable[_Loaded]) -> Iterator[str]:
    for one in loaded:
        if one.seconds > SLOW_IMPORT:
            yield (
                f"Plugin {one} takes {one.seconds:.1f} s to import, in every command that uses it. "
                "Import what is heavy in the functions that need it."
            )


def open_plugin(module: Any, extensions: Iterable[Any] = ()) -> Plugin:
    """Open the destination that *module* (any object with hook implementations) defines.

    Raises PluginError, or DefinitionError with every problem.
    """
    others = [_Loaded(_name(other), "", other) for other in extensions]
    for other in others:
        _install(other)
    return _open(_Loaded(_name(module), "", module), others)


def _name(module: Any) -> str:
    name: str = getattr(module, "__name__", type(module).__name__)
    return name


def _import_all(found: Iterable[EntryPoint], problems: list[PluginProblem]) -> Iterable[_Loaded]:
    for point in found:
        dist = point.dist
        origin = f"{dist.name} {dist.version}" if dist else ""
        package = point.module.partition(".")[0]
        loaded = _Loaded(point.name, origin, None, package, point.group)
        started = perf_counter()
        try:
            yield loaded._replace(module=point.load(), seconds=perf_counter() - started)
        except GeneratorExit as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is None:
                raise  # this generator is closed
            problems.append(_problem(loaded, error))
        except BaseException as error:
            if is_interrupt(error, {loaded.package}):
                raise
            problems.append(_problem(loaded, error))


def _guarded(
    load: Callable[[_Loaded], T], loaded: _Loaded, problems: list[PluginProblem]
) -> T | None:
    """Return the result of *load*; an exception becomes a problem."""
    try:
        return load(loaded)
    except BaseException as error:
        if is_interrupt(error, {loaded.package}):
            raise
        problems.append(_problem(loaded, error))
        return None


def _open(loaded: _Loaded, extensions: Iterable[_Loaded]) -> Plugin:
    manager = _manager(loaded)
    if not manager.hook.destination.get_hookimpls():
        raise PluginError(
            "It implements no hook `destination`. Write one; if it is an extension, declare its "
            f"entry point in the group `{hookspecs.EXTENSIONS}`."
        )
    for number, extension in enumerate(extensions, 1):
        manager.register(extension.module, name=f"{extension.name} (extension {number})")
    identity = _ask(manager, "destination")
    if not isinstance(identity, Destination):
        raise _wrong(manager, "destination", "Hook `destination` must return a Destination.")
    settings, actions = _settings(manager, identity), _actions(manager, identity)
    try:
        definition = identity.complete(settings, actions)
    except DefinitionError as error:
        raise _wrong(manager, "destination", str(error), error.problems) from error
    plugin = Plugin(definition, manager, loaded.name, loaded.origin)
    problems = [*_contradictions(plugin, loaded.module)]
    if problems:
        raise PluginError(" ".join(problems), problems)
    problems = [*_unidentified(plugin), *undefined_choices(definition)]
    problems += refused_defaults(definition)
    if problems:
        raise _wrong(manager, "destination", " ".join(problems), problems)
    if not (plugin.implements("perform") or plugin.implements("perform_batch")):
        text = "It implements neither `perform` nor `perform_batch`."
        raise _wrong(manager, "destination", text)
    if plugin.implements("refresh") and not plugin.implements("auth"):
        text = "It is never called: return an `OAuthRefreshToken` from the hook `auth`."
        raise _wrong(manager, "refresh", text)
    return plugin


def _contradictions(plugin: Plugin, module: Any) -> Iterator[str]:
    """Yield a problem, with its place, for each annotation that contradicts hook or definition."""
    for caller in plugin.manager.get_hookcallers(module) or ():
        given = _given(plugin, caller.name)
        for impl in caller.get_hookimpls():
            if impl.plugin is module and not _wraps(impl):
                spec = getattr(hookspecs, caller.name)
                found = contradictions(caller.name, impl.function, spec, given)
                yield from (_at(place_of(impl.function), problem) for problem in found)


def _given(plugin: Plugin, hook: str) -> Given:
    """Return the types of the arguments of *hook* that the definition decides."""
    settings, actions = plugin.definition.settings, plugin.definition.actions
    alone = plugin.implements("perform")
    payloads = [
        (one.payload if isinstance(one.payload, type) else dict, f"the payload of `{one.slug}` is")
        for one in actions
        if hook != "perform_batch" or one.batching or not alone
    ]
    return {
        "settings": [(settings, "it is")] if isinstance(settings, type) else [],
        "payload": payloads,
        "payloads": [(list[kind], text) for kind, text in payloads],  # type: ignore[valid-type]
    }


def _unidentified(plugin: Plugin) -> Iterator[str]:
    """Yield a problem for each action that coalesces rows without the hook `identify`."""
    if plugin.implements("identify"):
        return
    for action in plugin.definition.actions:
        if action.batching and action.batching.coalesce != "none":
            yield (
                f'Action `{action.slug}` declares `coalesce="{action.batching.coalesce}"`, which '
                "needs the hook `identify`: it says who a payload is about."
            )


def _manager(loaded: _Loaded) -> pluggy.PluginManager:
    """Return a manager with the hooks of one module; raises PluginError for invalid hooks."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.register(loaded.module, name=loaded.name)
    hooks = manager.get_hookcallers(loaded.module) or []
    found = [problem for hook in hooks for problem in _misfits(hook)]
    implemented = {hook.name for hook in hooks}
    others = {name: names for name, names in HOOKS.items() if name not in implemented}
    found += unmarked_hooks(loaded.module, others)
    found += repeated_hooks(loaded.module, implemented)
    found += hidden_hooks(loaded.module, HOOKS)
    if found:
        problems = [_at(place, problem) for place, problem in found]
        raise PluginError(" ".join(problems), problems)
    manager.add_hookspecs(hookspecs)
    return manager


def _misfits(hook: pluggy.HookCaller) -> Iterator[tuple[str, str]]:
    """Yield place and problem of the implementations of a hook that has no specification yet."""
    for impl in hook.get_hookimpls():
        place = place_of(impl.function)
        if hook.name not in HOOKS:
            yield place, str(UnknownNameError.of("hook", hook.name, HOOKS))
            continue
        known = HOOKS[hook.name]
        found = check_implementation(hook.name, impl.function, known, wraps=_wraps(impl))
        yield from ((place, problem) for problem in found)


def _at(place: str, text: str) -> str:
    return f"{place}: {text}" if place else text


def _ask(manager: pluggy.PluginManager, hook: str) -> Any:
    """Return what *hook* returns; an error has a note that names the hook."""
    try:
        return getattr(manager.hook, hook)()
    except BaseException as error:
        error.add_note(f"In hook `{hook}`")
        raise


def _wrong(
    manager: pluggy.PluginManager, hook: str, text: str, problems: Iterable[str] = ()
) -> PluginError:
    """Return the error about what *hook* returns, with the place of its implementation."""
    *_, impl = getattr(manager.hook, hook).get_hookimpls()
    return PluginError(_at(place_of(impl.function), text), problems)


def _settings(manager: pluggy.PluginManager, identity: Destination) -> type[Settings] | None:
    found = _ask(manager, "settings")
    if found is not None and not (isinstance(found, type) and issubclass(found, Settings)):
        raise _wrong(manager, "settings", "Hook `settings` must return a Settings class.")
    if found is not None and identity.settings and found is not identity.settings:
        raise _wrong(manager, "settings", _GIVEN_TWICE.format("settings"))
    return found


def _actions(manager: pluggy.PluginManager, identity: Destination) -> Sequence[Action]:
    found = _ask(manager, "actions")
    if not manager.hook.actions.get_hookimpls():
        if identity.actions:
            return ()
        text = "It has no actions: give them to Destination, or implement the hook `actions`."
        raise _wrong(manager, "destination", text)
    if not found or not all(isinstance(action, Action) for action in found):
        raise _wrong(manager, "actions", "Hook `actions` must return at least one Action.")
    if identity.actions and [*identity.actions] != [*found]:
        raise _wrong(manager, "actions", _GIVEN_TWICE.format("actions"))
    return tuple(found)


def _install(extension: _Loaded) -> bool:
    """Check an extension and register its directives; raises for what it may not do."""
    manager = _manager(extension)
    for hook in manager.get_hookcallers(extension.module) or ():
        if hook.name not in _OF_EXTENSIONS and not all(map(_wraps, hook.get_hookimpls())):
            raise _wrong(
                manager,
                hook.name,
                f"An extension may wrap the hook `{hook.name}` (`wrapper=True`), not implement it.",
            )
    for directives in _ask(manager, "register_directives"):
        for directive in directives:
            register_directive(directive)
    return True


def _wraps(implementation: pluggy.HookImpl) -> bool:
    return implementation.wrapper or implementation.hookwrapper


def _without_doubles(plugins: list[Plugin], problems: list[PluginProblem]) -> dict[str, Plugin]:
    """Return plugins by slug, without those that share one; the rightly named one keeps it."""
    by_slug: dict[str, list[Plugin]] = {}
    for plugin in plugins:
        by_slug.setdefault(plugin.definition.slug, []).append(plugin)
    for slug, same in by_slug.items():
        named = [plugin for plugin in same if plugin.name == slug]
        kept = named if len(named) == 1 else []
        if len(same) > 1:
            names = " and ".join(map(str, same))
            left = f"only {kept[0]} is" if kept else "none of them is"
            text = f"Plugins {names} define `{slug}`; {left} available. Uninstall the others."
            problems += [
                PluginProblem(one.name, one.origin, text, slug=slug)
                for one in same
                if one not in kept
            ]
            by_slug[slug] = kept
    return {slug: same[0] for slug, same in by_slug.items() if same}


def _problem(loaded: _Loaded, error: BaseException) -> PluginProblem:
    kind = "" if isinstance(error, FrameworkError) else f"{type(error).__name__}: "
    what = error.msg if isinstance(error, SyntaxError) else error
    place = place_of_error(error, loaded.package) if loaded.package else ""
    message = ": ".join([*getattr(error, "__notes__", ()), f"{kind}{what}"])
    text = f"Plugin {loaded} is left out: {_at(place, message)}"
    return PluginProblem(loaded.name, loaded.origin, text, "".join(format_exception(error)))
