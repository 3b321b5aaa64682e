"""Refused requests: their statuses and bodies keep clients from repeating them in vain.

Official clients repeat 408, 410, 429 and 5xx, and one of them every error without a `code`.
Therefore an invalid request gets another status, and every body has a code and a message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response


class RefusedRequest(Exception):  # noqa: N818 - a response, no error
    """A request is refused with *status*, *code* and *message*.

    *retry_after* are the whole seconds after which a client may repeat it; None for a request that
    cannot succeed.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """Return the response."""
        body = {"success": False, "code": self.code, "message": self.message}
        more = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
        return Response(
            json.dumps(body, separators=(",", ":")),
            self.status,
            {**(headers or {}), **more},
            "application/json",
        )
