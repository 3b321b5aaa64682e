"""Where alerts are sent: a command that is run, or a URL that is called."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Final, Protocol

import httpx

from framework.delivery import Redactor, make_transport
from framework.errors import ConfigurationError

COMMAND_SECONDS: Final = 30.0
"""Seconds after which a command is ended."""

URL_SECONDS: Final = 10.0
"""Seconds after which a request is given up."""

_MAX_OUTPUT: Final = 4096
"""Bytes of a command's output that are kept."""

_RETRY_AFTER: Final = 1.0
_LOOK: Final = 0.1
_LEAST_TOKEN: Final = 12
"""Characters of the shortest part of a URL that counts as a secret."""


class AlertNotice(Protocol):
    """Sends alerts somewhere."""

    name: str
    """What it is, for the log."""

    def send(self, document: bytes) -> tuple[str, str]:
        """Send an alert as JSON text; return why it failed (empty: it did not) and any output."""

    def stop(self) -> None:
        """Give up what is being sent, and send nothing more."""


class AlertCommand:
    """Runs a command with an alert on its standard input, for at most *seconds*.

    The command is started without a shell and with the environment of this process. What it has
    started itself is ended with it after *seconds*.
    """

    name = "command"

    def __init__(self, arguments: Sequence[str], seconds: float = COMMAND_SECONDS) -> None:
        self._arguments = list(arguments)
        self._seconds = seconds
        self._stopped = False

    def send(self, document: bytes) -> tuple[str, str]:
        """Run the command."""
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command
                self._arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"It cannot be started: {error.strerror or error}.", ""
        assert process.stdin
        assert process.stdout
        with process.stdout as output:
            with suppress(OSError), process.stdin as given:  # it need not read the document
                given.write(document)
            text = self._output(process, output)
        if process.returncode is None:
            _end(process)
            reason = "The relay stops." if self._stopped else f"It took over {self._seconds:g} s."
            return reason, text
        return f"Its exit code is {process.returncode}." if process.returncode else "", text

    def stop(self) -> None:
        """End the command that is running, and run no more."""
        self._stopped = True

    def _output(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> str:
        """Return the beginning of the output when the process has ended or its time is up."""
        end = time.monotonic() + self._seconds
        kept = b""
        os.set_blocking(output.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while True:
                ended = process.poll() is not None
                ready = selector.select(0 if ended else _LOOK)
                more = os.read(output.fileno(), 65_536) if ready else b""
                kept = (kept + more)[:_MAX_OUTPUT]
                if (ended and not more) or self._stopped or time.monotonic() >= end:
                    return kept.decode(errors="replace").strip()
                if ready and not more:  # closed: nothing to wait for but the end
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_LOOK)


class AlertURL:
    """Posts alerts to *url*, each for at most *seconds*, and once more after a temporary failure.

    The URL may hold a secret; no text that is returned holds its longer parts.
    Raises ConfigurationError for another scheme or an address without host.
    """

    name = "URL"

    def __init__(self, url: str, seconds: float = URL_SECONDS) -> None:
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:
            self._url = httpx.URL()
        if self._url.scheme not in {"http", "https"} or not self._url.host:
            raise ConfigurationError(
                "The address must have http or https, like https://alerts.example.com/a."
            )
        parts = [*self._url.path.split("/"), *self._url.params.values(), self._url.password]
        tokens = [one for one in parts if len(one) >= _LEAST_TOKEN]
        self._redactor = Redactor([url, *tokens])
        self._client = httpx.Client(
            transport=make_transport(),
            timeout=seconds,
            headers={"Content-Type": "application/json", "User-Agent": "action-destinations"},
        )
        self._stopped = threading.Event()

    def send(self, document: bytes) -> tuple[str, str]:
        """Post the document."""
        reason, temporary = self._post(document)
        if temporary and not self._stopped.wait(_RETRY_AFTER):
            reason, _ = self._post(document)
        return self._redactor.text(reason), ""

    def stop(self) -> None:
        """End the request that is under way, and send no more."""
        self._stopped.set()
        self._client.close()

    def _post(self, document: bytes) -> tuple[str, bool]:
        """Return why a request failed, and whether it may succeed if it is repeated."""
        try:
            status = self._client.post(self._url, content=document).status_code
        except (httpx.HTTPError, RuntimeError) as error:  # RuntimeError: closed meanwhile
            return f"{type(error).__name__}: {error}", not self._stopped.is_set()
        if status < 300:
            return "", False
        return f"The response has status {status}.", status == 429 or status >= 500


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started in its session."""
    with suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
