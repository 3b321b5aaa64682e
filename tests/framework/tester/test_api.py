"""What the page gets to know: the catalogue, live truth, journeys, sandboxes, examples, exports."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from framework.config import load_connection
from framework.plugins import Registry
from framework.tester import LocalServer, Setup, Workspace, warm_up
from tests.framework.delivery.talker import talking

EVENT = {
    "type": "track",
    "event": "Ordered",
    "messageId": "m1",
    "properties": {"thing": "lamp"},
    "context": {"traits": {"email": "ada@example.com"}},
}
BOX = "/api/sandboxes/actions-bazaar"


@pytest.fixture(autouse=True)
def _fresh(client: httpx.Client) -> None:
    client.post(f"{BOX}/reset", json={})


def post(client: httpx.Client, path: str, **body: Any) -> Any:
    response = client.post(f"/api/{path}", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def refused(client: httpx.Client, path: str, **body: Any) -> tuple[int, str, str]:
    response = client.post(f"/api/{path}", json=body)
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


def test_the_catalogue_leads_to_definitions(client: httpx.Client) -> None:
    (entry,) = client.get("/api/destinations").json()["destinations"]
    assert (entry["slug"], entry["hasSandbox"]) == ("actions-bazaar", True)
    told = client.get(f"/api/destinations/{entry['slug']}").json()
    assert [one["key"] for one in told["settings"]] == ["client_id", "client_secret", "region"]
    assert [one["secret"] for one in told["settings"]] == [False, True, False]
    assert told["settings"][2]["choices"][0] == {"value": "eu", "label": "Europe"}
    assert [one["slug"] for one in told["actions"]] == ["order", "note"]
    assert told["subscriptions"] == [
        {
            "name": "Orders",
            "enabled": True,
            "partnerAction": "order",
            "mapping": {
                "thing": {"@path": "$.properties.thing"},
                "pieces": 1,
                "email": {"@path": "$.context.traits.email"},
            },
            "subscribe": 'type = "track"',
        }
    ]


def test_unknown_names_are_reported_with_the_known_names(client: httpx.Client) -> None:
    response = client.get("/api/destinations/bazar")
    assert response.status_code == 404
    assert response.json()["error"] == {
        "code": "UNKNOWN_DESTINATION",
        "message": 'There is no destination "bazar". Known destinations: actions-bazaar.',
        "problems": ['There is no destination "bazar". Known destinations: actions-bazaar.'],
    }
    assert client.get("/nowhere").json()["error"]["message"] == "`/nowhere` does not exist."
    response = client.put("/api/status")
    assert response.status_code == 405
    assert sorted(response.headers["allow"].split(", ")) == ["GET", "HEAD"]
    assert response.json()["error"]["message"] == "`/api/status` does not support PUT."


def test_triggers_have_live_truth(client: httpx.Client) -> None:
    told = post(client, "trigger", trigger="event='Ordered'", events=[EVENT, {"event": "x"}])
    assert told["canonical"] == 'event = "Ordered"'
    assert [one["matched"] for one in told["verdicts"]] == [True, False]
    assert told["verdicts"][1]["tree"]["saw"] == [{"field": "event", "value": "x"}]
    assert told["verdicts"][1]["changes"][0]["text"] == 'Set `$.event` to "Ordered".'


def test_a_trigger_that_does_not_parse_points_at_the_place(client: httpx.Client) -> None:
    told = post(client, "trigger", trigger='type = "track" and event @ 3', events=[EVENT])
    assert (told["canonical"], told["verdicts"], told["offset"]) == (None, [], 25)
    assert told["error"].endswith("^")


def test_mappings_are_tried_without_settings(client: httpx.Client) -> None:
    """Whatever the trigger says, and with problems in place."""
    chosen = {
        "partnerAction": "order",
        "subscribe": "this is no trigger",
        "enabled": False,
        "mapping": {"pieces": 12},
    }
    told = post(client, "resolve", destination="actions-bazaar", subscription=chosen, event=EVENT)
    assert [(one["field"], one["isDefault"]) for one in told["mapping"]] == [
        ("thing", True),
        ("pieces", False),
        ("email", True),
    ]
    assert (told["payload"], [one["field"] for one in told["problems"]]) == (None, ["pieces"])
    chosen["mapping"] = {}
    told = post(client, "resolve", destination="actions-bazaar", subscription=chosen, event=EVENT)
    assert told["payload"] == {"thing": "lamp", "pieces": 1, "email": "ada@example.com"}
    chosen["mapping"] = {"thing": {"@case": {"operator": "loud", "value": {"@path": "$.event"}}}}
    told = post(client, "resolve", destination="actions-bazaar", subscription=chosen, event=EVENT)
    assert [(one["field"], one["code"]) for one in told["problems"]] == [("thing", "mapping")]


def test_problems_of_a_connection_have_places(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    connection["settings"]["region"] = "moon"
    connection["subscriptions"] += [
        {"name": "Orders", "partnerAction": "ordr"},
        {"partnerAction": "note", "mapping": {"txt": 1, "text": {"@nothing": 1}}},
        {"name": "Third", "partnerAction": "order", "subscribe": 'event = "a" and event @ 3'},
    ]
    told = post(client, "validate", connection=connection)["diagnostics"]
    found = [one for one in told if one["severity"] != "hint"]
    assert [(one["pointer"], one["severity"]) for one in found] == [
        ("/settings/region", "error"),
        ("/subscriptions/1/partnerAction", "error"),
        ("/subscriptions/2/partnerAction", "error"),
        ("/subscriptions/2/mapping/txt", "error"),
        ("/subscriptions/2/mapping/text/@nothing", "error"),
        ("/subscriptions/3/subscribe", "error"),
        ("/subscriptions/1/name", "warning"),
    ]
    assert found[0]["message"] == 'Setting `region` must be "eu" or "us", got "moon".'
    assert found[-1]["message"] == "Another subscription is already called `Orders`."
    assert found[-2]["offset"] == 22


def test_a_run_shows_every_journey(client: httpx.Client, connection: dict[str, Any]) -> None:
    """Each event's own outcome, the batch, the requests; by default at the pretend partner."""
    events = [EVENT, {**EVENT, "properties": {}}, {**EVENT, "event": "Order"}]
    told = post(client, "run", connection=connection, events=events)
    assert told["mode"] == "sandbox"
    assert [one["outcome"] for one in told["journeys"]] == ["delivered", "failed", "skipped"]
    assert told["counts"] == {"delivered": 1, "failed": 1, "skipped": 1}
    (leg,) = told["journeys"][0]["legs"]
    assert leg["exchanges"][1]["response"]["body"] == {"ordered": ["lamp"]}
    assert told["batches"][0]["exchanges"] == leg["exchanges"]
    assert told["journeys"][1]["legs"][0]["problems"][0]["field"] == "thing"
    assert told["journeys"][2]["nearest"]["text"] == (
        'Subscription `Orders` would match after this: Set `$.event` to "Ordered".'
    )
    rows = client.get(BOX).json()["panels"][0]["rows"]
    assert rows == [["lamp"]]


def test_a_deletion_has_a_journey_without_subscriptions(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    """The page shows its requests and its outcome."""
    told = post(client, "run", connection=connection, events=[{"type": "delete", "userId": "u7"}])
    (journey,) = told["journeys"]
    assert (journey["outcome"], journey["legs"], journey["nearest"]) == ("delivered", [], None)
    assert journey["deletion"]["batch"]["reason"] == "deletion"
    assert [one["request"]["url"] for one in journey["deletion"]["exchanges"]][-1].endswith("/u7")
    assert told["counts"]["delivered"] == 1


def test_a_connection_may_require_consent(client: httpx.Client, connection: dict[str, Any]) -> None:
    refusing = {**EVENT, "context": {"consent": {"categoryPreferences": {"Ads": False}}}}
    required = {**connection, "consent": {"categories": ["Ads"]}}
    told = post(client, "run", connection=required, events=[refusing])
    (leg,) = told["journeys"][0]["legs"]
    assert (leg["result"]["code"], leg["mapping"]) == ("NO_CONSENT", None)


def test_a_connection_may_have_filters(client: httpx.Client, connection: dict[str, Any]) -> None:
    """A run and an explanation show what each did; problems name the filter."""
    drop = {"title": "No lamps", "if": 'properties.thing = "lamp"', "actions": [{"type": "DROP"}]}
    filtered = {**connection, "filters": [drop]}
    told = post(client, "run", connection=filtered, events=[EVENT])
    (journey,) = told["journeys"]
    assert (journey["outcome"], journey["nearest"]) == ("skipped", None)
    assert journey["legs"][0]["result"]["code"] == "FILTERED"
    assert journey["filters"][0]["effect"] == "The filter `No lamps` drops the event."
    assert post(client, "explain", connection=filtered, event=EVENT)["filters"][0]["matched"]
    wrong = {**drop, "if": "type ="}
    request = {"connection": {**connection, "filters": [wrong]}, "events": [EVENT]}
    answer = client.post("/api/run", json=request)
    assert answer.status_code == 400
    assert answer.json()["error"]["problems"][0].startswith("Filter `No lamps`: Expected a value")


def test_steps_of_filters_name_their_place_in_the_connection(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    """Disabled filters count, so that a number means the same on the page and in a result."""
    drop = {"if": "all", "actions": [{"type": "DROP"}]}
    filtered = {**connection, "filters": [{**drop, "enabled": False}, drop]}
    step = post(client, "explain", connection=filtered, event=EVENT)["filters"][0]
    assert (step["index"], step["filter"]) == (1, "number 2")


def test_problems_of_filters_are_found_in_their_place(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    sample = {"type": "SAMPLE", "percent": 10}
    fields = {"type": "DROP_PROPERTIES", "fields": {"context": ["userAgnt"]}}
    filters = [
        {"if": "", "actions": []},
        {"if": 'event = "Ordered"', "actions": [{"type": "DROP"}, sample]},
        {"if": "type ==", "actions": [fields]},
    ]
    found = post(client, "validate", connection={**connection, "filters": filters})["diagnostics"]
    told = [one for one in found if one["pointer"].startswith("/filters")]
    assert [(one["pointer"], one["severity"], one["code"]) for one in told] == [
        ("/filters/0/if", "error", ""),
        ("/filters/0/actions", "error", ""),
        ("/filters/1/actions/1/percent", "error", ""),
        ("/filters/2/if", "error", "AD411"),
        ("/filters/2/actions/0/fields/context/0", "warning", "AD210"),
    ]
    assert told[2]["hint"] == "It is a share: write `0.1` for 10 percent."
    assert told[3]["offset"] == 5


def test_calls_do_not_leak_into_each_other(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    poison = {**EVENT, "properties": {"thing": "poison"}}
    failed = post(client, "run", connection=connection, events=[poison])
    assert failed["journeys"][0]["legs"][0]["result"]["status"] == 422
    told = post(client, "run", connection=connection, events=[EVENT])
    assert [len(one["exchanges"]) for one in told["batches"]] == [2]


def test_dry_runs_and_explanations_send_nothing(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    told = post(client, "dry-run", connection=connection, events=[EVENT])
    assert told["mode"] == "dry"
    assert told["batches"][0]["exchanges"][1]["request"]["method"] == "POST"
    assert post(client, "explain", connection=connection, event=EVENT)["outcome"] == "delivered"
    assert client.get(BOX).json()["calls"] == {}


def test_credentials_are_tested(client: httpx.Client, connection: dict[str, Any]) -> None:
    told = post(client, "authenticate", connection=connection)
    assert (told["ok"], told["message"]) == (True, "Bazaar accepts the credentials.")
    assert [one["response"]["statusCode"] for one in told["exchanges"]] == [200, 200]
    connection["settings"]["client_secret"] = "not-the-secret"
    told = post(client, "authenticate", connection=connection)
    assert (told["ok"], told["status"], told["code"]) == (False, 401, "invalid_client")


def test_faults_affect_the_chosen_calls(client: httpx.Client, connection: dict[str, Any]) -> None:
    state = post(client, "sandboxes/actions-bazaar/faults", kind="closed", route="orders", times=1)
    assert state["faults"]["pending"][0]["kind"] == "closed"
    told = post(client, "run", connection=connection, events=[EVENT, EVENT])
    assert {one["outcome"] for one in told["journeys"]} == {"failed"}
    assert post(client, "run", connection=connection, events=[EVENT])["counts"]["delivered"] == 1
    code = refused(client, "sandboxes/actions-bazaar/faults", kind="flood")
    assert code[:2] == (400, "INVALID_FAULT")


def test_a_sandbox_accepts_the_settings_it_is_given(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    """Its clock can be moved, and a reset forgets what happened."""
    connection["settings"] = {"client_id": "newcomer", "client_secret": "my-own-secret"}
    assert not post(client, "authenticate", connection=connection)["ok"]
    post(client, "sandboxes/actions-bazaar", settings=connection["settings"])
    assert post(client, "authenticate", connection=connection)["ok"]
    before = client.get(BOX).json()["now"]
    assert post(client, "sandboxes/actions-bazaar/clock", move=3_600)["now"] >= before + 3_600
    assert post(client, "sandboxes/actions-bazaar/reset")["calls"] == {}


def test_examples_are_made_and_kept(client: httpx.Client, examples: Path) -> None:
    made = client.get("/api/examples").json()["examples"]
    assert {"track", "identify", "audience-entered", "row-deleted"} <= {one["name"] for one in made}
    told = post(client, "examples", name="Mine", events=[EVENT])["examples"]
    assert told[-1] == {"name": "Mine", "title": "Mine", "origin": "saved", "events": [EVENT]}
    assert json.loads(examples.read_text()) == {"Mine": [EVENT]}
    left = client.delete("/api/examples/Mine").json()["examples"]
    assert "Mine" not in {one["name"] for one in left}
    assert client.delete("/api/examples/Mine").status_code == 404
    chosen = {"partnerAction": "order"}
    event = post(
        client, "examples/generate", destination="actions-bazaar", subscription=chosen, seed=4
    )["event"]
    assert event["type"] == "track"
    assert event["properties"]["thing"]


def test_a_disabled_connection_is_not_run_live(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    connection["enabled"] = False
    assert post(client, "run", connection=connection, events=[EVENT])["counts"]["delivered"] == 1
    told = refused(client, "run", connection=connection, events=[EVENT], mode="live")
    assert told[:2] == (409, "DISABLED")


def test_a_case_becomes_a_test(client: httpx.Client, connection: dict[str, Any]) -> None:
    """In the form that `actions test` reads, with what really came of the events."""
    told = post(client, "export", connection=connection, events=[EVENT], name="A lamp!")
    assert told["file"] == "a-lamp.test.yaml"
    head = "environment:\n  CLIENT_SECRET: any\ntests:\n- name: A lamp!\n  events:\n"
    assert told["text"].startswith(head)
    assert told["connection"]["file"] == "a-lamp.connection.yaml"
    assert "client_secret: ${env:CLIENT_SECRET}\n" in told["connection"]["text"]
    assert "  expect:\n  - Orders:\n      payload:\n        thing: lamp\n" in told["text"]


def test_invalid_connections_are_refused_with_every_problem(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    connection["subscriptions"][0]["subscribe"] = "type ="
    connection["subscriptions"].append({"partnerAction": "nothing", "subscribe": "a = 1"})
    status, code, message = refused(client, "run", connection=connection, events=[EVENT])
    assert (status, code) == (400, "INVALID_CONNECTION")
    assert "Expected" in message
    assert "Known actions: note, order." in message
    unknown = {**connection, "destination": "nowhere"}
    assert refused(client, "run", connection=unknown, events=[EVENT])[:2] == (
        404,
        "UNKNOWN_DESTINATION",
    )


@pytest.fixture
def filed(
    serve: Callable[..., LocalServer], registry: Registry, tmp_path: Path
) -> Iterator[httpx.Client]:
    """Return a tester that was started with a connection file."""
    del registry
    path = tmp_path / "bazaar.connection.json"
    settings = {"client_id": "trader", "client_secret": "from-the-file", "region": "us"}
    subscriptions = [{"name": "All", "partnerAction": "order", "subscribe": 'event = "Ordered"'}]
    document = {
        "destination": "actions-bazaar",
        "settings": settings,
        "subscriptions": subscriptions,
    }
    path.write_text(json.dumps(document))
    server = serve(file=load_connection(path), destination="actions-bazaar")
    headers = {"X-Actions-Token": "only-the-page-knows"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=20) as client:
        yield client


def test_secrets_of_a_connection_file_never_reach_the_page(filed: httpx.Client) -> None:
    """The page gets the rest, and sends it back without them: they are filled in."""
    told = filed.get("/api/status").json()["connection"]
    assert (told["file"], told["kept"]) == ("bazaar.connection.json", ["client_secret"])
    assert told["connection"]["settings"] == {"client_id": "trader", "region": "us"}
    run = post(filed, "run", connection=told["connection"], events=[EVENT])
    assert run["counts"]["delivered"] == 1
    assert "from-the-file" not in json.dumps(run)


def test_streams_report_events(
    client: httpx.Client, connection: dict[str, Any], serve: Callable[..., LocalServer]
) -> None:
    """A sandbox's state at once and after each change; a restart by another name."""
    with client.stream("GET", f"{BOX}/events") as stream:
        told = messages(stream)
        assert next(told) == ("state", [])
        post(client, "run", connection=connection, events=[EVENT])
        kinds, rows = next(told)
        while not rows:
            kinds, rows = next(told)
        assert (kinds, rows) == ("state", [["lamp"]])
    with client.stream("GET", "/api/changes") as stream:
        assert next(stream.iter_lines()) == "event: started"
    assert client.get("/api/sandboxes/nothing/events").status_code == 404
    assert client.get("/api/live").json()["error"]["code"] == "NO_RUN"
    del serve


def messages(stream: httpx.Response) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in stream.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            told = json.loads(line.removeprefix("data: "))
            yield kind, told["panels"][0]["rows"] if "panels" in told else told


def test_large_runs_do_not_repeat_themselves(
    client: httpx.Client, connection: dict[str, Any]
) -> None:
    """The exchanges of a batch stand with its first events, and with the batch."""
    told = post(client, "run", connection=connection, events=[EVENT] * 60)
    shown = [len(one["legs"][0]["exchanges"]) for one in told["journeys"]]
    assert shown == [2] * 50 + [0] * 10
    assert [len(one["exchanges"]) for one in told["batches"]] == [2]
    assert told["journeys"][59]["legs"][0]["batch"]["size"] == 60


def test_warming_up_leaves_no_trace(registry: Registry) -> None:
    """It runs against nothing, and its failure is nobody's concern."""
    workspace = Workspace(Setup(registry))
    warm_up(workspace)
    assert not workspace.sandbox("actions-bazaar").calls
    warm_up(Workspace(Setup(Registry({}))))


def test_live_requests_go_through_the_proxy_of_the_connection_file(
    registry: Registry, connection: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "bazaar.connection.json"
    with talking(b"HTTP/1.1 503 Sorry\r\nContent-Length: 0\r\n\r\n") as proxy:
        url = f"http://me:hunter22@127.0.0.1:{proxy.port}"
        file.write_text(json.dumps({**connection, "delivery": {"proxy": url}}))
        workspace = Workspace(Setup(registry, file=load_connection(file)))
        with workspace.open(workspace.choose(connection), "live") as opened:
            report = opened.deliver([EVENT])
    assert proxy.requests[0].startswith(b"CONNECT bazaar.test:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6aHVudGVyMjI=\r\n" in proxy.requests[0]
    assert "hunter22" not in json.dumps(report.to_json())


def test_a_run_is_followed(serve: Callable[..., LocalServer], tmp_path: Path) -> None:
    """Its outcomes as they are written, filtered, and a file that begins anew."""
    path = tmp_path / "outcomes.ndjson"
    server = serve(follows=path)
    rows = [
        {"line": 1, "subscription": "A", "outcome": "delivered", "status": 200},
        {"line": 2, "subscription": "A", "outcome": "failed", "message": "Not sold here."},
        {"line": 2, "subscription": "B", "outcome": "failed", "message": "Closed."},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    headers = {"X-Actions-Token": "only-the-page-knows"}
    query = {"outcome": "failed,rejected", "subscription": "A", "text": "SOLD"}
    with httpx.stream("GET", f"{server.url}/api/live", params=query, headers=headers) as stream:
        told = messages(stream)
        path.write_text(text + '{"line": 3, "outc')
        assert next(told) == ("outcome", rows[1])
        path.write_text("")
        restart = next(told)
        path.write_text(json.dumps(rows[1]) + "\n")
        assert restart == ("restart", {"file": "outcomes.ndjson"})
        assert next(told) == ("outcome", rows[1])
