"""Bugs in jobs, audiences, resources, deletion, rules and merging."""

from __future__ import annotations

from tests.framework.testing.certify.seeded_bug import Bug


def crm(name: str, check: str, *changes: tuple[str, str]) -> Bug:
    """Return a bug of the CRM."""
    return Bug(name, check, "acme_crm", changes)


def bulk(name: str, check: str, *changes: tuple[str, str]) -> Bug:
    """Return a bug of the destination with jobs."""
    return Bug(name, check, "acme_bulk", changes)


def ads(name: str, check: str, *changes: tuple[str, str]) -> Bug:
    """Return a bug of the destination with audiences."""
    return Bug(name, check, "acme_ads", changes)


def sink(name: str, check: str, *changes: tuple[str, str]) -> Bug:
    """Return a bug of the destination with a resource."""
    return Bug(name, check, "acme_sink", changes)


def attempt(line: str, handler: str) -> tuple[str, str]:
    """Return the change that puts a handler of errors around a line."""
    return line, f"    try:\n    {line}    except Exception:\n        {handler}\n"


ASKED = '    response = call.client.get(f"{ORIGIN}/uploads/{call.ticket}")\n'
FOUND = (
    '    response = call.client.get(f"{ORIGIN}/uploads", params={"key": call.idempotency_key})\n'
)
PENDING = '    if state != "imported":\n        return Pending()\n'
CREATED = '    return id_in(call.client.post(f"{ORIGIN}/lists", json=wanted))\n'
GOT = '    return id_in(call.client.get(f"{ORIGIN}/lists/{call.external_id}"))\n'
WRITTEN = "    resource.writelines(f\"{json.dumps({'text': one.text})}\\n\" for one in payloads)\n"
SHOWN = '    return [json.dumps({"text": one.text}) for one in payloads]\n'
IDS = "    ids = [one.user_id or one.anonymous_id for one in requests]\n"
DELETED = '    client.post(f"{HOST}/contacts/delete", json={"ids": ids})\n'
RULES = '    rules=[OneOf("email", "phone")],\n'
RULE = "    OneOf,\n"

BUGS = [
    # Jobs
    bulk(
        "delivered-before-it-is-finished",
        "jobs",
        (
            "    return Accepted(read(",
            "    read(response, 'id', str)\n    return None\n    return Accepted(read(",
        ),
        (") -> Accepted:", ") -> Any:"),
    ),
    bulk("failed-questions-deliver", "jobs", attempt(ASKED, "return [Delivered()] * call.size")),
    bulk(
        "failed-questions-are-permanent",
        "jobs",
        attempt(ASKED, "return [Failed(400, 'NO', 'No.', 'partner')] * call.size"),
    ),
    bulk("lost-jobs-wait", "jobs", attempt(ASKED, "return Pending()")),
    bulk(
        "polls-until-finished",
        "jobs",
        (
            PENDING,
            (
                '    while state != "imported":\n    '
                + ASKED
                + '        state = read(response, "state", str)\n'
            ),
        ),
    ),
    bulk(
        "sleeps-until-finished",
        "speed",
        (PENDING, "    import time\n    time.sleep(0.5)\n" + PENDING),
    ),
    bulk(
        "reads-jobs-blindly",
        "jobs",
        ('    state = read(response, "state", str)\n', '    state = response.json()["state"]\n'),
    ),
    bulk(
        "too-few-results",
        "jobs",
        ("for at in range(call.size)\n", "for at in range(call.size - 1)\n"),
    ),
    bulk(
        "one-ticket-for-all",
        "jobs",
        (
            '    return Accepted(read(response, "id", str))',
            '    read(response, "id", str)\n    return Accepted("u1")',
        ),
    ),
    bulk("asks-for-another-job", "jobs", ("uploads/{call.ticket}", "uploads/u1")),
    bulk(
        "never-finds-jobs", "jobs", ("    return str(ids[0]) if ids else None", "    return None")
    ),
    bulk("finds-any-job", "jobs", ("    return str(ids[0]) if ids else None", '    return "u1"')),
    bulk("finds-nothing-after-errors", "jobs", attempt(FOUND, "return None")),
    bulk(
        "reads-found-jobs-blindly",
        "jobs",
        ('    ids = read(response, "uploads", list)\n', '    ids = response.json()["uploads"]\n'),
    ),
    bulk(
        "key-is-not-sent", "jobs", ('"idempotency-key": idempotency_key', '"idempotency-key": "k"')
    ),
    bulk(
        "gives-up-by-itself",
        "jobs",
        (
            PENDING,
            "    if call.attempt > 20:\n        return [Failed(408, 'LATE', 'Late.')] * call.size\n"
            + PENDING,
        ),
    ),
    bulk(
        "polls-nobody",
        "jobs",
        (ASKED, "    return Pending() if call.attempt < 3 else None\n" + ASKED),
    ),
    bulk("weighs-too-little", "weights", ("lambda one: len(line_of(one))", "lambda one: 1")),
    bulk(
        "lines-without-quotes",
        "alignment",
        (
            "    line = io.StringIO()\n",
            (
                '    return f"{payload.email},{payload.value or 0:g}\\n".encode()\n'
                "    line = io.StringIO()\n"
            ),
        ),
    ),
    # Audiences
    ads(
        "reads-new-lists-blindly",
        "audiences",
        (CREATED, '    return call.client.post(f"{ORIGIN}/lists", json=wanted).json()["id"]\n'),
    ),
    ads("creates-lists-without-names", "audiences", ('"name": call.name', '"name": "list"')),
    ads("ignores-audience-settings", "audiences", ("call.audience_settings.region}", '"eu"}')),
    ads("creates-in-spite-of-errors", "audiences", attempt(CREATED, 'return "L1"')),
    ads(
        "returns-the-answer",
        "audiences",
        (CREATED, CREATED.replace("return id_in(", "return json_body(")),
    ),
    ads("lists-are-always-there", "audiences", (GOT, "    return call.external_id\n")),
    ads("kept-lists-are-always-there", "members", (GOT, "    return call.external_id\n")),
    ads("errors-look-like-no-list", "audiences", attempt(GOT, "return None")),
    ads(
        "creates-while-looking",
        "audiences",
        (GOT, CREATED.replace("wanted", '{"name": call.name}')),
    ),
    ads("one-list-for-all", "members", ("lists/{audience.external_id}/people", "lists/L1/people")),
    ads(
        "adds-in-any-case",
        "members",
        ('"add": [one for one, member in pairs if member],', '"add": [one for one, _ in pairs],'),
        ("[one for one, member in pairs if member is False]", "[]"),
    ),
    ads(
        "removes-in-doubt",
        "members",
        ("if member is False]", "if not member]"),
        ("neither if member is None else Delivered()", "Delivered()"),
    ),
    ads("expects-an-audience", "members", ("    if audience is None:\n", "    if False:\n")),
    # Resources
    sink("closes-its-resource", "resource", ("    resource.flush()\n", "    resource.close()\n")),
    sink("leaves-its-resource", "resource", (WRITTEN, "    with resource:\n    " + WRITTEN)),
    sink(
        "opens-a-file-by-itself",
        "generated events",
        (WRITTEN, "    import io\n    resource = io.StringIO()\n" + WRITTEN),
    ),
    sink("loses-lines", "resource", attempt(WRITTEN, "return")),
    sink(
        "gives-lines-up",
        "resource",
        attempt(WRITTEN, "return Failed(400, 'NO', 'No.')"),
        ("import Action, ", "import Action, Failed, "),
        (") -> None:", "):"),
    ),
    sink(
        "connects-by-itself",
        "dry run",
        (
            WRITTEN,
            "    import socket\n    socket.create_connection(('127.0.0.1', 9), 0.2)\n" + WRITTEN,
        ),
    ),
    sink(
        "writes-all-but-one",
        "sent",
        ("for one in payloads)\n", "for one in list(payloads)[:-1])\n"),
    ),
    sink("previews-by-mistake", "previews", (SHOWN, "    return json.dumps(payloads)\n")),
    sink("previews-nothing", "previews", (SHOWN, "    return []\n")),
    sink(
        "expects-a-text",
        "optional values",
        ("text: str = field", "text: str | None = field"),
        (
            "    resource.flush()\n",
            "    resource.flush()\n    ''.join(one.text for one in payloads)\n",
        ),
    ),
    sink(
        "writes-in-another-order-each-time",
        "repetition",
        ("class Place(Settings):", "ORDER: list[int] = []\n\n\nclass Place(Settings):"),
        (
            WRITTEN,
            "    ORDER.append(1)\n    payloads = [*payloads][:: (-1) ** len(ORDER)]\n" + WRITTEN,
        ),
    ),
    Bug(
        "resource-without-replacement",
        "resource",
        "acme_sink_sandbox",
        (("def resource(", "def opened_file("),),
    ),
    # Deletion
    crm(
        "deletes-by-user-id-only",
        "deletion",
        (IDS, "    ids = [one.user_id for one in requests]\n"),
    ),
    crm(
        "deletes-the-first-user",
        "deletion",
        (DELETED, DELETED.replace('"ids": ids', '"ids": ids[:1]')),
    ),
    crm(
        "too-few-deletions",
        "deletion",
        ("    return [Delivered()] * len(requests)\n", "    return [Delivered()]\n"),
    ),
    crm(
        "failed-deletions-are-permanent",
        "failing deletion",
        attempt(DELETED, "return [Failed(400, 'NO', 'No.')] * len(requests)"),
    ),
    # Rules and optional values
    crm(
        "rules-that-nothing-meets",
        "rules",
        (
            RULES,
            (
                '    rules=[OneOf("email", "phone"), AtMostOne("email", "phone"), '
                'AllOrNone("email", "phone")],\n'
            ),
        ),
        (RULE, "    OneOf,\n    AllOrNone,\n    AtMostOne,\n"),
    ),
    crm(
        "defaults-break-a-rule",
        "rules",
        (RULES, '    rules=[AtMostOne("email", "phone")],\n'),
        (RULE, "    AtMostOne,\n"),
    ),
    crm(
        "rule-without-effect",
        "rules",
        ("    email: str | None = field(\n", "    email: str = field(\n"),
    ),
    crm(
        "expects-an-address",
        "optional values",
        ("address(one) or phone(one) for one", "one.email.strip().lower() for one"),
    ),
    crm(
        "expects-a-name",
        "optional values",
        ('"name": contact.name or ""', '"name": contact.name.title()'),
    ),
    # Merging
    crm("merges-without-a-field", "merging", ("name=newer.name or older.name", "name=newer.name")),
    crm("merges-into-a-dict", "merging", ("    return Contact(\n", "    return dict(\n")),
    crm(
        "merges-by-mistake",
        "merging",
        ("name=newer.name or older.name", "name=newer.name.strip() or older.name"),
    ),
]
