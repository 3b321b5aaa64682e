"""Texts of destinations that send by other means than HTTP: lines that are appended to a file."""

from __future__ import annotations

from typing import Final

from framework.scaffolding.action_texts import MESSAGE, operation_text
from framework.scaffolding.batch_kind import CHECKED, RESULT_OF

OPERATION: Final = '''"""What an action is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from framework import Action


class Operation(NamedTuple):
    """The definition of an action, and the function that returns what is written of a payload."""

    action: Action
    line_of: Callable[[Any], str]
'''

_OPERATION: Final = operation_text("line_of", "batching=Batching(max_size=1_000)")

ACTION: Final = f'''"""An action: what is written of an event."""

from __future__ import annotations

import json
from typing import Any

from framework import Action, Batching, Payload, field

from %PACKAGE%.actions.operation import Operation


{MESSAGE}

def line_of(payload: Message) -> str:
    """Return the line of a payload."""
    return json.dumps({{"action": "%MODULE%", **item_of(payload)}})


{_OPERATION}'''

SETTINGS: Final = '''"""The settings of a connection."""

from __future__ import annotations

from framework import Settings, field


class Account(Settings):
    """What a connection needs to open its resource."""

    path: str = field("Path", "File to which lines are appended.")
'''

HOOKS: Final = '''"""A destination: its definition, and the hooks that write events."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from framework import Action, Destination, Failed, hookimpl

from %PACKAGE%.actions import OPERATIONS
from %PACKAGE%.settings import Account

if TYPE_CHECKING:
    from %PACKAGE%.partner_sandbox import PartnerSandbox

_LINES = {one.action.slug: one.line_of for one in OPERATIONS}


@hookimpl
def destination() -> Destination:
    """Define the destination."""
    return Destination(
        slug="%SLUG%",
        name=%NAME%,
        description=%DESCRIPTION%,
        settings=Account,
        actions=[one.action for one in OPERATIONS],
        transport="other",
    )


@hookimpl
def open_resource(settings: Account) -> AbstractContextManager[TextIO]:
    """Open the file once for a connection; the framework closes it."""
    return Path(settings.path).open("a", encoding="utf-8")


@hookimpl
def identify(payloads: Sequence[Any]) -> list[str | Failed]:
    """Return the user that each payload is about; an empty one fails."""
    return [one.user_id.strip() for one in payloads]


@hookimpl
def preview(action: Action, payloads: Sequence[Any]) -> list[str]:
    """Return what a dry run shows."""
    return [_LINES[action.slug](one) for one in payloads]


@hookimpl
def perform_batch(action: Action, payloads: Sequence[Any], resource: TextIO) -> None:
    """Write a batch; if that raises, the events are retried."""
    resource.write("".join(f"{_LINES[action.slug](one)}\\n" for one in payloads))
    resource.flush()


@hookimpl
def sandbox() -> PartnerSandbox:
    """Replace the file."""
    from %PACKAGE%.partner_sandbox import PartnerSandbox

    return PartnerSandbox()
'''

SANDBOX: Final = '''"""A replacement for the file, in memory."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from framework.sandbox import Sandbox


class PartnerSandbox(Sandbox):
    """Keeps the lines that are written."""

    name = %NAME%

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.file = io.StringIO()

    def settings(self) -> dict[str, Any]:
        """Return settings."""
        return {"path": "sandbox.ndjson"}

    def describe(self, detail: str) -> dict[str, Any]:
        """Return the number of lines."""
        del detail
        return {"lines": self.file.getvalue().count("\\n")}

    def resource(self) -> AbstractContextManager[io.StringIO]:
        """Open the file in memory."""
        return nullcontext(self.file)
'''

_OF_FILES = CHECKED[: CHECKED.index("def test_credentials_are_checked")]
_CERTIFIED = CHECKED[CHECKED.index("def test_the_destination_is_certified") :]

TESTS: Final = f'''"""Events reach the sandbox, and the destination is certified."""

from __future__ import annotations

import pytest
from framework import Delivered, Failed, Result
from framework.testing import Harness, certify, generate_event

import %PACKAGE%
from %PACKAGE%.actions import OPERATIONS

SLUGS = [one.action.slug for one in OPERATIONS]


{RESULT_OF}

{_OF_FILES}{_CERTIFIED}'''
