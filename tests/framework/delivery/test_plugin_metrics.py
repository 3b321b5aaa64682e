"""What destinations count of their own work: names, labels, bounds, and where it is shown."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client.core import CounterMetricFamily

import framework.monitoring.metrics
from framework import Action, Destination, Payload, PluginMetrics, field, hookimpl
from framework.cli.app import actions
from framework.delivery import metric_text
from framework.delivery.plugin_metrics import MAX_NAMES, MAX_SERIES, OTHER, OTHER_NAME
from framework.relay import WorkerStatus
from framework.testing import Harness, make_event
from tests.relaying import KEY, RelayProcess, until


def test_counts_are_added_up_by_labels() -> None:
    metrics = PluginMetrics()
    metrics.count("rows")
    metrics.count("rows", 3)
    metrics.count("calls", 2, kind="new", dry=True, tries=3)
    metrics.count("calls", 0, tries=3, dry=True, kind="new")
    labels = (("dry", "true"), ("kind", "new"), ("tries", "3"))
    assert metrics.counts() == {("rows", ()): 4, ("calls", labels): 2}
    assert metric_text(("rows", ())) == "rows"
    assert metric_text(("calls", labels)) == 'calls{dry="true",kind="new",tries="3"}'


def test_names_and_labels_are_bounded() -> None:
    metrics = PluginMetrics()
    for number in range(MAX_SERIES + 7):
        metrics.count("rows", user=f"u{number}")
    found = metrics.counts()
    assert len(found) == MAX_SERIES + 1
    assert found["rows", (("user", OTHER),)] == 7
    for number in range(MAX_NAMES + 4):
        metrics.count(f"name_{number}", kind="a")
    assert metrics.counts()[OTHER_NAME, ()] == 5


def test_values_that_say_too_much_are_not_shown() -> None:
    """Neither what looks like an address, nor what is redacted, nor a text of any length."""
    metrics = PluginMetrics(lambda text: text.replace("sesame", "<redacted>"))
    for value in ("ada@example.com", "key-sesame", "x" * 65, "two words", 'a"b', ""):
        metrics.count("rows", of=value)
    assert metrics.counts() == {("rows", (("of", OTHER),)): 6}


@pytest.mark.parametrize(
    ("name", "number", "labels", "problem"),
    [
        ("Rows", 1, {}, "`Rows` cannot be the name of a metric or label."),
        ("rows", 1, {"Kind": "a"}, "`Kind` cannot be the name of a metric or label."),
        ("rows", 1, {"connection": "a"}, "`connection` cannot be the name of a metric or label."),
        ("rows", -1, {}, "The metric `rows` can be increased by an integer from 0 on."),
        ("rows", 1.5, {}, "The metric `rows` can be increased by an integer from 0 on."),
        ("rows", 1, dict.fromkeys("abcdef", "x"), "The metric `rows` has more than 5 labels."),
        ("known", 1, {"of": "a"}, "The labels of the metric `known` are always these: kind."),
    ],
)
def test_what_cannot_be_counted_is_refused(
    name: str, number: Any, labels: dict[str, str], problem: str
) -> None:
    metrics = PluginMetrics()
    metrics.count("known", kind="a")
    with pytest.raises(ValueError, match="metric") as caught:
        metrics.count(name, number, **labels)
    assert str(caught.value) == problem
    assert metrics.counts() == {("known", (("kind", "a"),)): 1}


def test_threads_lose_no_count() -> None:
    metrics = PluginMetrics()

    def work() -> None:
        for _ in range(2_000):
            metrics.count("rows", kind="a")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert metrics.counts() == {("rows", (("kind", "a"),)): 8_000}


class Line(Payload):
    """A line of text."""

    text: str = field("Text", "What to keep.", mapping={"@path": "$.event"})


@pytest.fixture
def counting() -> Iterator[ModuleType]:
    """Yield a destination that counts lines by their length, each alone or in batches."""
    module = ModuleType("counting_destination")

    @hookimpl
    def destination() -> Destination:
        action = Action(slug="keep", title="Keep", trigger='type = "track"', payload=Line)
        return Destination(slug="counting", name="Counting", actions=[action], transport="other")

    @hookimpl
    def perform(payload: Line, metrics: PluginMetrics) -> None:
        metrics.count("lines", size="long" if len(payload.text) > 3 else "short")

    module.destination, module.perform = destination, perform  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_a_harness_knows_what_was_counted(counting: ModuleType) -> None:
    """Over all of its calls, by some labels or all."""
    with Harness(counting) as harness:
        for text in ("tea", "lemonade", "milk"):
            harness.run_action("keep", make_event(event=text), defaults=True)
        assert harness.counted("lines", size="long") == 2
        assert harness.counted("lines") == 3
        assert harness.counted("other") == 0


def test_a_run_shows_what_was_counted(
    counting: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    points = f"[action_destinations]\ncounting = {counting.__name__}\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("destination: counting\nsubscriptions: [{partnerAction: keep}]\n")
    events = [{"type": "track", "event": text} for text in ("tea", "lemonade", "milk")]
    Path("e.ndjson").write_text("".join(f"{json.dumps(event)}\n" for event in events))
    command = ["run", "-c", "c.yaml", "-e", "e.ndjson", "--restart"]
    shown = CliRunner().invoke(actions, command)
    assert shown.exit_code == 0, shown.output
    assert 'lines{size="long"}               2\n' in shown.stdout
    as_json = json.loads(CliRunner().invoke(actions, [*command, "--json"]).stdout)
    assert as_json["metrics"] == [
        {"name": "lines", "labels": {"size": "long"}, "count": 2},
        {"name": "lines", "labels": {"size": "short"}, "count": 1},
    ]


PLUGIN = """
from framework import Action, Destination, Payload, field, hookimpl

class Line(Payload):
    text: str = field("Text", mapping={"@path": "$.event"})

@hookimpl
def destination():
    action = Action(slug="keep", title="Keep", trigger='type = "track"', payload=Line)
    return Destination(slug="counting", name="Counting", actions=[action], transport="other")

@hookimpl
def perform_batch(payloads, metrics):
    metrics.count("lines", len(payloads), batch="yes")
"""


def test_the_metrics_of_a_relay_have_what_was_counted(tmp_path: Path) -> None:
    """By a process that delivers what is posted to it."""
    info = tmp_path / "counting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[action_destinations]\ncounting = counting_batches\n")
    (tmp_path / "counting_batches.py").write_text(PLUGIN)
    file = tmp_path / "c.yaml"
    file.write_text("destination: counting\nname: lines\nsubscriptions: [{partnerAction: keep}]\n")
    options = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--write-key", KEY]
    line = [sys.executable, "-m", "framework", "relay", "-c", str(file), *options]
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    environment = {**os.environ, "PYTHONPATH": paths}
    with RelayProcess([*line, "--store", f"sqlite:{tmp_path / 'events.db'}"], environment) as relay:
        relay.post([{"type": "track", "event": text, "messageId": text} for text in ("a", "b")])
        counted = 'actions_plugin_lines_total{batch="yes",connection="lines"}'
        ordered = 'actions_plugin_lines_total{connection="lines",batch="yes"}'
        until(lambda: any(relay.metrics().get(one) == 2 for one in (counted, ordered)))
        code, _, errors = relay.terminate()
    assert code == 0, errors


def status(connection: str, metrics: dict[Any, int]) -> WorkerStatus:
    return WorkerStatus(
        connection=connection, stream="events", state="delivering", failure="", results={},
        dead_letters=0, statuses={}, metrics=metrics,
    )  # fmt: skip


def test_a_relay_shows_what_was_counted_by_connection() -> None:
    """Destinations that use one name with other labels share a family."""
    workers = [
        status("ads", {("rows", (("kind", "new"),)): 3, ("calls", ()): 1}),
        status("crm", {("rows", (("of", "a"),)): 2}),
    ]
    families = [*framework.monitoring.metrics._of_plugins(workers)]
    assert all(isinstance(one, CounterMetricFamily) for one in families)
    samples = {
        (one.name, tuple(one.labels.items())): one.value
        for family in families
        for one in family.samples
    }
    assert samples == {
        ("actions_plugin_calls_total", (("connection", "ads"),)): 1,
        ("actions_plugin_rows_total", (("connection", "ads"), ("kind", "new"), ("of", ""))): 3,
        ("actions_plugin_rows_total", (("connection", "crm"), ("kind", ""), ("of", "a"))): 2,
    }
