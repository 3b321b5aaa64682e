"""`actions run` and other commands with tables, and `actions rows`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import click
import pytest
from click.testing import Result

from framework.cli import exits
from framework.cli.run import run
from framework.events import CHANGES, CHANGES_OF_MODE
from framework.sandbox import Fault, Sandbox

Actions: TypeAlias = Callable[..., Result]

CONNECTION = """\
destination: shop
settings: {customer: us, key: "${env:SHOP_KEY}"}
subscriptions:
  - name: Orders
    partnerAction: order
    subscribe: type = "track" and event != "deleted"
"""
CSV_WITHOUT_KEY = (
    "`now.csv` looks like CSV, whose first line names columns, but events are read as JSON, one "
    "object per line. Nothing was sent. Name its key columns with --key to read its rows as events."
)
BEFORE = "thing,note\ntea,1\nmilk,1\nsalt,1\n"
NOW = "thing,note\nmilk,2\npepper,\nsalt,1\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONNECTION)
    Path("before.csv").write_text(BEFORE)
    Path("now.csv").write_text(NOW)
    return tmp_path


def sold(sandbox: Sandbox) -> list[str]:
    things: list[str] = sandbox.state()["sold"]
    return things


def test_rows_are_delivered(run_actions: Actions, shop: str, shop_sandbox: Sandbox) -> None:
    result = run_actions(
        "run", "-c", "c.yaml", "--endpoint", shop, "-e", "now.csv", "--key", "thing", "--json"
    )
    assert (result.stderr, result.exit_code) == ("", exits.DONE)
    assert json.loads(result.stdout)["lines"] == 3
    assert sold(shop_sandbox) == ["milk", "pepper", "salt"]


def test_a_difference_is_resumed_and_then_known_as_completed(
    run_actions: Actions, shop: str, shop_sandbox: Sandbox
) -> None:
    """Only what was not confirmed is sent again; another snapshot is another file."""
    command = ("run", "-c", "c.yaml", "--endpoint", shop, "--key", "thing", "-e", "now.csv",
               "--retry-for", "0", "--json")  # fmt: skip
    shop_sandbox.inject(Fault("closed", "order", call=2))
    stopped = run_actions(*command, "--before", "before.csv")
    assert stopped.exit_code == exits.UNAVAILABLE, stopped.output
    assert sold(shop_sandbox) == ["milk"]
    resumed = run_actions(*command, "--before", "before.csv")
    assert (resumed.stderr, resumed.exit_code) == ("", exits.DONE)
    assert sold(shop_sandbox) == ["milk", "pepper"]
    assert run_actions(*command, "--before", "before.csv").exit_code == exits.DONE
    assert sold(shop_sandbox) == ["milk", "pepper"]
    for other in ((), ("--before", "before.csv", "--user-id", "thing")):
        refused = run_actions(*command, *other)
        assert refused.exit_code == exits.USAGE
        assert "does not match the events file `now.csv`" in refused.stderr


def test_several_tables_are_delivered_one_after_the_other(
    run_actions: Actions, shop: str, shop_sandbox: Sandbox
) -> None:
    """In the order of their names; each line is a row, which can be selected."""
    command = ("run", "-c", "c.yaml", "--endpoint", shop, "--key", "thing", "-e")
    assert run_actions(*command, "*.csv").exit_code == exits.DONE
    assert sold(shop_sandbox) == ["tea", "milk", "salt", "milk", "pepper", "salt"]
    part = run_actions(*command, "now.csv", "--from-line", 2, "--limit", 1, "--restart")
    assert part.exit_code == exits.DONE
    assert sold(shop_sandbox)[6:] == ["pepper"]


def test_explain_and_validate_read_tables(run_actions: Actions) -> None:
    explained = run_actions(
        "explain", "-c", "c.yaml", "--event", "now.csv", "--key", "thing", "--json"
    )
    assert [one["outcome"] for one in json.loads(explained.stdout)] == ["delivered"] * 3
    checked = run_actions("validate", "c.yaml", "--events", "now.csv", "--key", "thing")
    assert (checked.stdout, checked.exit_code) == ("No problems found.\n", exits.DONE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--before", "before.csv"), "--before: these apply to tables, which are read with --key."),
        (("--key", "thing", "--follow"), "--follow does not apply to tables; leave out it or --k"),
        (("--key", "thing", "--unpack"), "--unpack does not apply to tables; leave out it or --k"),
        (("--key", "thing", "--sync-mode", "add"), "--sync-mode applies to the difference to a t"),
        (("--key", "thing", "--max-deleted", "9%"), "--max-deleted applies to the difference to "),
        (("--key", "thing", "--before", "before.csv", "--max-deleted", "x"), "`x` is not a share"),
        (("--key", "thing", "--before", "before.csv", "--max-deleted", "101%"), "`101%` is not a "),
        (("--key", "thing", "--before", "before.csv", "--change", "new"), "--change names all"),
        (("--key", "thing", "--before", "before.csv", "-e", "before.csv"), "--before applies"),
        (("--key", "name"), "`now.csv` has no column `name`, which --key names."),
        ((), CSV_WITHOUT_KEY),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(
    run_actions: Actions, options: tuple[str, ...], message: str
) -> None:
    result = run_actions("run", "-c", "c.yaml", "-e", "now.csv", "--sandbox", *options)
    assert (message in result.stderr, result.exit_code) == (True, exits.USAGE), result.stderr


def test_rows_are_printed(run_actions: Actions) -> None:
    result = run_actions("rows", "now.csv", "--key", "thing", "--before", "before.csv")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(event["event"], event["properties"]["thing"]) for event in events] == [
        ("deleted", "tea"),
        ("updated", "milk"),
        ("new", "pepper"),
    ]
    counted = run_actions("rows", "now.csv", "--key", "thing", "--before", "now.csv", "--count")
    assert (counted.stdout, counted.exit_code) == ("no changes\n", exits.DONE)
    missing = run_actions("rows", "now.csv")
    assert (missing.exit_code, "Name the key columns" in missing.stderr) == (exits.USAGE, True)


def test_the_options_offer_every_change_and_sync_mode() -> None:
    """They are listed there again, so that the help imports nothing."""
    choices = {
        name: tuple(option.type.choices)
        for option in run.params
        if isinstance(option.type, click.Choice)
        for name in [option.name]
    }
    assert choices["change"] == CHANGES
    assert choices["sync_mode"] == tuple(CHANGES_OF_MODE)
