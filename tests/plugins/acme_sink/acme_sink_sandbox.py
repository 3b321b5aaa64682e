"""A file in memory."""

import io
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from framework.paths import JSON
from framework.sandbox import Sandbox


class SinkSandbox(Sandbox):
    """Keeps what is written; `opened` counts how often it was opened."""

    name = "Acme Sink"

    def __init__(self) -> None:
        super().__init__()
        self.file = io.StringIO()
        self.opened = 0

    def settings(self) -> dict[str, JSON]:
        """Return settings."""
        return {"path": "/nowhere/at-all"}

    def resource(self) -> AbstractContextManager[Any]:
        """Open the file in memory."""
        self.opened += 1
        return nullcontext(self.file)
