"""What hooks return or raise, as one result per payload, redacted."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import httpx

from framework.delivery.client import Client
from framework.delivery.exchanges import Redactor
from framework.delivery.holding import OneAnswer
from framework.delivery.hook_failures import miscounted, misplaced, mistyped
from framework.delivery.result_checks import body_of, clean_result, problems_of
from framework.errors import DefinitionError, IntegrationError, PluginExitError, StorageError
from framework.results import DELIVERED, Accepted, Delivered, Failed, Result, Skipped, Unconfirmed

_RESULTS: Final = (Delivered, Failed, Skipped, Unconfirmed)


class HookAnswers:
    """Reads what hooks of the destination called *slug* return and raise.

    What they raise unexpectedly is logged with its traceback, or raised again if *strict*.
    """

    def __init__(
        self,
        slug: str,
        client: Client,
        redactor: Redactor,
        logger: logging.Logger,
        *,
        strict: bool,
    ) -> None:
        self._slug = slug
        self._client = client
        self._redactor = redactor
        self._logger = logger
        self._strict = strict

    def guarded(self, hook: str, call: Callable[[], Any]) -> Any:
        """Return what *call* of a hook or function returns, or the Failed for its exception."""
        try:
            return call()
        except IntegrationError as error:
            return self._failed(hook, error)
        except StorageError as error:  # of the state that calls share, such as the rate limit
            failed = IntegrationError(str(error), "STORE_FAILED", 503, scope="connection")
            return self._failed(hook, failed)
        except (Exception, SystemExit, GeneratorExit) as error:
            if self._strict:
                raise
            if isinstance(error, DefinitionError):  # such as a sandbox without a method
                return Failed(500, "INTERNAL_ERROR", self._redactor.text(str(error)))
            name = self._slug
            trace = self._redactor.text(traceback.format_exc())
            self._logger.error("Destination `%s` failed unexpectedly.\n%s", name, trace)  # noqa: TRY400 - the traceback is redacted first
            kind = error.kind if isinstance(error, PluginExitError) else type(error).__name__
            return Failed(500, "INTERNAL_ERROR", f"Destination `{name}` raised {kind}.")

    def results_of(self, hook: str, answer: Any, size: int) -> list[Result]:
        """Return one result per payload: nothing means delivered, one answer applies to all."""
        if answer is None or answer is DELIVERED:
            return [DELIVERED] * size
        if isinstance(answer, (httpx.Response, Accepted, *_RESULTS)):
            return self._of_one(hook, answer, size)
        if hook == "perform" or not isinstance(answer, list | tuple):
            return [mistyped(hook, answer)] * size
        if len(answer) != size:
            return [miscounted(hook, size, answer)] * size
        fit: dict[int, Result] = {id(DELIVERED): DELIVERED}  # many are often the same object
        return [fit.get(id(one)) or fit.setdefault(id(one), self.fit(hook, one)) for one in answer]

    def _of_one(self, hook: str, answer: Any, size: int) -> list[Result]:
        """Return the results of all payloads by one answer."""
        if isinstance(answer, httpx.Response):
            return OneAnswer([self._of_response(hook, answer)] * size)
        if not isinstance(answer, Accepted):
            return OneAnswer([self.fit(hook, answer)] * size)
        if hook not in {"perform", "perform_batch"}:
            return [misplaced(hook, answer)] * size
        return [self._accepted(hook, answer, size)] * size

    def _accepted(self, hook: str, answer: Accepted, size: int) -> Result:
        early = answer.results
        if isinstance(early, list | tuple) and len(early) != size:
            return miscounted(hook, size, early)
        if early is not None:
            early = [one if one is None else self.fit(hook, one) for one in early]
        checked: Result = self._checked(f"Hook `{hook}` returned", replace(answer, results=early))
        return checked

    def fit(self, hook: str, result: Any, kinds: tuple[type, ...] = _RESULTS) -> Any:
        """Return a result of a hook, redacted, or Failed for a value that is not a result."""
        if not isinstance(result, kinds):
            return misplaced(hook, result)
        return self._checked(f"Hook `{hook}` returned", result)

    def _checked(self, what: str, result: Any) -> Any:
        """Return a result, redacted, or the Failed for a result that is impossible."""
        problems = "; ".join(problems_of(result))
        if problems:
            kind = type(result).__name__
            article = "an" if kind[0] in "AU" else "a"
            return Failed(500, "RESULT_TYPE", f"{what} {article} {kind}: {problems}.")
        return clean_result(result, self._redactor)

    def _failed(self, hook: str, error: IntegrationError) -> Failed:
        response = error.response
        if not isinstance(response, httpx.Response):
            raised = f"Hook `{hook}` raised {type(error).__name__}, which is"
            failed: Failed = self._checked(raised, Failed.from_error(error, "framework"))
            return failed
        redacted = clean_result(Failed.from_error(error, "partner"), self._redactor)
        assert isinstance(redacted, Failed)
        body = self._body(response)
        return redacted if body is None else replace(redacted, body=body)

    def _of_response(self, hook: str, response: httpx.Response) -> Result:
        status, body = response.status_code, self._body(response)
        if response.is_success:
            return DELIVERED if status == 200 and body is None else Delivered(status, body)
        try:
            return self._failed(hook, self._client.error_of(response))
        except RuntimeError:  # a response without a request, made by hand
            failed = Failed.by_status(status, f"The partner answered {status}.", body=body)
            return replace(failed, reporter="partner")

    def _body(self, response: httpx.Response) -> Any:
        """Return the body of a response if the delivery is recorded: JSON, else text, else None."""
        return body_of(response, self._redactor.hide) if self._client.recorder.active else None
