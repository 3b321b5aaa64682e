"""Which delivery options apply: those of the command, else of the file, else the defaults."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from framework.cli.stores import Size
from framework.delivery_options import OPTIONS, DeliveryOptions
from framework.errors import ConfigurationError
from tests.framework.cli.conftest import Actions

HOURS = 3600.0
RUN = DeliveryOptions(retry_for=10.0, tries=8, give_up_after=4 * HOURS, rate_share=1.0)
RELAY = DeliveryOptions(tries=8, give_up_after=4 * HOURS, rate_share=0.9)
IN_FILE = {"tries": 3, "rate_share": 0.5, "max_age": "20s", "proxy": "http://proxy.test:3128"}
OF_FILE = DeliveryOptions(tries=3, rate_share=0.5, max_age=20.0, proxy="http://proxy.test:3128")

Opened = Callable[..., DeliveryOptions]


@pytest.fixture
def opened(
    run_actions: Actions, connection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Opened:
    """Return what gives the options with which a command opens its connection."""
    seen: list[DeliveryOptions] = []

    def connect(*_: Any, options: DeliveryOptions, **__: Any) -> NoReturn:
        seen.append(options)
        raise ConfigurationError("Seen.")

    def given(command: str, in_file: dict[str, Any], options: Sequence[str]) -> DeliveryOptions:
        with connection.open("a") as file:
            file.write(f"delivery: {json.dumps(in_file)}\n")
        events = tmp_path / "events.ndjson"
        events.write_text("")
        more = ["--events", events]
        if command == "relay":
            more = ["--store", f"sqlite:{tmp_path / 'events.db'}", "--write-key", "k"]
            more += ["--listen", "127.0.0.1:0"]
        done = run_actions(command, "-c", connection, *more, *options)
        assert (done.exit_code, "Seen." in done.output) == (2, True), done.output
        return seen.pop()

    monkeypatch.setattr("framework.delivery.connect", connect)
    return given


@pytest.mark.parametrize(
    ("command", "in_file", "options", "expected"),
    [
        ("run", {}, [], RUN),
        ("relay", {}, [], RELAY),
        ("run", IN_FILE, [], OF_FILE.over(RUN)),
        ("relay", IN_FILE, [], OF_FILE.over(RELAY)),
        ("run", {"retry_for": 0}, [], DeliveryOptions(retry_for=0.0).over(RUN)),
        (
            "run",
            {**IN_FILE, "retry_for": "1h"},
            ["--tries", "1", "--retry-for", "0", "--proxy", "none", "--linger", "0"],
            DeliveryOptions(tries=1, retry_for=0.0, proxy="none", linger=0.0)
            .over(OF_FILE)
            .over(RUN),
        ),
        (
            "relay",
            IN_FILE,
            ["--rate-share", "1", "--max-age", "500ms", "--time-limit", "5", "--tries", "9"],
            DeliveryOptions(rate_share=1.0, max_age=0.5, time_limit=5.0, tries=9)
            .over(OF_FILE)
            .over(RELAY),
        ),
    ],
)
def test_options_win_over_the_file_and_the_file_over_defaults(
    opened: Opened,
    command: str,
    in_file: dict[str, Any],
    options: list[str],
    expected: DeliveryOptions,
) -> None:
    assert opened(command, in_file, options) == expected


def test_the_help_names_every_option(run_actions: Actions) -> None:
    for command, left_out in (("run", set()), ("relay", {"retry_for"})):
        text = run_actions(command, "--help").output
        for option in OPTIONS:
            flag = f"--{option.name.replace('_', '-')} "
            assert (flag in text) == (option.name not in left_out)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000", 1000),
        ("1B", 1),
        ("500MB", 500_000_000),
        ("10gb", 10_000_000_000),
        ("2GiB", 2 * 1024**3),
        ("4KiB", 4096),
        (" 1TB ", 10**12),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert Size()(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5GB", "ten", "5iB", "1PB", "1 MB"])
def test_what_is_no_size_is_refused(run_actions: Actions, connection: Path, text: str) -> None:
    options = ["--store", "sqlite:x.db", "--write-key", "k", "--max-size", text]
    refused = run_actions("relay", "-c", connection, *options)
    assert refused.exit_code == 2
    told = " ".join(refused.output.split())
    assert f"`{text}` is not a size. Write it like `500MB`, `10GB` or `2GiB`." in told
