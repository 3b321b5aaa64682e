"""The schema of a certificate: the report of `actions certify --json`."""

from __future__ import annotations

from framework.schemas.schema_parts import Schema, document, listing, record, reference, value


def certificate_schema() -> Schema:
    """Return the JSON Schema of `Certificate.to_json`."""
    score = {
        "passed": value("integer", "The number of checks that did not fail.", minimum=0),
        "of": value("integer", "The number of checks that apply.", minimum=0),
    }
    properties = {
        "destination": value("string", "The slug of the destination."),
        "certified": value("boolean", "Whether no check failed, and all that apply were run."),
        "score": {"description": "The result in numbers.", **record(score, tuple(score))},
        "checks": listing(reference("check"), "The checks in the order in which they are run."),
    }
    return document(
        "Certificate",
        "What `actions certify` found in a destination.",
        {
            **record(properties, tuple(properties)),
            "$defs": {"check": _check(), "finding": _finding()},
        },
    )


def _check() -> Schema:
    properties = {
        "name": value("string", "The name of the check, as the option `--only` takes it."),
        "promises": value("string", "What holds for a destination that passes it."),
        "verdict": {
            "description": "What came of it. A check that is `not run` follows one that hangs.",
            "enum": ["passed", "warned", "failed", "not applicable", "not run"],
        },
        "findings": listing(reference("finding"), "What it found, empty if it passed."),
    }
    head = {"title": "Check", "description": "One check."}
    return {**head, **record(properties, tuple(properties))}


def _finding() -> Schema:
    properties = {
        "severity": {
            "description": "Whether the destination is not certified because of it.",
            "enum": ["failure", "warning"],
        },
        "where": value("string", "A setting, an action, a field or a hook of the destination."),
        "message": value("string", "What its author has to change, for people."),
    }
    head = {"title": "Finding", "description": "One thing that a check found."}
    return {**head, **record(properties, tuple(properties))}
