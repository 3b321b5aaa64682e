"""In a dry run nothing reaches the outside, by whatever means a plugin tries."""

from __future__ import annotations

import asyncio
import ftplib
import http.client
import os
import smtplib
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from framework.definition import Audiences, Destination, Field, MappingHook
from framework.delivery import no_network
from framework.delivery.offline import DryRunNetworkError
from framework.errors import DefinitionError, IntegrationError
from framework.hookspecs import hookimpl
from framework.plugins import Plugin, open_plugin
from framework.results import DELIVERED, Failed, Skipped
from framework.testing import Harness
from tests.framework.delivery.bench import SEND, URL, Message, connected, module, plugin, said

ALONE = replace(SEND, batching=None)


class Listener:
    """Accepts connections on the loopback address, and counts them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]

    def reached(self) -> bool:
        """Return whether a connection was made."""
        try:
            self._socket.accept()[0].close()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


def in_thread(work: Callable[[], Any]) -> None:
    """Do *work* in a thread of the plugin's own, as a queue of a vendor's library does."""
    thread = threading.Thread(target=_quietly, args=(work,))
    thread.start()
    thread.join()


def _quietly(work: Callable[[], Any]) -> None:
    with suppress(Exception):
        work()


async def _stream(port: int) -> None:
    await asyncio.open_connection("127.0.0.1", port)


UDP = socket.SOCK_DGRAM


def by_socket(
    method: str, *given: Any, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM
) -> None:
    with socket.socket(family, kind) as opened_socket:
        getattr(opened_socket, method)(*given)


PYTHON = [sys.executable, "-c", "pass"]
WAYS: dict[str, Callable[[int], Any]] = {
    "socket": lambda port: socket.create_connection(("127.0.0.1", port), 5),
    "connect_ex": lambda port: by_socket("connect_ex", ("127.0.0.1", port)),
    "datagram": lambda port: by_socket("sendto", b"x", ("127.0.0.1", port), kind=UDP),
    "unix socket": lambda _: by_socket("connect", "/nowhere/at/all", family=socket.AF_UNIX),
    "http.client": lambda port: http.client.HTTPConnection("127.0.0.1", port, 5).request(
        "GET", "/"
    ),
    "urllib": lambda port: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5),
    "httpx": lambda port: httpx.get(f"http://127.0.0.1:{port}/", timeout=5),
    "ftplib": lambda port: ftplib.FTP().connect("127.0.0.1", port, 5),  # noqa: S321 - must not work
    "smtplib": lambda port: smtplib.SMTP("127.0.0.1", port, timeout=5),
    "asyncio": lambda port: asyncio.run(_stream(port)),
    "own thread": lambda port: in_thread(lambda: WAYS["socket"](port)),
    "thread of a thread": lambda port: in_thread(lambda: in_thread(lambda: WAYS["socket"](port))),
    "pool": lambda port: ThreadPoolExecutor(1).submit(WAYS["socket"], port).exception(),
    "name": lambda _: socket.getaddrinfo("localhost", 80),
    "gethostbyname": lambda _: socket.gethostbyname("localhost"),
    "gethostbyaddr": lambda _: socket.gethostbyaddr("127.0.0.1"),
    "subprocess": lambda _: subprocess.run(PYTHON, check=True),
    "system": lambda _: os.system("true"),  # noqa: S605, S607 - must not run
    "popen": lambda _: os.popen("true").close(),  # noqa: S605, S607 - must not run
    "spawn": lambda _: os.spawnv(os.P_WAIT, PYTHON[0], PYTHON),  # noqa: S606 - must not run
    "posix_spawn": lambda _: os.posix_spawn(PYTHON[0], PYTHON, {}),
    "fork": lambda _: os.fork() or os._exit(0),
}


def opened(perform: Callable[..., Any], **hooks: Callable[..., Any]) -> Plugin:
    return plugin(ALONE, perform=perform, **hooks)


@pytest.mark.parametrize("swallowed", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_no_way_leads_outside(way: str, listener: Listener, *, swallowed: bool) -> None:
    """Also an attempt whose refusal the plugin catches fails the event."""

    def perform() -> None:
        if swallowed:
            _quietly(lambda: WAYS[way](listener.port))
        else:
            WAYS[way](listener.port)

    with connected(opened(perform), offline=True) as connection:
        (result,) = connection.deliver([said("a")]).results
    assert isinstance(result, Failed)
    assert (result.status, result.code) == (500, "DRY_RUN_NETWORK")
    assert result.message.startswith("Destination `partner` ")
    assert result.message.endswith(
        "in a dry run by other means than `client`. Send by `client`, or declare "
        '`transport="other"` in its Destination.'
    )
    assert not listener.reached()


@pytest.mark.parametrize("hook", ["identify", "perform_batch"])
def test_other_hooks_are_guarded_too(hook: str, listener: Listener) -> None:
    hooks: dict[str, Callable[..., Any]] = {
        "perform": lambda: None,
        hook: lambda: WAYS["socket"](listener.port),
    }
    with connected(plugin(**hooks), offline=True) as connection:
        results = connection.deliver([said("a"), said("b")]).results
    assert [one.code for one in results if isinstance(one, Failed)] == ["DRY_RUN_NETWORK"] * 2
    assert not listener.reached()


def test_opening_and_checking_are_guarded(listener: Listener) -> None:
    def reach() -> Any:
        WAYS["socket"](listener.port)

    with pytest.raises(DryRunNetworkError, match="by other means than `client`"):
        connected(opened(lambda: None, auth=reach), offline=True)
    with (
        connected(opened(lambda: None, check_authentication=reach), offline=True) as connection,
        pytest.raises(DryRunNetworkError, match="by other means than `client`"),
    ):
        connection.check_authentication()
    assert not listener.reached()


def test_the_client_works() -> None:
    def perform(client: httpx.Client) -> httpx.Response:
        return client.post(URL)

    with connected(opened(perform), offline=True) as connection:
        assert connection.deliver([said("a")]).results == [DELIVERED]


def test_a_thread_that_outlives_its_call_stays_offline(listener: Listener) -> None:
    go, ended, errors = threading.Event(), threading.Event(), []

    def later() -> None:
        go.wait(10)
        try:
            WAYS["socket"](listener.port)
        except DryRunNetworkError as error:
            errors.append(error)
        ended.set()

    def perform() -> None:
        threading.Thread(target=later).start()

    with connected(opened(perform), offline=True) as connection:
        assert connection.deliver([said("a")]).results == [DELIVERED]
    go.set()
    assert ended.wait(10)
    assert len(errors) == 1
    assert not listener.reached()


def test_threads_from_before_are_offline_with_the_process(listener: Listener) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with no_network("partner"):
            error = pool.submit(WAYS["socket"], listener.port).exception()
    assert isinstance(error, DryRunNetworkError)
    assert not listener.reached()


def test_everything_else_goes_on(listener: Listener) -> None:
    """A dry delivery beside others guards itself only, and nothing is guarded afterwards."""
    inside, reached = threading.Event(), threading.Event()

    def perform() -> None:
        inside.set()
        assert reached.wait(10)

    def other() -> None:
        assert inside.wait(10)
        WAYS["socket"](listener.port).close()
        reached.set()

    thread = threading.Thread(target=other)
    thread.start()
    with connected(opened(perform), offline=True) as connection:
        assert connection.deliver([said("a")]).results == [DELIVERED]
    thread.join()
    assert listener.reached()
    WAYS["socket"](listener.port).close()
    assert listener.reached()
    with connected(opened(lambda: WAYS["socket"](listener.port).close())) as connection:
        assert connection.deliver([said("a")]).results == [DELIVERED]
    assert listener.reached()


def other_transport(**hooks: Callable[..., Any]) -> Plugin:
    destination = Destination(slug="files", name="Files", transport="other")
    return open_plugin(module(SEND, destination=lambda: destination, **hooks))


def test_a_destination_without_http_is_not_called() -> None:
    called: list[str] = []

    def perform_batch() -> None:
        called.append("performed")

    def preview(payloads: list[Message], key: dict[str, Any]) -> Any:
        return {"rows": [one.text for one in payloads], "room": key["room"], "key": {1}}

    hooks: dict[str, Callable[..., Any]] = {"perform_batch": perform_batch, "preview": preview}
    with connected(other_transport(**hooks), offline=True) as connection:
        report = connection.deliver([said("a", "r"), said("b", "r")])
    assert called == []
    skipped = Skipped(
        "DRY_RUN",
        "The destination sends by other means than HTTP, so a dry run does not call it.",
    )
    assert report.results == [skipped, skipped]
    shown = {"rows": ["a", "b"], "room": "r", "key": "<set>"}
    assert [one.to_json()["preview"] for one in report.batches] == [shown]


@pytest.mark.parametrize(
    "preview", [None, lambda: 1 / 0, lambda: sys.exit(3), lambda: WAYS["name"](0)]
)
def test_a_preview_that_fails_is_shown(preview: Callable[..., Any] | None) -> None:
    hooks: dict[str, Callable[..., Any]] = {} if preview is None else {"preview": preview}
    with connected(other_transport(perform=lambda: None, **hooks), offline=True) as connection:
        report = connection.deliver([said("a")])
    assert [type(one) for one in report.results] == [Skipped]
    (sent,) = report.batches
    if preview:
        assert sent.to_json()["preview"]["outcome"] == "failed"
    else:
        assert "preview" not in sent.to_json()


def test_a_destination_without_http_is_called_otherwise(listener: Listener) -> None:
    perform = hookimpl(lambda: WAYS["socket"](listener.port).close())
    hooks = {"perform_batch": perform}
    with connected(other_transport(**hooks)) as connection:
        assert connection.deliver([said("a")]).results == [DELIVERED]
    assert listener.reached()
    with Harness(other_transport(**hooks), {"key": "1234"}) as harness:
        assert harness.run_action("send", said("a"), defaults=True).result == DELIVERED
    assert listener.reached()


@pytest.mark.parametrize("transport", ["ftp", "", None, "HTTP"])
def test_unknown_transports_are_refused(transport: Any) -> None:
    with pytest.raises(DefinitionError, match="`transport` must be `http` or `other`"):
        Destination(slug="x", name="X", transport=transport)


@pytest.mark.parametrize("way", ["socket", "own thread", "subprocess", "name"])
def test_a_harness_fails_the_test(way: str, listener: Listener) -> None:
    """Unless the test gives a transport: then it decides what may be reached."""
    destination = module(ALONE, perform=lambda: WAYS[way](listener.port))
    with (
        Harness(destination, {"key": "1234"}) as harness,
        pytest.raises(AssertionError, match="in a dry run by other means than `client`"),
    ):
        harness.run_action("send", said("a"), defaults=True)
    assert not listener.reached()


def test_a_harness_with_a_transport_guards_nothing(listener: Listener) -> None:
    destination: SimpleNamespace = module(
        ALONE, perform=lambda: WAYS["socket"](listener.port).close()
    )
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with Harness(destination, {"key": "1234"}, transport=transport) as harness:
        assert harness.run_action("send", said("a"), defaults=True).result == DELIVERED
    assert listener.reached()


def test_functions_of_declared_values_are_guarded_too(listener: Listener) -> None:
    """Choices, mapping hooks, audiences, and what requests have in common."""

    def reach(_: Any) -> Any:
        return WAYS["socket"](listener.port)

    send = replace(
        SEND,
        payload={"room": Field(dynamic=True)},
        batching=None,
        dynamic={"room": reach},
        hooks=[MappingHook(kind="onMappingSave", label="Room", run=reach)],
    )
    lists = Audiences(create=reach, get=reach)
    destination = Destination(slug="partner", name="Partner", audience=lists)
    hooks: dict[str, Any] = {
        "destination": lambda: destination,
        "perform": lambda client: client.get("https://partner.test"),
        "extend_request": lambda: WAYS["socket"](listener.port),
    }
    with connected(plugin(send, **hooks), offline=True) as connection:
        (result,) = connection.deliver([said("a")]).results
        assert isinstance(result, Failed)
        error = connection.choices("send", "room").error
        assert error is not None
        assert result.code == error.code == "DRY_RUN_NETWORK"
        for ask in (
            lambda: connection.save_mapping("send", "onMappingSave", {}),
            lambda: connection.create_audience("spring"),
            lambda: connection.get_audience("L1"),
        ):
            with pytest.raises(IntegrationError, match="by other means than `client`"):
                ask()
    assert not listener.reached()


def test_the_rates_of_settings_are_guarded(listener: Listener) -> None:
    def reach(_: Any) -> Any:
        return WAYS["socket"](listener.port)

    destination = Destination(slug="partner", name="Partner", rates=reach)
    with pytest.raises(DryRunNetworkError, match="by other means than `client`"):
        connected(plugin(destination=lambda: destination, perform=lambda: None), offline=True)
    assert not listener.reached()
