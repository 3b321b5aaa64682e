"""`actions explain` shows why an event is delivered or not, and sends nothing."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from framework.cli import exits
from framework.cli.app import actions

CONNECTION = Path(__file__).parents[3] / "examples" / "criteo" / "criteo.connection.yaml"
EVENT = {
    "type": "track",
    "event": "Audience Entered",
    "messageId": "m1",
    "properties": {"audience_key": "spring"},
    "context": {"traits": {"email": "ada@example.com"}},
}


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRITEO_CLIENT_ID", "an-app")
    monkeypatch.setenv("CRITEO_CLIENT_SECRET", "hidden-secret")


def explain(text: str, *options: str) -> Result:
    command = ["explain", "-c", str(CONNECTION), "--event", "-", *options]
    return CliRunner().invoke(actions, command, input=text)


def test_a_delivery_is_explained_stage_by_stage() -> None:
    result = explain(json.dumps(EVENT))

    assert result.exit_code == 0
    assert result.output == (
        "Event m1\n"
        "  Add users (addUserToAudience) matches\n"
        "    ✓ and\n"
        '      ✓ type = "track"   (`type` is "track")\n'
        '      ✓ event = "Audience Entered"   (`event` is "Audience Entered")\n'
        '    audience_key = "spring"   from $.properties.audience_key\n'
        '    event = "Audience Entered"   from $.event\n'
        '    email = "ada@example.com"   from $.context.traits.email\n'
        "    hash_emails = true\n"
        "    enable_batching = true\n"
        '    identifier_type = "email"\n'
        '    batch of 1 by audience_key "spring", identifier_type "email"\n'
        "  Remove users (removeUserFromAudience) does not match\n"
        "    ✗ and\n"
        '      ✓ type = "track"   (`type` is "track")\n'
        '      ✗ event = "Audience Exited"   (`event` is "Audience Entered")\n'
        "\n"
    )


def test_the_sandbox_shows_calls_and_outcome_without_secrets() -> None:
    result = explain(json.dumps(EVENT), "--sandbox")

    assert "audience-segments/70001/contact-list -> 200\n" in result.output
    assert "    outcome: delivered\n" in result.output
    assert "hidden-secret" not in result.output


@pytest.mark.parametrize("options", [(), ("--sandbox",)])
def test_an_invalid_payload_is_explained(options: tuple[str, ...]) -> None:
    result = explain(json.dumps({**EVENT, "context": {}}), *options)

    assert result.exit_code == 1
    assert (
        "    ! Field `email` of action `addUserToAudience` is required when `identifier_type` is "
        '"email"; its mapping `$.context.traits.email` found nothing in the event.\n'
        f"      --> {CONNECTION}:28:7\n"
    ) in result.output
    assert "    outcome: failed PAYLOAD_VALIDATION_FAILED: Field `email`" in result.output


def test_the_smallest_change_is_suggested_if_nothing_matches() -> None:
    result = explain('{"type": "page"}')

    assert result.output.splitlines()[-3:-1] == [
        (
            "  No subscription matches. Subscription `Add users` would match after this: "
            'Set `$.type` to "track". Set `$.event` to "Audience Entered".'
        ),
        f"    --> {CONNECTION}:23:16",
    ]


OWN_MAPPING = """\
destination: actions-criteo-audiences
settings: {advertiser_id: "1", client_id: a, client_secret: "${env:CRITEO_CLIENT_SECRET}"}
filters:
  - if: context.traits.email = "no@example.com"
    actions: [{type: DROP}]
subscriptions:
  - partnerAction: removeUserFromAudience
    enabled: false
  - partnerAction: addUserToAudience
    subscribe: type = "track"
    mapping:
      email: {"@path": $.properties.email}
"""


def test_findings_name_their_place_in_the_connection_file(tmp_path: Path) -> None:
    """A missing value with the path that has it, and a filter; disabled subscriptions count."""
    file = tmp_path / "c.connection.yaml"
    file.write_text(OWN_MAPPING)
    dropped = {**EVENT, "context": {"traits": {"email": "no@example.com"}}}
    command = ["explain", "-c", str(file), "--event", "-"]
    text = "\n".join(map(json.dumps, (EVENT, dropped, {"type": "page"})))
    lines = CliRunner().invoke(actions, command, input=text).output.splitlines()
    at = lines.index(f"      --> {file}:12:14")
    assert lines[at - 1].endswith(" The event has a value at `$.context.traits.email`.")
    assert lines[at + 1] == (
        '      = To read it, write `email: {"@path": "$.context.traits.email"}`.'
    )
    assert "  addUserToAudience matches" in lines
    at = lines.index(f"    --> {file}:4:5")
    assert lines[at - 1].startswith("  ✓ filter number 1: DROP")
    assert f"    --> {file}:10:16" in lines
    traces = json.loads(CliRunner().invoke(actions, [*command, "--json"], input=text).output)
    (problem,) = traces[0]["legs"][0]["problems"]
    assert problem["elsewhere"] == "$.context.traits.email"
    assert problem["place"] == {"line": 12, "column": 14}
    assert traces[1]["filters"][0]["place"] == {"line": 4, "column": 5}
    assert traces[2]["nearest"]["place"] == {"line": 10, "column": 16}


def test_several_events_are_explained_together() -> None:
    lines = "\n".join(
        json.dumps(
            {
                **EVENT,
                "messageId": name,
                "context": {"traits": {"email": f"{name}@example.com"}},
            }
        )
        for name in ("a", "b")
    )

    traces = json.loads(explain(lines, "--json").output)

    assert [(one["messageId"], one["outcome"]) for one in traces] == [
        ("a", "delivered"),
        ("b", "delivered"),
    ]
    assert [leg["batch"]["mates"] for one in traces for leg in one["legs"] if leg["batch"]] == [
        [1],
        [0],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{",
            (
                "standard input:1: The line is not valid JSON: Expecting property name enclosed in "
                "double quotes (column 2).\n"
            ),
        ),
        (
            "[1]",
            "standard input:1: An event must be a JSON object, but the line holds a number.\n",
        ),
        (
            '{"event": "Audience Entered"}',
            'standard input:1: The object has no `type` (such as "track"), so it is no event.\n',
        ),
    ],
)
def test_an_invalid_event_is_refused(text: str, message: str) -> None:
    result = explain(text)

    assert result.output == message
    assert result.exit_code == exits.FAILED


@pytest.mark.parametrize("levels", [201, 990, 1_500, 100_000])
@pytest.mark.parametrize("form", ["{}", "[{}]", "{}\n{{}}\n"])
def test_a_deeply_nested_event_is_refused(levels: int, form: str) -> None:
    deep = '{"a":' * levels + "1" + "}" * levels
    result = explain(form.format(deep))
    assert result.exit_code == exits.FAILED
    assert "standard input:1: The line is nested deeper than 200 levels.\n" in result.output


@pytest.mark.parametrize("form", ["{}", "[{}]", '{}\n{{"type":"page"}}\n'])
def test_an_event_may_be_nested_up_to_the_limit(form: str) -> None:
    deep = json.dumps(EVENT)[:-1] + ', "deep":' + "[" * 199 + "]" * 199 + "}"
    assert explain(form.format(deep), "--json").exit_code == exits.DONE


def test_a_bad_line_costs_one_line(tmp_path: Path) -> None:
    """The others are explained; compressed files and other encodings are read as by `run`."""
    good = [json.dumps({**EVENT, "messageId": name}) for name in ("a", "b")]
    file = tmp_path / "events"
    file.write_bytes(gzip.compress("\n".join([good[0], "{bad", good[1]]).encode("utf-16")))
    command = ["explain", "-c", str(CONNECTION), "--event", str(file), "--json"]
    result = CliRunner().invoke(actions, command)
    assert [one["messageId"] for one in json.loads(result.stdout)] == ["a", "b"]
    assert result.stderr == (
        f"{file}:2: The line is not valid JSON: Expecting property name enclosed in double quotes "
        "(column 2).\n"
    )
    assert result.exit_code == exits.FAILED


def test_an_envelope_is_unpacked_on_request() -> None:
    body = json.dumps({"batch": [{**EVENT, "messageId": "a"}, {**EVENT, "messageId": "b"}]})
    refused, unpacked = explain(body), explain(body, "--unpack")
    assert "It looks like the request body of a tracking client, with 2 events" in refused.output
    assert refused.exit_code == exits.FAILED
    assert unpacked.stderr == "Unpacked: the request body of a tracking client (1).\n"
    assert (unpacked.stdout.count("\nEvent b"), unpacked.exit_code) == (1, exits.DONE)


def test_cost_grows_with_the_events_only() -> None:
    """A trace names some other events of its batch, and only the first ones repeat requests."""
    sizes = []
    for number in (300, 600):
        people = [{"traits": {"email": f"{one}@example.com"}} for one in range(number)]
        lines = [json.dumps({**EVENT, "context": person}) for person in people]
        output = explain("\n".join(lines), "--json").output
        batches = [one["legs"][0]["batch"] for one in json.loads(output)]
        assert {(len(one["mates"]), one["others"]) for one in batches} == {(50, number - 1)}
        sizes.append(len(output))
    assert sizes[1] < 2.6 * sizes[0]


def test_endless_input_is_refused_by_name() -> None:
    command = ["explain", "-c", str(CONNECTION), "--event", "/dev/zero"]
    result = CliRunner().invoke(actions, command)
    assert result.output.startswith("Error: `/dev/zero` looks like binary data")
    assert result.exit_code == exits.USAGE


def many(number: int) -> str:
    """Return events of 4,000 bytes each about different people; 30 or so are a portion."""
    events = [
        {
            **EVENT,
            "messageId": f"m{one}",
            "context": {"traits": {"email": f"{one}@example.com"}},
            "padding": "x" * 4_000,
        }
        for one in range(number)
    ]
    return "\n".join(map(json.dumps, events))


def test_a_file_is_explained_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions are counted on: positions, batches and their events, and lines."""
    monkeypatch.setattr("framework.events.reading.PORTION", 10)
    traces = json.loads(explain(many(200), "--json").stdout)
    assert [one["messageId"] for one in traces] == [f"m{one}" for one in range(200)]
    assert [one["position"] for one in traces] == list(range(200))
    assert [one["line"] for one in traces] == list(range(1, 201))
    batches = [one["legs"][0]["batch"] for one in traces]
    assert {batch["index"] for batch in batches} == set(range(batches[-1]["index"] + 1))
    assert batches[-1]["index"] > 0
    for batch in batches:
        assert {batches[mate]["index"] for mate in batch["mates"]} <= {batch["index"]}


def test_lines_are_explained_on_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framework.events.reading.PORTION", 10)
    text = many(200).replace("\n", "\n[1]\n", 1) + "\n\nnever read"
    found = explain(text, "--json", "--line", "201", "--line", "1")
    assert [(one["line"], one["messageId"]) for one in json.loads(found.stdout)] == [
        (1, "m0"), (201, "m199"),
    ]  # fmt: skip
    assert (found.stderr, found.exit_code) == ("", exits.DONE)
    missing = explain(text, "--line", "202")
    assert (missing.exit_code, "no event in line 202." in missing.stderr) == (exits.USAGE, True)
    invalid = explain(text, "--line", "2", "--line", "3")
    assert invalid.stderr == (
        "standard input:2: An event must be a JSON object, but the line holds a list.\n"
    )
    assert invalid.exit_code == exits.FAILED


def test_every_invalid_line_is_named() -> None:
    text = "\n".join(["[1]"] * 300 + [json.dumps(EVENT)])
    result = explain(text)
    assert [line.split(":")[1] for line in result.stderr.splitlines()] == [
        str(line) for line in range(1, 301)
    ]
    assert result.exit_code == exits.FAILED


def calls_of(work: Callable[[], object]) -> int:
    """Return the number of calls of Python functions while something is done."""
    number = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal number
        number += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return number


@pytest.mark.parametrize("command", ["explain", "validate"])
def test_the_work_grows_with_the_number_of_events(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times as many events take about four times as many calls, across portions."""
    monkeypatch.setattr("framework.events.reading.PORTION", 50)
    file = tmp_path / "events.ndjson"

    def run() -> None:
        options = (
            ["validate", str(CONNECTION), "--events", str(file)]
            if command == "validate"
            else ["explain", "-c", str(CONNECTION), "--event", str(file)]
        )
        assert CliRunner().invoke(actions, options).exit_code == exits.DONE

    counts = []
    for number in (1, 40, 160):
        file.write_text(many(number))
        counts.append(calls_of(run))
    _, few, more = counts
    assert more - few < 3.3 * few
