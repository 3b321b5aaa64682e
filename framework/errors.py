"""Every exception that the framework raises, grouped by who must act.

::

    FrameworkError
      DefinitionError                 the author of a destination must act
        PluginError                     a plugin could not be loaded or registered
      ConfigurationError              whoever configured the connection must act
        SettingsError                   a setting is missing or has a wrong value
        TriggerError                    a trigger does not parse
        MappingError                    a mapping has a wrong shape
        UnknownNameError                a destination, action or field that does not exist
      StorageError                    a local file cannot be read or written: the operator must act
      IntegrationError                one delivery failed; has a status and a code
        PayloadValidationError          400: the event must change; never retried
        InvalidAuthenticationError      401: the credentials must change
        RetryableError                  try again later, perhaps after a pause
        APIError                        the partner refused; its status decides
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

RETRYABLE_STATUSES = frozenset({408, 423, 429, *(s for s in range(500, 600) if s != 501)})
"""Statuses after which the same request may succeed later (the reference retries the same)."""

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


def code_of(status: int) -> str:
    """Return the code of an HTTP status, its name as the reference spells it; else UNKNOWN_ERROR."""
    return _NAMES.get(status, "UNKNOWN_ERROR")


class FrameworkError(Exception):
    """The root: anything this framework raises on purpose."""


class DefinitionError(FrameworkError):
    """A destination is defined wrongly: its author must act.

    *problems* lists everything that is wrong, each a full sentence.
    """

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[str, ...] = tuple(problems) or (message,)


class PluginError(DefinitionError):
    """A plugin could not be loaded or registered."""


class ConfigurationError(FrameworkError):
    """A connection is configured wrongly; raised before the first event moves.

    *problems* lists everything that is wrong, each a full sentence.
    """

    def __init__(self, message: str, problems: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.problems: tuple[str, ...] = tuple(problems) or (message,)


class SettingsError(ConfigurationError):
    """A setting is missing or has a wrong value."""


class TriggerError(ConfigurationError):
    """A trigger does not parse; its text shows the place with a caret.

    *offset* counts the characters before the place, where the error has one.
    """

    offset: int | None = None


class MappingError(ConfigurationError):
    """A mapping has a wrong shape."""


class UnknownNameError(ConfigurationError):
    """A name that is not known; the text lists those that are."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], plural: str = "") -> UnknownNameError:
        """Say that there is no *kind* called *name*, with the known names and the nearest one."""
        names = sorted(known)
        import difflib  # noqa: PLC0415 - only where something is wrong

        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        listing = ", ".join(names) or "none"
        return cls(f'There is no {kind} "{name}".{hint} Known {plural or kind + "s"}: {listing}.')


class StorageError(FrameworkError):
    """A local file cannot be read or written; the text gives the system's reason."""


class IntegrationError(FrameworkError):
    """One delivery failed; it becomes a `Failed` result and is not raised further.

    *status* is the HTTP status that describes the failure, *code* a constant for machines;
    `response` is the partner's answer where one was the cause.
    """

    status = 500
    code = "INTEGRATION_ERROR"
    response: Any = None

    def __init__(self, message: str, code: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.status = status or type(self).status


class PayloadValidationError(IntegrationError):
    """The event cannot be delivered as it is (400); never retried.

    *problems* lists everything that is wrong, each a full sentence.
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
    """The credentials are refused (401)."""

    status = 401
    code = "INVALID_AUTHENTICATION"


class RetryableError(IntegrationError):
    """The same delivery may succeed later; *pause* is the wait in seconds, where known."""

    status = 503
    code = "RETRYABLE_ERROR"

    def __init__(
        self,
        message: str,
        code: str | None = None,
        status: int | None = None,
        *,
        pause: float | None = None,
    ) -> None:
        super().__init__(message, code, status)
        self.pause = pause


class APIError(IntegrationError):
    """The partner refused; its status says whether to try again."""

    status = 400
    code = "API_ERROR"
