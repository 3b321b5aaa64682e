"""Every exception that the framework raises, grouped by who can fix the problem.

::

    FrameworkError
      DefinitionError                 the destination's code is invalid: for its author
        PluginError                     a plugin could not be loaded or registered
      ConfigurationError              the connection's configuration is invalid: for its operator
        SettingsError                   a setting is missing or invalid
        TriggerError                    a trigger does not parse
        MappingError                    a mapping is invalid
        UnknownNameError                a destination, action or field does not exist
      PluginExitError                 a hook tried to end the process: for its author
      StorageError                    a local file cannot be read or written: for the operator
        StoreFullError                  a store of events has no room for more
      OwnershipLostError              another process works for the connection now
      IntegrationError                one delivery failed; has a status and a code
        PayloadValidationError          400: the event is invalid; never retried
        InvalidAuthenticationError      401: the credentials are invalid
        RetryableError                  a retry may succeed, perhaps after a pause
        APIError                        the partner rejected the request; the status decides
        Stopped                         408: a call exceeded its time limit, or the run is aborted
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple, TypeAlias

RETRYABLE_STATUSES = frozenset({408, 423, 429, *(s for s in range(500, 600) if s != 501)})
"""HTTP statuses after which a retry may succeed (the same as Segment's implementation)."""

_NAMES: Final = {
    **{status.value: status.name for status in HTTPStatus},
    306: "SWITCH_PROXY",
    413: "PAYLOAD_TOO_LARGE",
    414: "URI_TOO_LONG",
    416: "RANGE_NOT_SATISFIABLE",
    422: "UNPROCESSABLE_ENTITY",
    499: "CANCELLED",
    509: "BANDWIDTH_LIMIT_EXCEEDED",
    529: "SITE_IS_OVERLOADED",
}


Scope: TypeAlias = Literal["event", "connection"]
"""What a failure concerns: the events of the request, or the whole connection.

A failure of the connection, such as a withdrawn consent, stops a run; its events stay open.
"""


def how_to_install(extra: str) -> str:
    """Return what to type to install what an *extra* of this distribution needs."""
    return f"pip install 'action-destinations[{extra}]', or '.[{extra}]' in a checkout"


class ErrorDescription(NamedTuple):
    """What a partner's error response says; the hook `describe_error` returns it.

    *code* is for programs, *text* for people; either may be empty. *scope* says what the failure
    concerns; None leaves that to the framework, which decides by status and address.
    """

    code: str = ""
    text: str = ""
    scope: Scope | None = None


def code_of(status: int) -> str:
    """Return the code of an HTTP status: its name in Segment's implementation, or UNKNOWN_ERROR."""
    return _NAMES.get(status, "UNKNOWN_ERROR")


class FrameworkError(Exception):
    """The base class of all exceptions that the framework raises."""


class DefinitionError(FrameworkError):
    """A destination's definition is invalid; its author must change it.

    *problems* lists all problems, each a full sentence.
    """

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[str, ...] = tuple(problems) or (message,)


class PluginError(DefinitionError):
    """A plugin could not be loaded or registered."""


class ConfigurationError(FrameworkError):
    """A connection's configuration is invalid; raised before any event is delivered.

    *problems* lists all problems, each a full sentence.
    """

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[str, ...] = tuple(problems) or (message,)


class SettingsError(ConfigurationError):
    """A setting is missing or invalid."""


class TriggerError(ConfigurationError):
    """A trigger does not parse; the message marks the position with a caret.

    *offset* is the number of characters before the position, or None.
    """

    offset: int | None = None


class MappingError(ConfigurationError):
    """A mapping is invalid."""


class UnknownNameError(ConfigurationError):
    """A name does not exist; the message lists the known ones."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], plural: str = "") -> UnknownNameError:
        """Return the error for an unknown *name*, with the known names and the closest one."""
        names = sorted(known)
        import difflib  # noqa: PLC0415 - needed for errors only

        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        listing = ", ".join(names) or "none"
        return cls(f'There is no {kind} "{name}".{hint} Known {plural or kind + "s"}: {listing}.')


class PluginExitError(FrameworkError):
    """A hook raised an exception that ends processes, such as SystemExit; a mistake of its author.

    *kind* is the name of that exception.
    """

    def __init__(self, hook: str, kind: str) -> None:
        super().__init__(f"Hook `{hook}` raised {kind}. A hook must return or raise an Exception.")
        self.kind = kind


class StorageError(FrameworkError):
    """A local file cannot be read or written; the message gives the system's reason."""


class StoreFullError(StorageError):
    """A store of events has reached its limit, or its disk is full; nothing was stored."""


class OwnershipLostError(FrameworkError):
    """Another process works for the connection now, or its cursor was dropped.

    Whatever the owner was about to do must not be done.
    """


class IntegrationError(FrameworkError):
    """One delivery failed; the framework turns it into a `Failed` result.

    *status* is the HTTP status of the failure, *code* a constant for programs, *scope* says whether
    it concerns the events or the whole connection; `response` is the partner's response, if one
    caused the failure.
    """

    status = 500
    code = "INTEGRATION_ERROR"
    scope: Scope = "event"
    response: Any = None

    def __init__(
        self,
        message: str,
        code: str | None = None,
        status: int | None = None,
        *,
        scope: Scope | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.scope = scope or type(self).scope


class PayloadValidationError(IntegrationError):
    """The event is invalid (400); never retried.

    *problems* lists all problems, each a full sentence.
    """

    status = 400
    code = "PAYLOAD_VALIDATION_FAILED"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        status: int | None = None,
        *,
        problems: Iterable[str] = (),
    ) -> None:
        super().__init__(message, code, status)
        self.problems: tuple[str, ...] = tuple(problems) or (message,)


class InvalidAuthenticationError(IntegrationError):
    """The credentials are invalid (401), which concerns the whole connection."""

    status = 401
    scope = "connection"
    code = "INVALID_AUTHENTICATION"


class RetryableError(IntegrationError):
    """A retry may succeed; *pause* is the time to wait in seconds, if known."""

    status = 503
    code = "RETRYABLE_ERROR"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        status: int | None = None,
        *,
        pause: float | None = None,
        scope: Scope | None = None,
    ) -> None:
        super().__init__(message, code, status, scope=scope)
        self.pause = pause


class APIError(IntegrationError):
    """The partner rejected the request; *status* decides whether it is retried."""

    status = 400
    code = "API_ERROR"


class Stopped(IntegrationError):  # noqa: N818 - a request to end the call, not a mistake
    """The call has to end: it exceeded its time limit, or the run is aborted (408)."""

    status = 408
    code = "TIME_LIMIT"

    def __init__(self, message: str = "The call was stopped.") -> None:
        super().__init__(message)
