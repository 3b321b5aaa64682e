"""A database is a resource whose `with` blocks end transactions, and close nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from typing import Any

from framework import (
    Action,
    Batching,
    Destination,
    Payload,
    Settings,
    field,
    hookimpl,
    open_plugin,
)
from framework.paths import JSON
from framework.sandbox import Sandbox
from framework.testing import certify


class Place(Settings):
    """Where the rows go."""

    path: str = field("Path", "Of the database.")


class Row(Payload):
    """One row."""

    text: str = field("Text", "What to keep.", mapping={"@path": "$.event"})


class RowsSandbox(Sandbox):
    """Rows in memory."""

    def settings(self) -> dict[str, JSON]:
        return {"path": "rows.db"}

    def resource(self) -> AbstractContextManager[Any]:
        database = sqlite3.connect(":memory:", check_same_thread=False)
        database.execute("create table rows (text)")
        return closing(database)


class Rows:
    """A destination that keeps rows."""

    @hookimpl
    def destination(self) -> Destination:
        keep = Action(
            slug="keep",
            title="Keep",
            description="Keep a row.",
            trigger='type = "track"',
            payload=Row,
            batching=Batching(max_size=100),
        )
        return Destination(
            slug="rows",
            name="Rows",
            description="Rows of a table.",
            settings=Place,
            actions=[keep],
            transport="other",
        )

    @hookimpl
    def open_resource(self, settings: Any) -> AbstractContextManager[Any]:
        return closing(sqlite3.connect(settings.path))

    @hookimpl
    def preview(self, payloads: Sequence[Any]) -> list[str]:
        return [one.text for one in payloads]

    @hookimpl
    def perform_batch(self, payloads: Sequence[Any], resource: Any) -> None:
        with resource:
            resource.executemany("insert into rows values (?)", [(one.text,) for one in payloads])

    @hookimpl
    def sandbox(self) -> Any:
        return RowsSandbox()


def test_transactions_are_certified() -> None:
    found = certify(open_plugin(Rows()))
    assert [*found.findings] == []
    assert found.certified
