"""An intake on a loopback address, with a store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from framework.intake import IntakeOptions, IntakeServer, WriteKeys
from framework.relay import SQLiteStore

KEY = "wk-7f3a"
NOW = datetime(2026, 11, 30, 7, 0, 0, 500_000, UTC).timestamp()

Stored: TypeAlias = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "events.db") as store:
        yield store


@pytest.fixture
def options() -> IntakeOptions:
    return IntakeOptions(
        hosts=["intake.example.com"], origins=["https://shop.example.com"], now=lambda: NOW
    )


@pytest.fixture
def keys() -> WriteKeys:
    return WriteKeys({KEY: ["web"], "other": ["a", "b"]})


@pytest.fixture
def intake(store: SQLiteStore, keys: WriteKeys, options: IntakeOptions) -> Iterator[IntakeServer]:
    with IntakeServer(store, keys, options=options) as intake:
        yield intake


@pytest.fixture
def client(intake: IntakeServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=intake.url, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def stored(store: SQLiteStore) -> Stored:
    def read(stream: str = "web") -> list[dict[str, Any]]:
        lines = (line for chunk in store.read(stream, 0, 10**9) for line in chunk.lines)
        return list(map(json.loads, lines))

    return read
