"""Acme Sink: events as lines of a file, which is no partner that speaks HTTP."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TextIO

from framework import Action, Batching, Destination, Payload, Settings, field, hookimpl


class Place(Settings):
    """Where the lines go."""

    path: str = field("Path", "Of the file.", required=True)


class Line(Payload):
    """One line."""

    text: str = field("Text", "What to write.", mapping={"@path": "$.event"})


@hookimpl
def destination() -> Destination:
    write = Action(
        slug="write",
        title="Write",
        description="Write a line for each event.",
        trigger='type = "track"',
        payload=Line,
        batching=Batching(max_size=100),
    )
    return Destination(
        slug="acme-sink",
        name="Acme Sink",
        description="Lines of a file.",
        settings=Place,
        actions=[write],
        transport="other",
    )


@hookimpl
def open_resource(settings: Place) -> AbstractContextManager[TextIO]:
    return Path(settings.path).open("a", encoding="utf-8")


@hookimpl
def preview(payloads: Sequence[Line]) -> list[str]:
    return [json.dumps({"text": one.text}) for one in payloads]


@hookimpl
def perform_batch(payloads: Sequence[Line], resource: TextIO) -> None:
    resource.writelines(f"{json.dumps({'text': one.text})}\n" for one in payloads)
    resource.flush()


@hookimpl
def sandbox() -> Any:
    from acme_sink_sandbox import SinkSandbox  # noqa: PLC0415 - only where it is simulated

    return SinkSandbox()
