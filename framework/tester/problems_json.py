"""Refused requests as data: a status, a code for programs and a message."""

from __future__ import annotations

from typing import Any

from framework.errors import FrameworkError


class ApiRefusal(Exception):  # noqa: N818 - an answer, not an accident
    """A request with an error response: *status*, *code*, and every problem."""

    def __init__(self, status: int, code: str, message: str, problems: Any = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.problems = list(problems) or [message]

    @classmethod
    def of(cls, status: int, code: str, error: FrameworkError) -> ApiRefusal:
        """Return the refusal for an error of the framework."""
        return cls(status, code, str(error), getattr(error, "problems", ()))

    def to_json(self) -> dict[str, Any]:
        """Return the response's body."""
        return {"error": {"code": self.code, "message": str(self), "problems": self.problems}}
