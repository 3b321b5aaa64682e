"""Good connection files have no errors; an error introduced into one is found in its line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

from framework.config import Diagnostic, parse_connection
from framework.linting import choose, model_from_spec, validate
from tests.framework.config.good_connections import (
    DESTINATIONS,
    ENVIRONMENT,
    KINDS,
    Document,
    Mutation,
    good_connections,
    lines_of,
    mutate,
    write,
)

DOCUMENTS = tuple(good_connections(50))
MUTATIONS = 500


def check(document: Document) -> tuple[Diagnostic, ...]:
    text = "\n".join(write(document)) + "\n"
    reading = parse_connection(text, "c.yaml", Path("no-such-folder"), ENVIRONMENT)
    destination = choose(reading, DESTINATIONS)
    if destination is not None:
        validate(reading, destination, model_from_spec())
    return reading.diagnostics


def mutations() -> list[tuple[Document, Mutation]]:
    random = Random(20_26)  # noqa: S311 - for tests, not for secrets
    found: list[tuple[Document, Mutation]] = []
    while len(found) < MUTATIONS:
        document = DOCUMENTS[len(found) % len(DOCUMENTS)]
        mutation = mutate(random, document, random.choice(KINDS))
        if mutation is not None:
            found.append((document, mutation))
    return found


def test_good_documents_have_no_error() -> None:
    """They have no warnings either."""
    for document in DOCUMENTS:
        found = [each for each in check(document) if each.severity != "hint"]
        assert found == [], document["name"]


def test_lines_are_those_that_are_written() -> None:
    """The test's own computation of lines is right."""
    text = list(write(DOCUMENTS[0]))
    for line in lines_of(DOCUMENTS[0], ("subscriptions", 0, "mapping", "text")):
        assert text[line - 1].strip().startswith("text:")
    assert text[lines_of(DOCUMENTS[0], ("settings",))[0] - 1] == "settings:"


def test_errors_are_found_in_their_lines() -> None:
    """At least 95 % of 500 mutations lead to an error or a warning in their lines."""
    before = {document["name"]: messages(check(document)) for document in DOCUMENTS}
    missed: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for document, mutation in mutations():
        seen[mutation.kind] += 1
        lines = lines_of(mutation.document, mutation.place)
        fresh = [
            each
            for each in check(mutation.document)
            if each.severity != "hint" and each.line in lines
            if (each.code, each.message) not in before[document["name"]]
        ]
        if not fresh:
            missed[mutation.kind] += 1
    assert set(seen) == set(KINDS)
    assert missed.total() <= MUTATIONS * 5 // 100, missed


def messages(found: tuple[Diagnostic, ...]) -> set[tuple[str, str]]:
    return {(each.code, each.message) for each in found}
