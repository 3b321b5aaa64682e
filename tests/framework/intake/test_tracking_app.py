"""The tracking API over a real loopback server."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from framework.errors import ConfigurationError
from framework.intake import IntakeOptions, IntakeServer, WriteKeys
from framework.relay import Appended, SQLiteStore
from tests.framework.intake.conftest import KEY, Stored

AUTH = (KEY, "")
EVENT = {"type": "track", "event": "Signed Up", "userId": "u1", "messageId": "m1"}
SUCCESS = b'{"success":true}'


def batch(*events: object, **more: object) -> dict[str, object]:
    return {"batch": events, **more}


def refused(response: httpx.Response) -> tuple[int, str]:
    """Return status and code of an error, whose body must be one that clients understand."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert set(body) == {"success", "code", "message"}
    assert body["success"] is False
    assert body["message"]
    return response.status_code, body["code"]


def accepted(response: httpx.Response) -> bool:
    return (response.status_code, response.content) == (200, SUCCESS)


# Routes


@pytest.mark.parametrize("path", ["batch", "b", "import"])
def test_batches_are_stored_in_order(client: httpx.Client, stored: Stored, path: str) -> None:
    events = [{**EVENT, "messageId": str(number)} for number in range(20)]
    assert accepted(client.post(f"/v1/{path}", json=batch(*events), auth=AUTH))
    assert [event["messageId"] for event in stored()] == [str(number) for number in range(20)]


@pytest.mark.parametrize("kind", ["track", "identify", "page", "screen", "group", "alias"])
@pytest.mark.parametrize("short", [False, True])
def test_single_events_are_stored(
    client: httpx.Client, stored: Stored, kind: str, *, short: bool
) -> None:
    event = {"userId": "u1", "messageId": "m1"}
    path = f"/v1/{kind[0] if short else kind}"
    assert accepted(client.post(path, json=event, auth=AUTH))
    (found,) = stored()
    assert (found["type"], found["userId"]) == (kind, "u1")


def test_a_key_feeds_its_streams_only(client: httpx.Client, stored: Stored) -> None:
    assert accepted(client.post("/v1/t", json=EVENT, auth=("other", "")))
    assert [len(stored(name)) for name in ("web", "a", "b")] == [0, 1, 1]


def test_other_paths_and_methods_are_refused(client: httpx.Client) -> None:
    for path in ("/", "/v1", "/v1/batch/", "/v2/batch", "/v1/m"):
        assert refused(client.post(path, json=EVENT, auth=AUTH)) == (404, "NOT_FOUND")
    response = client.get("/v1/batch")
    assert refused(response) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "POST, OPTIONS"


def test_refused_requests_are_counted(stuck: Stuck, keys: WriteKeys) -> None:
    stuck.failure = ZeroDivisionError("private")
    stuck.release.set()
    with (
        IntakeServer(stuck, keys) as intake,
        httpx.Client(base_url=intake.url, trust_env=False) as client,
    ):
        client.get("/v1/batch")
        client.post("/v1/m", json=EVENT, auth=AUTH)
        client.post("/v1/t", json=EVENT, auth=AUTH)
        counts = intake.counts()
        stuck._store.close()
        stuck.failure = None
    assert counts == {
        ("refused", "METHOD_NOT_ALLOWED"): 1,
        ("refused", "NOT_FOUND"): 1,
        ("refused", "INTERNAL_ERROR"): 1,
    }


@pytest.mark.parametrize("host", ["", "https://events.example.com", "a.example.com/x", "a, b", "*"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a name"):
        IntakeOptions(hosts=["events.example.com", host])


@pytest.mark.parametrize("origin", ["", "*", "null", "www.example.com", "https://a.com/page"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a scheme and a host"):
        IntakeOptions(origins=["https://www.example.com", origin])


@pytest.mark.parametrize("host", ["events.example.com:8443", "10.0.0.1", "[::1]:80", "::1"])
def test_hosts_may_be_addresses_and_have_a_port(host: str) -> None:
    assert IntakeOptions(hosts=[host], origins=["http://localhost:3000", "app://local/"])


# What is stored


def test_an_event_gets_times_and_ids(client: httpx.Client, stored: Stored) -> None:
    """The client's clock is an hour behind, as `sentAt` shows."""
    event = {
        **EVENT,
        "timestamp": "2026-11-30T05:50:00.250+00:00",
        "anonymousId": None,
        "previousId": " ",
        "writeKey": KEY,
        "context": {"traits": {"email": None}},
    }
    sent = "2026-11-30T06:00:00Z"
    assert accepted(client.post("/v1/batch", json=batch(event, sentAt=sent, writeKey=KEY)))
    assert stored() == [
        {
            **EVENT,
            "context": {"traits": {"email": None}},
            "sentAt": sent,
            "receivedAt": "2026-11-30T07:00:00.500Z",
            "originalTimestamp": "2026-11-30T05:50:00.250+00:00",
            "timestamp": "2026-11-30T06:50:00.750Z",
        }
    ]


def test_an_event_without_an_id_gets_one(client: httpx.Client, stored: Stored) -> None:
    for event in ({"event": "A"}, {"event": "A", "messageId": ""}, {"event": "A"}):
        assert accepted(client.post("/v1/track", json=event, auth=AUTH))
    ids = {event["messageId"] for event in stored()}
    assert len(ids) == 3
    assert all(len(one) == 36 for one in ids)


def test_repeated_events_are_stored_once(
    client: httpx.Client, stored: Stored, intake: IntakeServer
) -> None:
    assert accepted(client.post("/v1/batch", json=batch(EVENT, EVENT), auth=AUTH))
    more = batch(EVENT, {**EVENT, "messageId": "m2"})
    assert accepted(client.post("/v1/batch", json=more, auth=AUTH))
    assert [event["messageId"] for event in stored()] == ["m1", "m2"]
    assert intake.counts() == {("accepted", "web"): 2, ("repeated", "web"): 2}


def test_what_holds_for_a_batch_is_stored_with_each_event(
    client: httpx.Client, stored: Stored
) -> None:
    body = batch(EVENT, context={"app": 1}, integrations={"All": False})
    assert accepted(client.post("/v1/batch", json=body, auth=AUTH))
    (found,) = stored()
    assert (found["context"], found["integrations"]) == ({"app": 1}, {"All": False})


def test_text_is_stored_as_it_was_sent(client: httpx.Client, stored: Stored) -> None:
    event = {**EVENT, "properties": {"a": "\u2028ä\U0001f600\n", "n": 2**70, "f": 0.1}}
    assert accepted(client.post("/v1/track", json=event, auth=AUTH))
    (found,) = stored()
    assert found["properties"] == event["properties"]


# Bodies


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", ""]
)
def test_json_is_read_whatever_the_content_type_says(
    client: httpx.Client, stored: Stored, kind: str
) -> None:
    headers = {"content-type": kind} if kind else {}
    content = json.dumps({**EVENT, "writeKey": KEY})
    assert accepted(client.post("/v1/t", content=content, headers=headers))
    assert len(stored()) == 1


def test_packed_bodies_are_read(client: httpx.Client, stored: Stored) -> None:
    events = [{**EVENT, "messageId": str(number)} for number in range(1000)]
    text = json.dumps(batch(*events)).encode()
    packed = gzip.compress(text[:500]) + gzip.compress(text[500:])
    headers = {"content-encoding": "gzip"}
    assert accepted(client.post("/v1/batch", content=packed, headers=headers, auth=AUTH))
    assert len(stored()) == 1000


@pytest.mark.parametrize(
    ("content", "encoding", "expected"),
    [
        (b"no gzip", "gzip", (400, "INVALID_GZIP")),
        (gzip.compress(b"{}" * 1000)[:-9], "gzip", (400, "INVALID_GZIP")),
        (gzip.compress(b" " * 20_000_000), "gzip", (413, "PAYLOAD_TOO_LARGE")),
        (b" " * 5_000_000, "identity", (413, "PAYLOAD_TOO_LARGE")),
        (b" " * 30_000_000, "identity", (413, "PAYLOAD_TOO_LARGE")),
        (b"{}", "br", (415, "UNSUPPORTED_ENCODING")),
        (b"", "identity", (400, "INVALID_JSON")),
        (b"", "gzip", (400, "INVALID_JSON")),
        (b"{", "identity", (400, "INVALID_JSON")),
        (b"[]", "identity", (400, "INVALID_JSON")),
        (b"{}", "identity", (400, "INVALID_JSON")),
        (b'{"batch":3}', "identity", (400, "INVALID_JSON")),
        (b'{"batch":[{}]}', "identity", (400, "INVALID_EVENT")),
        (b"[" * 100_000, "identity", (400, "INVALID_JSON")),
    ],
    ids=range(14),
)
def test_wrong_bodies_are_refused_in_a_way_that_ends_repetition(
    client: httpx.Client, content: bytes, encoding: str, expected: tuple[int, str]
) -> None:
    headers = {"content-encoding": encoding}
    try:
        response = client.post("/v1/batch", content=content, headers=headers, auth=AUTH)
    except httpx.WriteError:
        assert len(content) > 16_000_000  # the connection ends where nothing more is read
        return
    assert refused(response) == expected
    assert "retry-after" not in response.headers


def test_chunked_bodies_have_the_same_limit(client: httpx.Client, stored: Stored) -> None:
    parts = [b'{"batch":[', json.dumps(EVENT).encode(), b"]}"]
    assert accepted(client.post("/v1/batch", content=iter(parts), auth=AUTH))
    endless = (b" " * 100_000 for _ in range(100))
    response = client.post("/v1/batch", content=endless, auth=AUTH)
    assert refused(response) == (413, "PAYLOAD_TOO_LARGE")
    assert len(stored()) == 1


def test_the_largest_body_is_accepted(client: httpx.Client, stored: Stored) -> None:
    events = [
        {**EVENT, "messageId": str(number), "properties": {"a": "x" * 30_000}}
        for number in range(139)
    ]
    text = json.dumps(batch(*events)).encode()
    text += b" " * (4 * 1024 * 1024 - len(text))
    assert accepted(client.post("/v1/batch", content=text, auth=AUTH))
    assert len(stored()) == 139


# Invalid events


def test_an_invalid_event_harms_no_other(
    client: httpx.Client,
    stored: Stored,
    intake: IntakeServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    large = json.dumps({**EVENT, "properties": {"secret": "x" * 1_000_000}})
    deep = '{"type":"track","context":' + '{"secret":' * 200 + "1" + "}" * 201
    bad = ['{"type":"track","secret":NaN}', '{"secret":1}', "3", large, deep]
    body = f'{{"batch":[{",".join([json.dumps(EVENT), *bad])}]}}'
    assert accepted(client.post("/v1/batch", content=body, auth=AUTH))
    assert [event["messageId"] for event in stored()] == ["m1"]
    assert intake.counts() == {("accepted", "web"): 1, ("invalid", "web"): 5}
    (record,) = caplog.records
    assert record.getMessage() == (
        "The stream `web` refused 5 invalid events: "
        "The item is not valid JSON: `NaN` is not a number."
    )


def test_a_body_of_invalid_events_is_refused(client: httpx.Client, intake: IntakeServer) -> None:
    response = client.post("/v1/batch", json=batch({"a": 1}, {"b": 2}), auth=AUTH)
    assert refused(response) == (400, "INVALID_EVENT")
    assert refused(client.post("/v1/t", json=[], auth=AUTH)) == (400, "INVALID_EVENT")
    assert intake.counts() == {("invalid", "web"): 3, ("refused", "INVALID_EVENT"): 2}


def test_an_empty_batch_is_accepted(client: httpx.Client, stored: Stored) -> None:
    assert accepted(client.post("/v1/batch", json=batch(), auth=AUTH))
    assert stored() == []


# Write keys


def test_the_write_key_is_in_the_header_or_in_the_body(
    client: httpx.Client, stored: Stored
) -> None:
    bodies: list[Any] = [
        batch({**EVENT, "messageId": "1"}, writeKey=KEY),
        batch({**EVENT, "messageId": "2", "writeKey": KEY}),
    ]
    for body in bodies:
        assert accepted(client.post("/v1/b", json=body))
    bearer = {"authorization": "Bearer token"}
    assert accepted(client.post("/v1/t", json={**EVENT, "writeKey": f" {KEY} "}, headers=bearer))
    assert len(stored()) == 3
    assert KEY not in json.dumps(stored())


@pytest.mark.parametrize(
    ("authorization", "key", "code"),
    [
        ("", None, "NO_WRITE_KEY"),
        ("", "", "NO_WRITE_KEY"),
        ("", 3, "NO_WRITE_KEY"),
        ("", "wrong", "UNKNOWN_WRITE_KEY"),
        ("Basic d3Jvbmc6", KEY, "UNKNOWN_WRITE_KEY"),
        ("Basic !", None, "NO_WRITE_KEY"),
        ("Basic Og==", None, "NO_WRITE_KEY"),
    ],
)
def test_unknown_keys_are_refused(
    client: httpx.Client, stored: Stored, authorization: str, key: object, code: str
) -> None:
    response = client.post(
        "/v1/batch", json=batch(EVENT, writeKey=key), headers={"authorization": authorization}
    )
    assert refused(response) == (401, code)
    assert stored() == []


def test_no_key_and_no_content_is_logged(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, store: SQLiteStore
) -> None:
    caplog.set_level(logging.DEBUG)
    for key in (KEY, "stranger"):
        client.post("/v1/batch", json=batch(EVENT, {"x": "private"}, writeKey=key))
        client.post("/v1/batch", content=b"private {", auth=(key, ""))
    log = "\n".join(record.getMessage() for record in caplog.records if "httpx" not in record.name)
    assert "UNKNOWN_WRITE_KEY" in log
    for text in (KEY, "stranger", "private", "Signed Up"):
        assert text not in log
    for file in store.path.parent.iterdir():
        if file.is_file():
            assert KEY.encode() not in file.read_bytes()


# Full, failing, stopping


def test_a_full_store_asks_for_patience(
    tmp_path: Path, keys: WriteKeys, options: IntakeOptions
) -> None:
    with (
        SQLiteStore(tmp_path / "full.db", max_events=1) as store,
        IntakeServer(store, keys, options=options) as intake,
        httpx.Client(base_url=intake.url, trust_env=False) as client,
    ):
        assert accepted(client.post("/v1/t", json=EVENT, auth=AUTH))
        response = client.post("/v1/t", json={**EVENT, "messageId": "m2"}, auth=AUTH)
        assert refused(response) == (429, "STORE_FULL")
        assert response.headers["retry-after"] == "10"
        assert str(tmp_path) not in response.text
        assert intake.counts()["refused", "STORE_FULL"] == 1


class Stuck:
    """A store whose disk is slow, or fails."""

    def __init__(self, store: SQLiteStore) -> None:
        self._store = store
        self.release = threading.Event()
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def submit(
        self, stream: str, lines: Sequence[bytes], ids: Sequence[str | None] = ()
    ) -> Future[Appended]:
        future: Future[Appended] = Future()
        future.set_running_or_notify_cancel()

        def complete() -> None:
            self.release.wait(20)
            if self.failure:
                future.set_exception(self.failure)
                return
            try:
                future.set_result(self._store.append(stream, lines, ids))
            except Exception as error:  # noqa: BLE001 - as a store does
                future.set_exception(error)

        threading.Thread(target=complete, daemon=True).start()
        return future


@pytest.fixture
def stuck(store: SQLiteStore) -> Stuck:
    return Stuck(store)


def test_requests_that_wait_for_the_store_are_bounded(stuck: Stuck, keys: WriteKeys) -> None:
    options = IntakeOptions(max_unpacked=1000)
    text = json.dumps(batch({**EVENT, "a": "x" * 900}))
    with (
        IntakeServer(stuck, keys, options=options) as intake,
        httpx.Client(base_url=intake.url, trust_env=False, timeout=30) as client,
        ThreadPoolExecutor(30) as pool,
    ):
        futures = [pool.submit(client.post, "/v1/b", content=text, auth=AUTH) for _ in range(30)]
        while sum(future.done() for future in futures) < 30 - 16:
            time.sleep(0.01)
        stuck.release.set()
        responses = [future.result() for future in futures]
    fine = [response for response in responses if accepted(response)]
    busy = [response for response in responses if response.status_code != 200]
    assert 14 <= len(fine) <= 16
    assert {refused(response) for response in busy} == {(429, "TOO_MANY_REQUESTS")}
    assert {response.headers["retry-after"] for response in busy} == {"1"}


def test_a_failing_store_is_no_success(
    stuck: Stuck, keys: WriteKeys, caplog: pytest.LogCaptureFixture
) -> None:
    stuck.failure = ZeroDivisionError("private")
    stuck.release.set()
    with (
        IntakeServer(stuck, keys) as intake,
        httpx.Client(base_url=intake.url, trust_env=False) as client,
    ):
        response = client.post("/v1/t", json=EVENT, auth=AUTH)
        assert refused(response) == (500, "INTERNAL_ERROR")
        stuck._store.close()
        stuck.failure = None
    assert "private" not in response.text + caplog.text
    assert "The intake failed: ZeroDivisionError" in caplog.text


def test_a_closed_store_may_be_open_again_later(client: httpx.Client, store: SQLiteStore) -> None:
    store.close()
    response = client.post("/v1/t", json=EVENT, auth=AUTH)
    assert refused(response) == (503, "STORE_FAILED")
    assert "retry-after" not in response.headers


def test_a_server_that_stops_completes_what_is_under_way(stuck: Stuck, keys: WriteKeys) -> None:
    intake = IntakeServer(stuck, keys)
    intake.start()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(httpx.post, f"{intake.url}/v1/t", json=EVENT, auth=AUTH)
        time.sleep(0.3)
        threading.Timer(0.5, stuck.release.set).start()
        intake.stop()
        assert accepted(under_way.result())
    assert not intake.alive
    intake.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.post(f"{intake.url}/v1/t", json=EVENT, auth=AUTH)


def test_a_server_that_stops_has_a_deadline(stuck: Stuck, keys: WriteKeys) -> None:
    intake = IntakeServer(stuck, keys)
    intake.start()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(httpx.post, f"{intake.url}/v1/t", json=EVENT, auth=AUTH)
        time.sleep(0.3)
        start = time.monotonic()
        intake.stop(0.5)
        assert time.monotonic() - start < 5
        stuck.release.set()
        assert under_way.exception() or not accepted(under_way.result())


def test_requests_before_the_start_wait(store: SQLiteStore, keys: WriteKeys) -> None:
    intake = IntakeServer(store, keys)
    with ThreadPoolExecutor(1) as pool:
        early = pool.submit(httpx.post, f"{intake.url}/v1/t", json=EVENT, auth=AUTH, timeout=20)
        time.sleep(0.2)
        assert not early.done()
        with intake:
            assert accepted(early.result())


def test_responses_are_sent_at_once(intake: IntakeServer) -> None:
    """Otherwise a client that keeps its connection waits 40 ms for the second part of each."""
    with socket.create_connection(("127.0.0.1", intake.port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 404")
        (held,) = intake._server.server_state.connections
        accepted_one = held.transport.get_extra_info("socket")
        assert accepted_one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_used_address_is_named(intake: IntakeServer, store: SQLiteStore, keys: WriteKeys) -> None:
    with pytest.raises(ConfigurationError, match=f"127.0.0.1:{intake.port} cannot be used"):
        IntakeServer(store, keys, port=intake.port)


# Hosts and pages


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("127.0.0.1", True),
        ("localhost:123", True),
        ("[::1]:80", True),
        ("Intake.Example.com", True),
        ("intake.example.com:443", True),
        ("evil.example.com", False),
        ("127.0.0.1.evil.example.com", False),
        ("[", False),
        ("", False),
    ],
)
def test_only_known_hosts_are_served(client: httpx.Client, host: str, *, fine: bool) -> None:
    response = client.post("/v1/t", json=EVENT, auth=AUTH, headers={"host": host})
    if fine:
        assert accepted(response)
    else:
        assert refused(response) == (421, "WRONG_HOST")


def test_only_the_loopback_interface_is_reached(intake: IntakeServer) -> None:
    assert intake.url == f"http://127.0.0.1:{intake.port}"
    with socket.socket() as other:  # the port is free on other addresses of the machine
        other.bind(("127.0.0.2", intake.port))


def test_pages_of_configured_origins_may_send(client: httpx.Client, stored: Stored) -> None:
    origin = {"origin": "https://shop.example.com"}
    asked = {"access-control-request-method": "POST"}
    answer = client.options("/v1/t", headers={**origin, **asked})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == origin["origin"]
    assert answer.headers["access-control-allow-methods"] == "POST"
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type"} <= set(allowed)
    assert answer.headers["vary"] == "Origin"
    response = client.post("/v1/t", json=EVENT, auth=AUTH, headers=origin)
    assert accepted(response)
    assert response.headers["access-control-allow-origin"] == origin["origin"]
    failure = client.post("/v1/t", json=[], auth=AUTH, headers=origin)
    assert refused(failure) == (400, "INVALID_EVENT")
    assert failure.headers["access-control-allow-origin"] == origin["origin"]
    assert len(stored()) == 1


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "http://shop.example.com"])
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_other_pages_may_not(
    client: httpx.Client, stored: Stored, origin: str, method: str
) -> None:
    response = client.request(
        method, "/v1/t", json={**EVENT, "writeKey": KEY}, headers={"origin": origin}
    )
    assert refused(response) == (403, "WRONG_ORIGIN")
    assert "access-control-allow-origin" not in response.headers
    assert stored() == []


def test_a_client_that_goes_away_harms_nobody(
    intake: IntakeServer, client: httpx.Client, stored: Stored
) -> None:
    head = f"POST /v1/t HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**6}\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", intake.port)) as gone:
        gone.sendall(head.encode())
    assert accepted(client.post("/v1/t", json=EVENT, auth=AUTH))
    assert len(stored()) == 1


def test_many_clients_at_once(intake: IntakeServer, stored: Stored) -> None:
    def work(number: int) -> None:
        with httpx.Client(base_url=intake.url, trust_env=False, timeout=30) as client:
            for turn in range(10):
                events = [{**EVENT, "messageId": f"{number} {turn} {one}"} for one in range(10)]
                assert accepted(client.post("/v1/batch", json=batch(*events), auth=AUTH))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    ids = [event["messageId"].split() for event in stored()]
    assert len(ids) == 800
    for number in range(8):
        mine = [(int(turn), int(one)) for client, turn, one in ids if int(client) == number]
        assert mine == sorted(mine)
