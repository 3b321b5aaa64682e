"""What became of one event: Delivered, Failed or Skipped, and their JSON form.

A result is an immutable value; results without details are shared, so that fifty thousand
delivered events cost one object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from framework.errors import (
    RETRYABLE_STATUSES,
    IntegrationError,
    PayloadValidationError,
    RetryableError,
    code_of,
)

Reporter: TypeAlias = Literal["framework", "partner"]
"""Who refused: the framework itself or the partner's API."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The partner accepted the event.

    *body* is what the partner answered for it, where it answered for single events.
    """

    status: int = 200
    body: Any = field(default=None, hash=False)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object; `outcome` is its kind."""
        body = {} if self.body is None else {"body": self.body}
        return {"outcome": "delivered", "status": self.status, **body}


@dataclass(frozen=True, slots=True)
class Failed:
    """The event was not delivered.

    *status* and *code* classify the failure, *message* is for people, *problems* lists every
    problem where there are several. *pause* is the wait in seconds that the partner asked for,
    *body* what the partner answered, where that is known.
    """

    status: int
    code: str
    message: str
    reporter: Reporter = "framework"
    problems: tuple[str, ...] = ()
    pause: float | None = field(default=None, compare=False)
    body: Any = field(default=None, hash=False)

    @property
    def retryable(self) -> bool:
        """Return whether the same event may be delivered later, unchanged."""
        return self.status in RETRYABLE_STATUSES

    @classmethod
    def by_status(cls, status: int, message: str, code: str = "", *, body: Any = None) -> Failed:
        """Return the failure that an HTTP status stands for; without *code* it gets the status's.

        With a *body* it is the partner who refused.
        """
        reporter: Reporter = "framework" if body is None else "partner"
        return cls(status, code or code_of(status), message, reporter, body=body)

    @classmethod
    def from_error(cls, error: IntegrationError, reporter: Reporter = "partner") -> Failed:
        """Turn an exception of a delivery into the result of its events."""
        pause = error.pause if isinstance(error, RetryableError) else None
        problems = error.problems if isinstance(error, PayloadValidationError) else ()
        return cls(error.status, error.code, str(error), reporter, problems, pause)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object; `outcome` is its kind."""
        problems = {"problems": list(self.problems)} if self.problems else {}
        body = {} if self.body is None else {"body": self.body}
        return {
            "outcome": "failed",
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "reporter": self.reporter,
            "retryable": self.retryable,
            **problems,
            **body,
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing was sent for the event, rightly; *code* and *reason* say why."""

    code: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object; `outcome` is its kind."""
        return {"outcome": "skipped", "code": self.code, "message": self.reason}


Result: TypeAlias = Delivered | Failed | Skipped

DELIVERED = Delivered()
"""The shared result of an event about which there is nothing more to say."""
