"""The texts of the files of a new destination."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from framework.scaffolding.sign_in import AUTHS, SignIn

if TYPE_CHECKING:
    from framework.scaffolding.new_destination import NewAction, NewDestination


def distribution(new: NewDestination) -> dict[str, str]:
    """Return the files of a distribution: texts by path."""
    sign_in = AUTHS[new.auth]
    package = new.package
    found = {
        "pyproject.toml": _project(new),
        "README.md": _readme(new),
        f"{new.name}.connection.yaml": _connection(new, sign_in),
        f"{package}/__init__.py": _hooks(new, sign_in),
        f"{package}/py.typed": "",
        f"{package}/settings.py": _settings(new, sign_in),
        f"{package}/partner_sandbox.py": _sandbox(new, sign_in),
        f"{package}/actions/__init__.py": listing(package, [one.module for one in new.actions]),
        f"{package}/actions/operation.py": _OPERATION,
        f"tests/test_{package}.py": _tests(new),
    }
    return found | {
        f"{package}/actions/{one.module}.py": action(package, one) for one in new.actions
    }


def listing(package: str, modules: Iterable[str]) -> str:
    """Return the module that lists the actions."""
    names = sorted(modules)
    imports = [f"from {package}.actions.{one} import OPERATION as {one.upper()}" for one in names]
    imports.append(f"from {package}.actions.operation import Operation")
    listed = "".join(f"    {one.upper()},\n" for one in names)
    return (
        '"""The actions of the destination; `actions new action NAME` adds one."""\n\n'
        "from __future__ import annotations\n\n"
        f"{chr(10).join(sorted(imports))}\n\n"
        f"OPERATIONS: tuple[Operation, ...] = (\n{listed})\n"
    )


def action(package: str, new: NewAction) -> str:
    """Return the module of an action."""
    description = new.description or f"{new.shown}, for each event."
    return f'''"""An action: what is sent of an event, and how."""

from __future__ import annotations

from typing import Any

import httpx
from framework import Action, Payload, field

from {package}.actions.operation import Operation
from {package}.settings import HOST


class Message(Payload):
    """What is sent of one event."""

    user_id: str = field(
        "User ID",
        "Who the event is about.",
        mapping={{"@path": "$.userId"}},
        category="identifier",
    )
    message_id: str = field(
        "Message ID",
        "By which the partner knows a repetition.",
        mapping={{"@path": "$.messageId"}},
    )
    details: dict[str, Any] | None = field(
        "Details",
        "More about the event.",
        mapping={{"@path": "$.properties"}},
    )


def send(client: httpx.Client, payload: Message) -> httpx.Response:
    """Send one event; the client raises if the partner does not accept it."""
    body = {{
        "user": payload.user_id,
        "id": payload.message_id,
        "details": payload.details or {{}},
    }}
    return client.post(f"{{HOST}}/v1/{new.module}", json=body)


OPERATION = Operation(
    Action(
        slug="{new.name}",
        title={_text(new.shown)},
        description={_text(description)},
        trigger={_text(new.trigger)},
        payload=Message,
    ),
    send,
)
'''


_OPERATION = '''"""What an action is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
from framework import Action


class Operation(NamedTuple):
    """The definition of an action, and the function that sends one of its payloads."""

    action: Action
    send: Callable[[httpx.Client, Any], httpx.Response]
'''


def _text(text: str) -> str:
    """Return a text as Python source, with the quotes that formatters choose."""
    return repr(text) if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)


def _project(new: NewDestination) -> str:
    return f"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{new.name}"
version = "0.1.0"
description = {json.dumps(new.description or f"The destination {new.shown}", ensure_ascii=False)}
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["action-destinations"]

[project.entry-points.action_destinations]
{new.name} = "{new.package}"

[tool.hatch.build]
dev-mode-dirs = ["."]

[tool.hatch.build.targets.wheel]
packages = ["{new.package}"]

[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]

[tool.ruff]
line-length = 100

[tool.ruff.lint]
extend-select = ["B", "D", "I", "UP"]
ignore = ["D203", "D213"]

[tool.ruff.lint.isort]
known-third-party = ["framework"]

[tool.mypy]
strict = true
packages = ["{new.package}"]
"""


def _readme(new: NewDestination) -> str:
    return f"""# {new.shown}

{new.description or f"Sends events to {new.shown}."}

```sh
pip install -e .
actions show {new.name}
actions certify {new.name}
actions run -c {new.name}.connection.yaml --events events.ndjson --sandbox
```

`{new.package}/settings.py` has the settings and the partner's address, `{new.package}/actions/` one
module for each action, and `{new.package}/partner_sandbox.py` a simulated partner.
`actions new action NAME` adds an action.
Run the tests with `pytest`.
"""


def _connection(new: NewDestination, sign_in: SignIn) -> str:
    prefix = new.package.upper()
    settings = "".join(f"  {key}: ${{env:{prefix}_{key.upper()}}}\n" for key in sign_in.sample)
    subscriptions = "".join(
        f"  - name: {json.dumps(one.shown)}\n    partnerAction: {one.name}\n"
        f"    subscribe: {json.dumps(one.trigger)}\n"
        for one in new.actions
    )
    return (
        f"destination: {new.name}\nname: {json.dumps(new.shown)}\n\n"
        f"settings:\n{settings}\nsubscriptions:\n{subscriptions}"
    )


def _settings(new: NewDestination, sign_in: SignIn) -> str:
    return f'''"""The settings of a connection, and where the partner is."""

from __future__ import annotations

from framework import Settings, field

HOST = "{new.origin}"


class Account(Settings):
    """What a connection needs to sign in."""

{sign_in.settings}'''


def _hooks(new: NewDestination, sign_in: SignIn) -> str:
    package = new.package
    names = ", ".join([*sorted(["Action", "Destination", *_classes(sign_in)]),
                       *sorted(["hookimpl", *_functions(sign_in)])])  # fmt: skip
    auth = ""
    if sign_in.auth:
        auth = f'''

@hookimpl
def auth(settings: Account) -> httpx.Auth:
    """Sign every request."""
{sign_in.auth}'''
    return f'''"""A destination: its definition, and the hooks that send events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from framework import {names}

from {package}.actions import OPERATIONS
from {package}.settings import HOST, Account

if TYPE_CHECKING:
    from {package}.partner_sandbox import PartnerSandbox

_SENDERS = {{one.action.slug: one.send for one in OPERATIONS}}


@hookimpl
def destination() -> Destination:
    """Define the destination."""
    return Destination(
        slug="{new.name}",
        name={_text(new.shown)},
        description={_text(new.description or f"Sends events to {new.shown}.")},
        settings=Account,
        actions=[one.action for one in OPERATIONS],
    )
{auth}

@hookimpl
def check_authentication(client: httpx.Client) -> None:
    """Ask the partner whether the credentials are valid; the client raises if not."""
    client.get(f"{{HOST}}/v1/account")


@hookimpl
def perform(action: Action, client: httpx.Client, payload: Any) -> httpx.Response:
    """Send one payload."""
    return _SENDERS[action.slug](client, payload)


@hookimpl
def sandbox() -> PartnerSandbox:
    """Simulate the partner."""
    from {package}.partner_sandbox import PartnerSandbox

    return PartnerSandbox()
'''


def _classes(sign_in: SignIn) -> list[str]:
    return [name for name in sign_in.names if name[0].isupper()]


def _functions(sign_in: SignIn) -> list[str]:
    return [name for name in sign_in.names if not name[0].isupper()]


def _sandbox(new: NewDestination, sign_in: SignIn) -> str:
    has_tokens, rotates = bool(sign_in.state), "refresh_token" in sign_in.sample
    standard = ["import json"]
    if "b64encode" in sign_in.check:
        standard.append("from base64 import b64encode")
    standard += ["from collections.abc import Mapping", "from typing import Any"]
    if has_tokens:
        standard.append("from urllib.parse import parse_qsl")
    sample = "".join(f'    "{key}": "{value}",\n' for key, value in sign_in.sample.items())
    lifetime = "LIFETIME = 3600.0\n" if has_tokens else ""
    state = "        self.accepted: list[Any] = []\n"
    if has_tokens:
        state += "        self.tokens: dict[str, float] = {}\n        self.number = 0\n"
    if rotates:
        state += '        self.refresh = self.access["refresh_token"]\n'
    admitted = '        self.refresh = self.access["refresh_token"]\n' if rotates else ""
    issuing = (
        '        if request.path == "/oauth/token":\n            return self.issue(request)\n'
        if has_tokens
        else ""
    )
    return f'''"""A simulated partner."""

from __future__ import annotations

{chr(10).join(standard)}

from framework.sandbox import Sandbox, SandboxRequest, SandboxResponse

from {new.package}.settings import HOST

{lifetime}SETTINGS = {{
{sample}}}


class PartnerSandbox(Sandbox):
    """Accepts events about users, from those who sign in."""

    name = {_text(new.shown)}
    origins = (HOST,)

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.access = dict(SETTINGS)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
{state}
    def settings(self) -> dict[str, Any]:
        """Return settings that sign in."""
        return dict(self.access)

    def admit(self, settings: Mapping[str, Any]) -> None:
        """Accept connections with *settings*."""
        self.access |= {{key: str(settings[key]) for key in SETTINGS if key in settings}}
{admitted}
    def describe(self, detail: str) -> dict[str, Any]:
        """Return the number of events that were accepted."""
        del detail
        return {{"accepted": len(self.accepted)}}

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        """Answer a request."""
{issuing}        if not self.is_signed_in(request):
            return SandboxResponse(401, {{"error": "unauthorized"}})
        if request.method == "GET":
            return SandboxResponse(200, {{"status": "active"}})
        body = json.loads(request.body)
        if not body.get("user", "").strip():
            return SandboxResponse(400, {{"error": "the user is missing"}})
        self.accepted.append(body)
        return SandboxResponse(204)

    def is_signed_in(self, request: SandboxRequest) -> bool:
        """Return whether a request has valid credentials."""
{sign_in.check}{sign_in.state}'''


def _tests(new: NewDestination) -> str:
    return f'''"""Events reach the sandbox, and the destination is certified."""

from __future__ import annotations

import pytest
from framework import Delivered, Failed
from framework.testing import Harness, certify, generate_event

import {new.package}
from {new.package}.actions import OPERATIONS

SLUGS = [one.action.slug for one in OPERATIONS]


@pytest.mark.parametrize("slug", SLUGS)
def test_events_are_delivered(slug: str) -> None:
    """A generated event is accepted."""
    with Harness({new.package}) as harness:
        event = generate_event(harness.plugin.definition.action(slug))
        ran = harness.run_action(slug, event, defaults=True)
    assert isinstance(ran.result, Delivered)


@pytest.mark.parametrize("slug", SLUGS)
def test_events_about_nobody_fail(slug: str) -> None:
    """The partner refuses them, and they are not retried."""
    with Harness({new.package}) as harness:
        event = generate_event(harness.plugin.definition.action(slug))
        ran = harness.run_action(slug, {{**event, "userId": " "}}, defaults=True)
    assert isinstance(ran.result, Failed)
    assert not ran.result.retryable


def test_credentials_are_checked() -> None:
    """The sandbox accepts its own settings, and those of a connection."""
    with Harness({new.package}) as harness:
        harness.check_authentication()
        others = {{key: f"my-{{key}}" for key in harness.settings}}
    with Harness({new.package}, others) as harness:
        harness.check_authentication()


def test_the_destination_is_certified() -> None:
    """As `actions certify` says."""
    found = certify({new.package})
    assert found.certified, "\\n".join(found.lines())
'''
