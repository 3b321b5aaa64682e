"""What a new destination is called and how it signs in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import entry_points
from importlib.util import find_spec
from keyword import iskeyword
from sys import stdlib_module_names
from typing import Any, Final, TypeVar

from framework.errors import ConfigurationError, FrameworkError, UnknownNameError
from framework.scaffolding.destination_kinds import KINDS
from framework.scaffolding.sign_in import AUTHS
from framework.triggers import parse

T = TypeVar("T", "NewAction", "NewDestination")

AUTH_KINDS: Final = tuple(AUTHS)
"""The ways to sign in that a new destination may have."""

KIND_NAMES: Final = tuple(KINDS)
"""The kinds of destinations."""

MOST_OF_NAME: Final = 24
MOST_OF_ACTION: Final = 20

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_ACTION: Final = re.compile(r"[a-z][a-zA-Z0-9]*")


@dataclass(frozen=True, kw_only=True)
class NewAction:
    """An action to be written: *name* in camel case, such as `sendEvent`.

    Raises ConfigurationError with every problem.
    """

    name: str
    title: str = ""
    description: str = ""
    trigger: str = 'type = "track"'

    def __post_init__(self) -> None:
        _raise(_action_problems(self))

    @property
    def module(self) -> str:
        """The name of its module, such as `send_event`."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.name).lower()

    @property
    def shown(self) -> str:
        """The title, by default made of the name."""
        return self.title or self.module.replace("_", " ").capitalize()


@dataclass(frozen=True, kw_only=True)
class NewDestination:
    """A destination to be written: *name* in lower case with hyphens, such as `acme-crm`.

    Raises ConfigurationError with every problem.
    """

    name: str
    kind: str = "plain"
    auth: str = "none"
    title: str = ""
    description: str = ""
    url: str = ""
    actions: tuple[NewAction, ...] = ()

    def __post_init__(self) -> None:
        if not self.actions:
            first = KINDS[self.kind].first_action if self.kind in KIND_NAMES else "sendEvent"
            object.__setattr__(self, "actions", (NewAction(name=first),))
        _raise(_destination_problems(self))

    @classmethod
    def read(cls, raw: object) -> NewDestination:
        """Read a description: a JSON object with the attributes, `actions` as a list of objects."""
        found = dict(_object(raw, "The description"))
        actions = found.get("actions")
        if actions == []:
            raise ConfigurationError("`actions` is empty. Leave it out to begin with one action.")
        if isinstance(actions, list):
            listed = [_object(one, "An action") for one in actions]
            found["actions"] = tuple(_made(NewAction, one) for one in listed)
        elif actions is not None:
            raise ConfigurationError("`actions` must be a list of objects.")
        return _made(cls, found)

    @property
    def package(self) -> str:
        """The name of its package, such as `acme_crm`."""
        return self.name.replace("-", "_")

    @property
    def shown(self) -> str:
        """The title, by default made of the name."""
        return self.title or self.name.replace("-", " ").title()

    @property
    def origin(self) -> str:
        """The origin of the partner's API, by default one that does not exist."""
        return (self.url or f"https://api.{self.name}.example").rstrip("/")


def _object(raw: object, what: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{what} must be a JSON object.")
    return raw


def _made(kind: type[T], raw: Mapping[str, Any]) -> T:
    known = [one.name for one in fields(kind)]
    for key in raw:
        if key not in known:
            raise UnknownNameError.of("key of a description", key, known, "keys")
    if "name" not in raw:
        raise ConfigurationError("The description has no `name`.")
    return kind(**raw)


def _raise(problems: Iterator[str]) -> None:
    found = list(problems)
    if found:
        raise ConfigurationError(" ".join(found), found)


def _destination_problems(new: NewDestination) -> Iterator[str]:
    yield from _text_problems(new, "name", "kind", "auth", "title", "description", "url")
    if not isinstance(new.name, str) or not isinstance(new.url, str):
        return
    if not _NAME.fullmatch(new.name) or len(new.name) > MOST_OF_NAME:
        yield (
            f"The name of a destination has at most {MOST_OF_NAME} lower-case letters, digits and "
            f"hyphens, such as `acme-crm`, got {json.dumps(new.name)}."
        )
    if iskeyword(new.package):
        yield f"`{new.name}` is a word of Python's language, which no package is called."
    elif _is_taken(new.package):
        yield f"`{new.name}` is the name of another package."
    if new.auth not in AUTH_KINDS:
        yield str(UnknownNameError.of("way to sign in", str(new.auth), AUTH_KINDS, "ways"))
    if new.kind not in KIND_NAMES:
        yield str(UnknownNameError.of("kind of destination", str(new.kind), KIND_NAMES, "kinds"))
    if new.kind == "other" and (new.url or new.auth != "none"):
        yield "`url` and `auth` are of destinations that speak HTTP, not of the kind `other`."
    if new.url and not re.fullmatch(r"https://[a-z0-9.-]{1,60}(?::\d+)?/?", new.url):
        yield "`url` is the origin of the partner's API, such as `https://api.acme.com`."
    names = [one.module for one in new.actions]
    if not names or len(set(names)) < len(names):
        yield "A destination needs actions with different names."


def _is_taken(package: str) -> bool:
    """Return whether Python, or what is installed and no destination, has a package so named."""
    if package in stdlib_module_names or package in {"framework", "destinations", "tests"}:
        return True
    spec = find_spec(package)
    if spec is None or spec.origin is None:  # a folder without `__init__.py`
        return False
    points = entry_points(group="action_destinations")
    return all(one.module.partition(".")[0] != package for one in points)


def _action_problems(new: NewAction) -> Iterator[str]:
    yield from _text_problems(new, "name", "title", "description", "trigger")
    if not isinstance(new.name, str) or not isinstance(new.trigger, str):
        return
    if not _ACTION.fullmatch(new.name) or len(new.module) > MOST_OF_ACTION:
        yield (
            f"The name of an action has at most {MOST_OF_ACTION} letters and digits, such as "
            f"`sendEvent`, got {json.dumps(new.name)}."
        )
    if iskeyword(new.module):
        yield f"`{new.name}` is a word of Python's language, which no module is called."
    if new.module in {"operation", "operations", "httpx", "framework"}:
        yield f"`{new.name}` is taken."
    try:
        parse(new.trigger)
    except FrameworkError as error:
        yield f"The trigger does not parse: {error}"


def _text_problems(new: object, *names: str) -> Iterator[str]:
    for name in names:
        value = getattr(new, name)
        if not isinstance(value, str) or "\n" in value or len(value) > 200:
            yield f"`{name}` must be one line of text."
