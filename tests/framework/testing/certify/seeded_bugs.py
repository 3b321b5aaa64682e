"""Bugs in rows, failures, credentials and definitions."""

from __future__ import annotations

from tests.framework.testing.certify.seeded_bug import Bug


def crm(name: str, check: str, *changes: tuple[str, str]) -> Bug:
    """Return a bug of the CRM."""
    return Bug(name, check, "acme_crm", changes)


POST = '    answer = read(client.post(f"{HOST}/contacts/batch", json=body))\n'
SENT = 'client.post(f"{HOST}/contacts/batch", json=body)'
FITS = "    if not isinstance(rows, list) or len(rows) != len(payloads):\n"
EACH = "    return [result_of(row) for row in rows]\n"
TYPED = "from typing import TYPE_CHECKING, Any\n"
AUTH = "    return OAuthRefreshToken(\n"


def attempt(handler: str, more: str = "") -> tuple[tuple[str, str], ...]:
    """Return the change that puts a handler of errors around the request for a batch."""
    text = f"    try:\n    {POST}    except Exception as error:\n        {handler}\n"
    return (POST, text), (TYPED, f"{TYPED}{more}")


def importing(module: str, *changes: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return changes that need a module of the standard library."""
    return (*changes, (TYPED, f"import {module}\n{TYPED}"))


CACHING = '''    class Once(httpx.Auth):
        """Asks for a token once, and never again."""

        requires_response_body = True
        token = ""

        def auth_flow(self, request):
            if not self.token:
                form = {
                    "grant_type": "refresh_token",
                    "client_id": settings.client_id,
                    "client_secret": settings.client_secret,
                    "refresh_token": settings.refresh_token,
                }
                response = yield httpx.Request("POST", f"{HOST}/oauth/token", data=form)
                self.token = response.json()["access_token"]
            request.headers["Authorization"] = f"Bearer {self.token}"
            yield request

    return Once()
    return OAuthRefreshToken(
'''
FORGETTING = '''    class Forgetful(OAuthRefreshToken):
        """Does not keep a refresh token that the partner replaced."""

        def received(self, answer):
            pass

    return Forgetful(
'''

BUGS = [
    # Results
    crm("swallows-errors", "retry classes", *attempt("return [Delivered()] * len(payloads)")),
    crm(
        "code-and-message-swapped",
        "unusual values",
        (
            'str(found.get("code") or "REFUSED"), str(found.get("why") or "Refused.")',
            'str(found.get("why") or "Is refused."), str(found.get("code") or "REFUSED")',
        ),
    ),
    crm(
        "sends-all-but-the-last",
        "sent",
        (
            "[as_json(one) for one in payloads]",
            "[as_json(one) for one in payloads[:-1] or payloads]",
        ),
        (" or len(rows) != len(payloads)", ""),
        (EACH, "    return [Delivered()] * len(payloads)\n"),
    ),
    crm(
        "sends-a-hundred",
        "sent",
        ("[as_json(one) for one in payloads]", "[as_json(one) for one in payloads[:100]]"),
        (" or len(rows) != len(payloads)", ""),
        (EACH, "    return [Delivered()] * len(payloads)\n"),
    ),
    crm(
        "results-in-reverse",
        "alignment",
        (EACH, "    return [result_of(row) for row in reversed(rows)]\n"),
    ),
    crm(
        "one-bad-row-fails-all",
        "alignment",
        (
            EACH,
            (
                "    results = [result_of(row) for row in rows]\n"
                "    bad = [one for one in results if isinstance(one, Failed)]\n"
                "    return bad[0] if bad else results\n"
            ),
        ),
    ),
    crm(
        "results-without-the-bad",
        "alignment",
        (
            EACH,
            ("    return [one for row in rows if isinstance(one := result_of(row), Delivered)]\n"),
        ),
    ),
    crm(
        "ignores-the-answer",
        "answers",
        (EACH, "    return [Delivered()] * len(payloads)\n"),
        (FITS, "    if False:\n"),
    ),
    crm(
        "trusts-the-number-of-results",
        "hostile answers",
        (FITS, "    if not isinstance(rows, list):\n"),
    ),
    # Failures
    crm(
        "all-is-temporary", "retry classes", *attempt("raise RetryableError(str(error)) from error")
    ),
    crm(
        "all-is-permanent",
        "retry classes",
        *attempt(
            'raise IntegrationError(str(error), "FAILED", 400) from error',
            "from framework import IntegrationError\n",
        ),
    ),
    crm(
        "loses-the-pause",
        "retry classes",
        *attempt(
            "if not isinstance(error, RetryableError):\n            raise\n"
            "        raise RetryableError(str(error), error.code, error.status) from error"
        ),
    ),
    crm(
        "refused-access-is-an-events-failure",
        "refused access",
        *attempt(
            "return [Failed(400, 'BAD', str(error))] * len(payloads)"
            " if getattr(error, 'status', 0) == 401 else (_ for _ in ()).throw(error)"
        ),
    ),
    crm(
        "asks-until-it-works",
        "speed",
        (
            POST,
            (
                "    while True:\n        try:\n        "
                + POST
                + "            break\n        except RetryableError:\n            continue\n"
            ),
        ),
    ),
    crm("ends-the-process", "hostile answers", *attempt("raise SystemExit(1) from error")),
    crm(
        "reads-json-blindly",
        "hostile answers",
        (
            (
                "    try:\n        return dict_of(response.json())\n"
                "    except (ValueError, RecursionError):\n        return {}\n"
            ),
            "    return response.json()\n",
        ),
    ),
    crm(
        "reads-rows-blindly",
        "hostile answers",
        ("    found = dict_of(row)\n    if", "    found = row\n    if"),
    ),
    # Sending
    crm(
        "identical-for-everybody",
        "coalescing",
        ("[address(one) or phone(one) for one in payloads]", '["contact" for _ in payloads]'),
    ),
    crm(
        "identifies-by-chance",
        "repetition",
        *importing(
            "uuid",
            (
                "[address(one) or phone(one) for one in payloads]",
                "[uuid.uuid4().hex for _ in payloads]",
            ),
        ),
    ),
    crm(
        "merges-the-wrong-way",
        "coalescing",
        ("name=newer.name or older.name", "name=older.name or newer.name"),
    ),
    crm(
        "new-key-each-time",
        "repetition",
        *importing(
            "uuid",
            (
                "json=body))\n    rows",
                'json=body, headers={"Idempotency-Key": uuid.uuid4().hex}))\n    rows',
            ),
        ),
    ),
    crm(
        "time-in-the-body",
        "repetition",
        *importing(
            "time", ('body = {"contacts": [', 'body = {"at": time.time_ns(), "contacts": [')
        ),
    ),
    crm(
        "remembers-what-it-sent",
        "repetition",
        (
            POST,
            "    if str(body) in KNOWN:\n        return [Delivered()] * len(payloads)\n"
            "    KNOWN.add(str(body))\n" + POST,
        ),
        ('HOST = "', 'KNOWN: set[str] = set()\nHOST = "'),
    ),
    crm("forgets-a-field", "fields", ('"name": contact.name or "", ', "")),
    # Conduct
    crm("sleeps", "speed", *importing("time", (POST, "    time.sleep(0.6)\n" + POST))),
    crm(
        "opens-a-socket",
        "dry run",
        *importing(
            "urllib.request",
            (
                POST,
                (
                    "    try:\n        urllib.request.urlopen('http://127.0.0.1:9/', timeout=0.2)\n"
                    "    except OSError:\n        pass\n" + POST
                ),
            ),
        ),
    ),
    crm("prints-people", "outputs", (POST, "    print(body)\n" + POST)),
    crm(
        "logs-people",
        "outputs",
        *importing(
            "logging", (POST, "    logging.getLogger(__name__).info('sending %s', body)\n" + POST)
        ),
    ),
    crm(
        "prints-a-secret",
        "outputs",
        (AUTH, "    print(settings.client_secret)\n" + AUTH),
        (POST, "    print(client.auth._refresh_token)\n" + POST),
    ),
    crm(
        "sets-the-environment",
        "process",
        *importing("os", (POST, "    os.environ['ACME_BATCH'] = str(len(payloads))\n" + POST)),
    ),
    crm(
        "changes-events",
        "events",
        (
            "def perform(client: httpx.Client, payload: Contact | Note)",
            "def perform(client: httpx.Client, payload: Any, event: dict[str, Any])",
        ),
        ('    body = {"email"', '    event["sent"] = True\n    body = {"email"'),
    ),
    # Credentials
    crm(
        "secret-in-the-open",
        "secret settings",
        ('"Given once by a user.", type="password"', '"Given once by a user."'),
    ),
    crm("token-only-once", "tokens", (AUTH, CACHING)),
    crm("forgets-the-refresh-token", "tokens", (AUTH, FORGETTING)),
    crm(
        "accepts-every-account",
        "authentication",
        (
            '    if not read(client.get(f"{HOST}/me")).get("account"):\n        raise',
            (
                "    try:\n        client.get(HOST)\n    except Exception:\n        return\n"
                "    if not settings_ok:\n        raise"
            ),
        ),
        ('HOST = "', 'settings_ok = True\nHOST = "'),
    ),
    crm(
        "reads-the-account-blindly",
        "authentication",
        (
            'read(client.get(f"{HOST}/me")).get("account")',
            'client.get(f"{HOST}/me").json()["account"]',
        ),
    ),
    Bug("not-signed", "generated events", "webhook", (("    headers.update(signed)\n", ""),)),
    # Descriptions of errors, deletion, choices, hooks
    crm(
        "describes-errors-blindly",
        "error descriptions",
        ('dict_of(read(response).get("error"))', 'response.json()["error"]'),
    ),
    crm(
        "describes-errors-as-a-list",
        "error descriptions",
        (
            "return ErrorDescription(",
            "return [error]\n    return ErrorDescription(",
        ),
    ),
    crm("deletes-nobody", "deletion", ('json={"ids": ids}', 'json={"ids": []}')),
    Bug(
        "deletion-never-fails",
        "failing deletion",
        "webhook",
        (("        return Failed.from_error(error)\n", "        return Delivered(202)\n"),),
    ),
    crm("pages-without-end", "choices", ("str(page) if page else None", '"2"')),
    crm(
        "no-choices-instead-of-an-error",
        "choices",
        (
            '    response = call.client.get(f"{HOST}/users", params={"page": call.page or "1"})\n',
            (
                '    try:\n        response = call.client.get(f"{HOST}/users")\n'
                "    except Exception:\n        return Choices()\n"
            ),
        ),
        ("str(page) if page else None", "None"),
    ),
    crm("outputs-that-do-not-fit", "hooks", ("ListOutputs(list_id=str(list_id))", "{}")),
    crm(
        "hook-never-fails",
        "hooks",
        (
            '    response = call.client.post(f"{HOST}/lists", json={"title": call.inputs.title})\n',
            (
                '    try:\n        response = call.client.post(f"{HOST}/lists", json={})\n'
                '    except Exception:\n        return Saved(ListOutputs(list_id="0"), "")\n'
            ),
        ),
    ),
    # Definitions
    crm("no-description", "texts", ('"People and notes about them."', '""')),
    crm("unfinished-text", "texts", ('"What happened."', '"TODO: what happened."')),
    crm("equal-labels", "texts", ('"Phone", "Number."', '"E-mail", "Number."')),
    crm("misspelt-path", "mappings", ("$.context.traits.phone", "$.contxt.traits.phone")),
    crm(
        "impossible-trigger",
        "defaults",
        ("'type = \"track\"'", '\'type = "track" and type = "page"\''),
    ),
    Bug(
        "sandbox-shows-secrets",
        "outputs",
        "acme_crm_sandbox",
        (('"detail": detail}', '"detail": detail, "settings": SETTINGS}'),),
    ),
    Bug(
        "text-is-constant",
        "sent",
        "acme_webhook",
        (('{"text": payload.text}', '{"text": "hello"}'),),
    ),
    Bug(
        "any-answer-will-do",
        "retry classes",
        "acme_webhook",
        (
            (
                "    return client.post(settings.url",
                (
                    "    try:\n        client.post(settings.url, json={'text': payload.text})\n"
                    "    except Exception:\n        return\n    return client.post(settings.url"
                ),
            ),
        ),
    ),
    Bug(
        "some-identifiers-only",
        "sent",
        "criteo_api",
        (('"identifiers": self.identifiers,', '"identifiers": self.identifiers[:2],'),),
    ),
    Bug(
        "answers-without-check",
        "hostile answers",
        "criteo_api",
        (
            (
                "        body = read_json(response)\n        if not isinstance(body, dict):",
                "        body = read_json(response)\n        if False:",
            ),
        ),
    ),
]
