"""The API keeps to its own document, whatever it is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from jsonschema import Draft202012Validator

from framework.tester import LocalServer, openapi
from framework.tester.openapi import OPERATIONS, SCHEMAS
from framework.tester.views import VIEWS

TOKEN = {"X-Actions-Token": "only-the-page-knows"}
STREAMS = [one.path for one in OPERATIONS if one.stream]


schema = schemathesis.openapi.from_dict(openapi("1")).exclude(path=STREAMS)


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_api_keeps_to_its_document(
    case: schemathesis.Case[Any], serve: Callable[..., LocalServer], examples: Path
) -> None:
    """No request makes it fail, and every answer is described."""
    case.call_and_validate(base_url=started(serve, examples), headers=TOKEN)


_started: list[str] = []


def started(serve: Callable[..., LocalServer], examples: Path) -> str:
    """Give the address of one tester for all requests."""
    if not _started:
        _started.append(serve(examples=examples).url)
    return _started[0]


def test_the_document_is_served(client: httpx.Client) -> None:
    served = client.get("/api/openapi.json").json()
    assert served == openapi(served["info"]["version"])


def test_every_route_is_described_and_answered() -> None:
    """What is no stream has a view, and what has a view is in the document."""
    assert {one.id for one in OPERATIONS if not one.stream} == set(VIEWS)
    assert len({(one.method, one.path) for one in OPERATIONS}) == len(OPERATIONS)


def test_the_schemas_are_schemas() -> None:
    for one in OPERATIONS:
        for schema in (one.answer, one.body):
            if schema is not None:
                Draft202012Validator.check_schema(schema)
    Draft202012Validator.check_schema({"$defs": dict(SCHEMAS)})
