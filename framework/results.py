"""The result of one event: Delivered, Failed, Skipped or Unconfirmed, and their JSON form.

`Accepted` is the result of an event whose job the partner finishes later.

Results are immutable; results without details are shared, so that fifty thousand delivered events
need one object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from framework.errors import (
    RETRYABLE_STATUSES,
    IntegrationError,
    PayloadValidationError,
    RetryableError,
    Scope,
    code_of,
)

NOT_RETRYABLE: Final = frozenset({"RESULT_COUNT", "RESULT_TYPE"})
"""Codes of failures that happen after the request was sent, whatever their status."""

Reporter: TypeAlias = Literal["framework", "partner"]
"""Who reported the failure: the framework itself or the partner's API."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The partner accepted the event.

    *status* is an HTTP status; *body* is the partner's response for this event, if there is one.
    """

    status: int = 200
    body: Any = field(default=None, hash=False)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object with its kind in `outcome`."""
        body = {} if self.body is None else {"body": self.body}
        return {"outcome": "delivered", "status": self.status, **body}


@dataclass(frozen=True, slots=True)
class Failed:
    """The event was not delivered.

    *status* (an HTTP status) and *code* classify the failure, *message* is for people, *problems*
    lists all problems if there are several. *pause* is the time to wait in seconds, if the partner
    gave one; *body* is the partner's response for this event, if known. With *scope* `connection`
    every other event would fail, too: a run stops, and its events stay open.
    """

    status: int
    code: str
    message: str
    reporter: Reporter = "framework"
    problems: tuple[str, ...] = ()
    pause: float | None = field(default=None, compare=False)
    body: Any = field(default=None, hash=False)
    scope: Scope = "event"

    @property
    def retryable(self) -> bool:
        """Whether a retry with the same event may succeed."""
        if self.reporter == "framework" and self.code in NOT_RETRYABLE:
            return False
        return self.status in RETRYABLE_STATUSES

    @property
    def concerns_connection(self) -> bool:
        """Whether every other event would fail, too: by scope, or for lack of access (401)."""
        return self.scope == "connection" or self.status == 401

    @classmethod
    def by_status(cls, status: int, message: str, code: str = "", *, body: Any = None) -> Failed:
        """Return the Failed result for an HTTP status; the default *code* is the status's name.

        With a *body* the reporter is the partner.
        """
        reporter: Reporter = "framework" if body is None else "partner"
        return cls(status, code or code_of(status), message, reporter, body=body)

    @classmethod
    def from_error(cls, error: IntegrationError, reporter: Reporter = "partner") -> Failed:
        """Return the Failed result for an exception raised in a delivery."""
        pause = error.pause if isinstance(error, RetryableError) else None
        problems = error.problems if isinstance(error, PayloadValidationError) else ()
        told = (error.status, error.code, str(error), reporter, problems)
        return cls(*told, pause, scope=error.scope)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object with its kind in `outcome`."""
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
    """The event was not sent, as intended; *code* and *reason* say why."""

    code: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object with its kind in `outcome`."""
        return {"outcome": "skipped", "code": self.code, "message": self.reason}


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """The event was sent; whether the partner accepted or refused it, the response does not say.

    For partners that accept a batch in part and do not name every payload that they refuse: such a
    result is for each payload that may be one of them. It is not retried.
    """

    code: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object with its kind in `outcome`."""
        return {"outcome": "unconfirmed", "code": self.code, "message": self.reason}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The partner has accepted the payloads of a call as a job that it finishes later.

    *ticket* names the job at the partner; the function `poll` of the action asks for it. *results*
    holds the results that are known already, one for each payload, None where the job decides.
    The job is first asked for *after* seconds, by default those of `Job.first`.
    """

    ticket: str
    results: Sequence[Delivered | Failed | Skipped | Unconfirmed | None] | None = field(
        default=None, hash=False
    )
    after: float | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object with its kind in `outcome`."""
        return {"outcome": "accepted", "ticket": self.ticket}


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """A check of a connection without an event: what was looked at, and what was found.

    *name* is one or two words, such as `contact lists`; *text* is a sentence. A warning does not
    keep events from being delivered, a failed check does.
    """

    name: str
    text: str
    state: Literal["ok", "warning", "failed"] = "ok"

    def to_json(self) -> dict[str, str]:
        """Return the check as a JSON object."""
        return {"name": self.name, "state": self.state, "text": self.text}


@dataclass(frozen=True, slots=True)
class RefreshedToken:
    """What the hook `refresh` has obtained for a refresh token.

    *refresh_token* replaces the one that was exchanged, if the partner has issued another.
    *expires_in* is the lifetime of the access token in seconds; without it, the token serves until
    it is refused.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: float | None = None


Result: TypeAlias = Delivered | Failed | Skipped | Unconfirmed | Accepted

DELIVERED = Delivered()
"""The shared result of delivered events without details."""
