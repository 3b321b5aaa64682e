"""The texts of the files of a new destination."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from framework.scaffolding import resource_kind
from framework.scaffolding.action_texts import details_path
from framework.scaffolding.destination_kinds import KINDS, filled
from framework.scaffolding.sign_in import AUTHS, SignIn

if TYPE_CHECKING:
    from framework.scaffolding.new_destination import NewAction, NewDestination

LINE: Final = 100
"""The length of lines."""


def distribution(new: NewDestination) -> dict[str, str]:
    """Return the files of a distribution: texts by path."""
    sign_in, kind, package = AUTHS[new.auth], KINDS[new.kind], new.package
    own = _by_resource(new) if new.kind == "other" else _by_client(new, sign_in)
    own |= {
        "actions/__init__.py": listing(package, [one.module for one in new.actions]),
        "actions/operation.py": filled(kind.operation, PACKAGE=package),
        "py.typed": "",
        **{name: filled(text, PACKAGE=package) for name, text in kind.files.items()},
        **{f"actions/{one.module}.py": action(package, new.kind, one) for one in new.actions},
    }
    settings = ["path"] if new.kind == "other" else list(sign_in.sample)
    return {
        "pyproject.toml": _project(new),
        "README.md": _readme(new),
        f"{new.name}.connection.yaml": _connection(new, settings),
        **{f"{package}/{name}": text for name, text in own.items()},
        f"tests/test_{package}.py": filled(kind.tests, PACKAGE=package),
    }


def _by_client(new: NewDestination, sign_in: SignIn) -> dict[str, str]:
    return {
        "__init__.py": _hooks(new, sign_in),
        "settings.py": _settings(new, sign_in),
        "partner_sandbox.py": _sandbox(new, sign_in),
    }


def _by_resource(new: NewDestination) -> dict[str, str]:
    places = {
        "PACKAGE": new.package,
        "SLUG": new.name,
        "NAME": _text(new.shown),
        "DESCRIPTION": _text(new.description or f"Writes events to {new.shown}."),
    }
    return {
        "__init__.py": filled(resource_kind.HOOKS, **places),
        "settings.py": resource_kind.SETTINGS,
        "partner_sandbox.py": filled(resource_kind.SANDBOX, **places),
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


def action(package: str, kind: str, new: NewAction) -> str:
    """Return the module of an action of a destination of a *kind*."""
    return filled(
        KINDS[kind].action,
        PACKAGE=package,
        MODULE=new.module,
        SLUG=new.name,
        TITLE=_text(new.shown),
        DESCRIPTION=_text(new.description or f"{new.shown}, for each event."),
        TRIGGER=_text(new.trigger),
        DETAILS=details_path(new.trigger),
    )


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

[tool.action-destinations]
kind = "{new.kind}"
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


def _connection(new: NewDestination, keys: Iterable[str]) -> str:
    prefix = new.package.upper()
    settings = "".join(f"  {key}: ${{env:{prefix}_{key.upper()}}}\n" for key in keys)
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
    package, kind = new.package, KINDS[new.kind]
    names = ["Action", "Destination", "hookimpl", *sign_in.names, *kind.names]
    standard = [*kind.standard, "from typing import TYPE_CHECKING, Any"]
    auth = ""
    if sign_in.auth:
        auth = f'''

@hookimpl
def auth(settings: Account) -> httpx.Auth:
    """Sign every request."""
{sign_in.auth}'''
    return f'''"""A destination: its definition, and the hooks that send events."""

from __future__ import annotations

{chr(10).join(standard)}

import httpx
{_imported("framework", names)}

from {package}.actions import OPERATIONS
{filled(kind.own, PACKAGE=package)}from {package}.settings import HOST, Account

if TYPE_CHECKING:
    from {package}.partner_sandbox import PartnerSandbox

_SENDERS = {{one.action.slug: one.{kind.sender} for one in OPERATIONS}}


@hookimpl
def destination() -> Destination:
    """Define the destination."""
    return Destination(
        slug="{new.name}",
        name={_text(new.shown)},
        description={_text(new.description or f"Sends events to {new.shown}.")},
        settings=Account,
        actions=[one.action for one in OPERATIONS],
{kind.arguments}    )
{auth}

@hookimpl
def check_authentication(client: httpx.Client) -> None:
    """Ask the partner whether the credentials are valid; the client raises if not."""
    client.get(f"{{HOST}}/v1/account")


{kind.hooks}

@hookimpl
def sandbox() -> PartnerSandbox:
    """Simulate the partner."""
    from {package}.partner_sandbox import PartnerSandbox

    return PartnerSandbox()
'''


def _imported(module: str, names: Iterable[str]) -> str:
    """Return an import as formatters write it: classes before functions, at most one line."""
    ordered = [*sorted(one for one in names if one[0].isupper())]
    ordered += sorted(one for one in names if not one[0].isupper())
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= LINE:
        return line
    listed = "".join(f"    {one},\n" for one in ordered)
    return f"from {module} import (\n{listed})"


def _sandbox(new: NewDestination, sign_in: SignIn) -> str:
    kind = KINDS[new.kind]
    has_tokens, rotates = bool(sign_in.state), "refresh_token" in sign_in.sample
    standard = ["import json"]
    if "b64encode" in sign_in.check:
        standard.append("from base64 import b64encode")
    standard += ["from collections.abc import Mapping", "from typing import Any"]
    if has_tokens:
        standard.append("from urllib.parse import parse_qsl")
    sample = "".join(f'    "{key}": "{value}",\n' for key, value in sign_in.sample.items())
    lifetime = "LIFETIME = 3600.0\n" if has_tokens else ""
    state = kind.state
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
        """Return the number of {"accepted items" if kind.kept == "accepted" else kind.kept}."""
        del detail
        return {{"{kind.kept}": len(self.{kind.kept})}}

    def answer(self, request: SandboxRequest) -> SandboxResponse:
        """Answer a request."""
{issuing}        if not self.is_signed_in(request):
            return SandboxResponse(401, {{"error": "unauthorized"}})
        if request.path == "/v1/account":
            return SandboxResponse(200, {{"status": "active"}})
{kind.answer}{kind.more}
    def is_signed_in(self, request: SandboxRequest) -> bool:
        """Return whether a request has valid credentials."""
{sign_in.check}{sign_in.state}'''
