"""The commands and programs of pages that have no test of their own, run as they are written."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import certifi
import httpx
import pytest
import yaml
from click.testing import CliRunner

import framework
from framework import Subscription, connect
from framework.cli.app import actions
from framework.hook_checks import check_implementation
from framework.plugins import HOOKS, load_plugins
from framework.relay import DeadLetter, SQLiteStore
from framework.sandbox import Sandbox, serve
from framework.testing import Harness
from framework.version import VERSION
from tests.guides import ROOT, blocks_in
from tests.relaying import until

ACCESS = {"CRITEO_CLIENT_ID": "an-app", "CRITEO_CLIENT_SECRET": "any", "WRITE_KEY": "wk-1"}
SETTINGS = {"advertiser_id": "12345", "client_id": "an-app", "client_secret": "any"}
PUBLIC = {name: getattr(framework, name) for name in framework.__all__}


def blocks(page: str, language: str) -> list[str]:
    """Return the texts of a page's blocks in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [block.text for block in blocks_in(text) if block.language == language]


def commands(block: str) -> list[str]:
    """Return the commands of a block: behind prompts if it has some, else all lines."""
    lines = block.replace("\\\n", "").splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return prompted or lines


README = "README.md"
CONNECTION, _ = blocks(README, "yaml")
(EVENTS,) = blocks(README, "json")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which commands are typed, with the files of README."""
    home = tmp_path / "work"
    home.mkdir()
    (home / "criteo.connection.yaml").write_text(CONNECTION)
    (home / "events.ndjson").write_text(EVENTS)
    monkeypatch.chdir(home)
    for name, value in ACCESS.items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def criteo() -> Iterator[str]:
    """Yield the option that sends what is for Criteo to a sandbox."""
    partner: Sandbox = load_plugins().get("criteo").call("sandbox")
    partner.admit(SETTINGS)
    with serve(partner) as server:
        yield f" --endpoint https://api.criteo.com={server.url}"


def typed(command: str, *, answer: str = "") -> str:
    """Run a command of `actions` in this process; return its output."""
    program, *arguments = shlex.split(command)
    assert program == "actions"
    result = CliRunner().invoke(actions, arguments, input=answer)
    assert result.exit_code == 0, f"{command}\n{result.output}"
    return result.output


def places(text: str, folder: Path, **more: str) -> str:
    """Return a command with free ports and with paths in a folder."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:0", text)
    for path, real in {"/var/lib/relay": str(folder), **more}.items():
        text = text.replace(path, real)
    return text


@contextmanager
def started(command: str, last: str) -> Iterator[list[str]]:
    """Run a server meanwhile; yield the lines that it prints to the one that begins with *last*."""
    program, *arguments = shlex.split(command)
    assert program == "actions"
    with subprocess.Popen(
        [sys.executable, "-m", "framework", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        assert process.stdout
        lines: list[str] = []
        try:
            while not (lines and lines[-1].startswith(last)):
                lines.append(process.stdout.readline())
                assert lines[-1], "".join(lines)
            yield lines
        finally:
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=30)
    assert process.returncode in {0, 130}, rest


def test_the_installation_gives_a_command(tmp_path: Path) -> None:
    """Without a network: what is needed to build and run is that of this environment."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "framework", "destinations"):
        one = ROOT / name
        (shutil.copytree if one.is_dir() else shutil.copy)(one, checkout / name)
    here = Path(sys.executable)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(here)
    packages = [one for one in sys.path if one.endswith("site-packages")]
    alone = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "false"}
    alone |= {"PIP_IGNORE_INSTALLED": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    install, *_ = blocks(README, "sh")
    done = subprocess.run(
        ["/bin/sh", "-ec", f"{install}\ncommand -v actions\n"],
        cwd=checkout, capture_output=True, text=True, check=False,
        env={**os.environ, **alone, "PYTHONPATH": os.pathsep.join(packages),
             "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    *_, version, path = done.stdout.splitlines()
    assert (version, path) == (f"actions {VERSION}", f"{checkout}/.venv/bin/actions")
    (installed,) = checkout.glob(".venv/lib/python*/site-packages/framework/__init__.py")
    assert installed.is_file()


def test_readme_sets_the_variables_that_its_connection_needs(folder: Path) -> None:
    _, export, *_ = blocks(README, "sh")
    done = subprocess.run(
        ["/bin/sh", "-ec", f"{export}env"], capture_output=True, text=True, check=True, cwd=folder
    )
    variables = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    for name in re.findall(r"\$\{env:(\w+)\}", CONNECTION):
        assert variables[name] == "anything"


@pytest.mark.usefixtures("folder")
def test_readme_starts_a_relay_whose_store_is_shown(folder: Path) -> None:
    export, relay, status, letters = commands(blocks(README, "sh")[2])
    assert export.startswith("export WRITE_KEY=")
    with started(places(relay, folder), "Intake") as lines:
        assert [line.partition(":")[0] for line in lines] == ["Metrics", "Intake"]
        assert "criteo" in typed(status)
    assert typed(letters) == "No dead letters.\n"


def test_readme_keeps_an_audience_equal_to_a_list(folder: Path, criteo: str) -> None:
    mirror, who, delete = commands(blocks(README, "sh")[4])
    (folder / "people.txt").write_text("ada@example.com\ngrace@example.com\n")
    assert "delivered" in typed(mirror + criteo, answer="y\n")
    assert "spring" in typed(who + criteo)
    assert "Erased" in typed(f"{delete} --identifier ada@example.com{criteo}", answer="y\n")
    assert "spring" not in typed(who + criteo)


def test_a_history_is_delivered_with_the_store_of_a_relay(folder: Path, criteo: str) -> None:
    (block,) = blocks("docs/memberships.md", "console")
    relay, run = commands(block)
    (folder / "history.ndjson").write_text(EVENTS)
    with started(f"{relay} --listen 127.0.0.1:0", "Intake"):
        pass
    assert "delivered" in typed(run + criteo)


EXISTING = {"/etc/relay/company.pem": "company.pem", "/usr/local/bin/page": sys.executable}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_relays_of_operations_start(
    number: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ALERT_URL", "http://127.0.0.1:9/alerts")
    block = blocks("docs/operations.md", "console")[number]
    usual = "-c criteo.connection.yaml --store sqlite:events.db --write-key env:WRITE_KEY"
    (command,) = commands(block)
    shutil.copy(certifi.where(), folder / "company.pem")
    real = places(command.replace("...", usual), folder, **EXISTING)
    real += "" if "--listen" in real else " --listen 127.0.0.1:0"
    with started(real, "Intake") as lines:
        shown = [line for line in block.splitlines() if re.match(r"[A-Z]\w+: ", line)]
        if shown:
            assert [_unnumbered(line) for line in lines] == [_unnumbered(line) for line in shown]


def _unnumbered(line: str) -> str:
    return re.sub(r"\d+(/metrics)?$", "PORT", line.rstrip())


def test_the_dead_letters_of_operations_are_handled(folder: Path) -> None:
    block = blocks("docs/operations.md", "console")[3]
    letter = DeadLetter(
        connection="criteo", line=1, subscription="Orders", event=b"{}", code="NO_IDENTIFIER",
        outcome={"outcome": "failed"},
    )  # fmt: skip
    with SQLiteStore(folder / "events.db") as store:
        owner = store.own("criteo", "events", from_start=True)
        assert owner
        owner.save(0, b"", [letter])
        (kept,) = store.dead_letters.list()
    listing, show, replay, drop = (places(one, folder) for one in commands(block))
    assert "NO_IDENTIFIER" in typed(listing)
    assert '"event": {}' in typed(show.replace("00000000002a", f"{kept.id:012x}"))
    assert "Requested for 1;" in typed(replay.replace("2026-11-30", "2026-01-01"))
    assert typed(drop) == "Dropped 0.\n"


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="there is no sqlite3 here")
def test_a_store_is_backed_up(folder: Path) -> None:
    SQLiteStore(folder / "events.db").close()
    (folder / "backup").mkdir()
    lines = commands(blocks("docs/operations.md", "console")[4])
    script = "\n".join(lines).replace("/var/backups/relay", str(folder / "backup"))
    subprocess.run(["/bin/sh", "-ec", places(script, folder)], check=True)
    with SQLiteStore(folder / "backup" / "events.db") as copy:
        assert copy.cursors() == []


def test_an_intake_and_a_worker_share_a_database(
    folder: Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    store: str = request.getfixturevalue("postgres_url")
    install, *relays = commands(blocks("docs/operations.md", "console")[5])
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert re.findall(r"\[(\w+)\]", install) == [one for one in known if one == "postgres"]
    (folder / "crm.connection.yaml").write_text(CONNECTION)
    database = {"postgresql://relay@db.internal/events": store}
    intake, worker = (places(one, folder, **database) for one in relays)

    def working() -> set[str]:
        shown = json.loads(typed(f"actions status --store {store} --json"))
        return {one["connection"] for one in shown["connections"] if one["owner"]}

    with started(intake, "Intake"), started(worker, "Worker"):
        until(lambda: working() == {"criteo", "crm"})


def test_files_of_events_are_delivered(folder: Path, criteo: str) -> None:
    several, follow = (commands(block) for block in blocks("docs/events.md", "console"))
    files, folders, pattern = several
    exports = folder / "exports"
    exports.mkdir()
    (folder / "monday.ndjson").write_text(EVENTS)
    (folder / "tuesday.ndjson.gz").write_bytes(gzip.compress(EVENTS.encode()))
    (exports / "other.ndjson").write_text(EVENTS)
    assert typed(files + criteo).count("Done: 2 lines") == 2
    assert "Done: 2 lines" in typed(folders + criteo)
    (exports / "day-1.ndjson").write_text(EVENTS)
    assert "Done: 2 lines" in typed(pattern + criteo)
    log = folder / "follow.log"
    for command in follow:
        (folder / "events.ndjson").write_text(EVENTS)
        real = command.replace("/var/log", str(folder)) + criteo + f" -q -v --log-file {log}"
        with _following(real):
            until(lambda: log.exists() and "contact-list" in log.read_text())
        log.unlink()
        for kept in folder.glob("*.checkpoint*"):
            kept.unlink()
        (folder / "app-1.ndjson").write_text(EVENTS)


@contextmanager
def _following(command: str) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-m", "framework", *shlex.split(command)[1:]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        yield
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130


def test_events_are_read_and_delivered_from_python(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = blocks("docs/events.md", "python")
    text = f"{EVENTS}no event\n".encode()
    (folder / "events.ndjson.gz").write_bytes(gzip.compress(text))
    plugin = load_plugins().get("criteo")
    sandbox: Sandbox = plugin.call("sandbox")
    sandbox.admit(SETTINGS)
    subscription = Subscription(action="addUserToAudience")
    transport = httpx.WSGITransport(sandbox)
    with connect(plugin, SETTINGS, [subscription], transport=transport) as connection:
        scope: dict[str, Any] = {"connection": connection}
        exec(program, scope)  # noqa: S102 - what the test is about
    assert len(scope["report"].results) == 2
    assert capsys.readouterr().out.startswith("events.ndjson.gz:3: ")


ACME = """
import httpx
from framework import Action, Destination, Payload, Settings, field, hookimpl

class Access(Settings):
    account: str = field("Account", default="a-0")

class Line(Payload):
    text: str = field("Text", "What to post.", mapping={"@path": "$.event"})

@hookimpl
def destination():
    given = {"title": "Post", "description": "Post a line.", "trigger": 'type = "track"'}
    post = Action(slug="post", payload=Line, **given)
    return Destination(
        slug="acme", name="Acme", description="Lines for Acme.", settings=Access, actions=[post]
    )

@hookimpl
def perform(client: httpx.Client, payload: Line) -> httpx.Response:
    return client.post("https://api.acme.test/lines", json={"text": payload.text})
"""


@pytest.fixture
def only_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import the module of the example in this test only."""
    monkeypatch.delitem(sys.modules, "acme_destination", raising=False)
    yield
    sys.modules.pop("acme_destination", None)


@pytest.mark.usefixtures("only_here")
def test_the_ways_to_certify_lead_to_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_destination.py").write_text(ACME)
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    points = "[action_destinations]\nacme = acme_destination\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    (block,) = blocks("docs/certify.md", "sh")
    for command in commands(block):
        assert "certified" in typed(command)
    program, sandbox = blocks("docs/certify.md", "python")
    scope: dict[str, Any] = {}
    exec(program, scope)  # noqa: S102 - what the test is about
    scope["test_the_destination_is_certified"]()
    names = {"Sandbox": Sandbox, "AbstractContextManager": AbstractContextManager, "io": io}
    scope = {**names, "nullcontext": nullcontext}
    exec(f"from __future__ import annotations\n{sandbox}", scope)  # noqa: S102 - the same
    made = scope["SinkSandbox"].__new__(scope["SinkSandbox"])
    made.file = StringIO()
    with made.resource() as resource:
        assert resource is made.file


def test_the_hooks_on_the_page_about_security_are_implementations() -> None:
    named = {"Row": framework.Payload, "Line": framework.Payload, "Mapping": Mapping}
    scope: dict[str, Any] = {**PUBLIC, **named, "Sequence": Sequence, "Any": Any}
    scope |= {"httpx": httpx, "threading": threading}
    for hook, text in zip(
        ("preview", "perform"), blocks("docs/security.md", "python"), strict=True
    ):
        exec(text, scope)  # noqa: S102 - what the test is about
        assert list(check_implementation(hook, scope[hook], HOOKS[hook], wraps=False)) == []


def test_what_an_intake_has_taken_is_read_from_its_store(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program ends when no event has come for a minute; here, at once."""
    monkeypatch.setenv("WEB_WRITE_KEY", "wk-web")
    (folder / "crm").write_text("wk-crm\n")
    (program,) = blocks("docs/intake.md", "python")
    for shown, real in {"8080": "0", "seconds=60": "seconds=0", "/etc/relay/keys/": ""}.items():
        program = program.replace(shown, real)
    program = program.replace("/etc/relay/keys", "crm")
    with SQLiteStore(folder / "events.db") as store:
        store.own("audiences", "web", from_start=True)
        store.append("web", [b'{"type": "track"}'])
    scope: dict[str, Any] = {}
    exec(program, scope)  # noqa: S102 - what the test is about
    with SQLiteStore(folder / "events.db") as store:
        (cursor,) = store.cursors()
    assert (cursor.connection, scope["done"]) == ("audiences", 1)


class _Jobs:
    """A partner that finishes a job when it is asked for the second time."""

    def __init__(self) -> None:
        self.posted: list[httpx.Request] = []
        self.asked = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.posted.append(request)
            return httpx.Response(202, json={"id": "j-1"})
        self.asked += 1
        return httpx.Response(200, json={"state": "waiting" if self.asked == 1 else "done"})


def test_the_job_of_the_page_is_delivered() -> None:
    (program,) = blocks("docs/jobs.md", "python")
    module = ModuleType("acme_jobs")
    sys.modules[module.__name__] = module
    exec(program, vars(module))  # noqa: S102 - what the test is about
    scope = vars(module)

    @framework.hookimpl
    def destination() -> framework.Destination:
        given = {"settings": scope["Account"], "actions": [scope["upload"]]}
        return framework.Destination(slug="acme-jobs", name="Acme", **given)

    scope["destination"] = destination
    partner = _Jobs()
    transport = httpx.MockTransport(partner)
    with Harness(module, {"url": "https://acme.test/jobs"}, transport=transport) as harness:
        event = {"type": "track", "properties": {"email": "ada@example.com"}}
        ran = harness.run_batch("upload", [event], defaults=True)
        results = [*ran.results, *harness.poll(), *harness.poll()]
    del sys.modules[module.__name__]
    assert [type(one) for one in results] == [framework.Accepted, framework.Delivered]
    assert [one.content for one in partner.posted] == [b"ada@example.com\n"]
    assert partner.posted[0].headers["idempotency-key"]


def test_an_audience_is_created_with_its_settings() -> None:
    (program,) = blocks("docs/audiences.md", "python")
    (settings,) = blocks("docs/audiences.md", "yaml")
    scope: dict[str, Any] = {}
    exec(program, scope)  # noqa: S102 - what the test is about
    given = yaml.safe_load(settings)["audiences"]["spring"]
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.read())
        return httpx.Response(200, json={"id": "a-7"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        call = SimpleNamespace(
            client=client, name="Spring", audience_settings=scope["ListSettings"](**given)
        )
        assert scope["create_list"](call) == "a-7"
    assert asked == [b'{"name":"Spring","region":"eu"}']
    assert scope["audiences"].create is scope["create_list"]


@pytest.mark.usefixtures("folder")
def test_the_tester_is_opened_as_its_page_says(criteo: str) -> None:
    plain, live = (commands(block) for block in blocks("docs/tester.md", ""))
    run, follow = live
    assert "delivered" in typed(run + criteo)
    for command in (*plain, follow):
        with started(f"{command} --no-open --port 0", "The tester") as lines:
            address = lines[-1].split()[-1].partition("#")[0]
            assert httpx.get(address, trust_env=False, timeout=30).status_code == 200


def test_the_webhook_is_tried_as_its_page_says(folder: Path) -> None:
    (block,) = blocks("docs/webhook.md", "sh")
    (folder / "webhook.connection.yaml").write_text(blocks("docs/webhook.md", "yaml")[0])
    (folder / "event.json").write_text(EVENTS.splitlines()[0])
    run, explain, sandbox = commands(block)
    assert "2   POST" in typed(run) or "POST /in" in typed(run)
    assert "matches" in typed(explain)
    with started(f"{sandbox} --port 0", "Webhook sandbox"):
        pass


def test_the_example_is_delivered_as_its_text_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "examples/criteo/README.md"
    shutil.copytree(ROOT / "examples", folder / "examples")
    local, remote = (commands(block) for block in blocks(page, "console"))
    change, export, run = local
    assert change.startswith("cd ")
    monkeypatch.chdir(folder / change.removeprefix("cd "))
    for pair in export.split()[1:]:
        monkeypatch.setenv(*pair.split("="))
    failed = CliRunner().invoke(actions, shlex.split(run)[1:])
    assert (failed.exit_code, "Sandbox" not in failed.stderr) == (1, True), failed.output
    sandbox, run = remote
    with started(f"{sandbox} --port 0", "Deliver to it") as lines:
        (url,) = re.findall(r"http://[\d.:]+", lines[0])
        real = run.replace("http://127.0.0.1:8010", url)
        assert CliRunner().invoke(actions, shlex.split(real)[1:]).exit_code == 1


class _PublicAPI(SimpleHTTPRequestHandler):
    """The answers of Segment's Public API, which are files, for those who bring a token."""

    tokens: set[str]

    def do_GET(self) -> None:
        self.tokens.add(self.headers["Authorization"])
        name = self.path.partition("?")[0].rpartition("/")[2]
        self.path = f"/{name if name in {'subscriptions', 'filters'} else 'destination'}.json"
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_an_export_of_segment_is_fetched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a server that has the example's answers."""
    monkeypatch.setenv("SEGMENT_TOKEN", "a-token")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    export = ROOT / "examples" / "segment-export"
    tokens: set[str] = set()
    kind = type("Answering", (_PublicAPI,), {"tokens": tokens})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(export))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (script,) = blocks("docs/moving.md", "sh")
        here = f"http://127.0.0.1:{server.server_port}"
        script = script.replace("api=https://api.segmentapis.com", f"api={here}")
        subprocess.run(["/bin/sh", "-ec", script], check=True, cwd=folder)
        server.shutdown()
    assert tokens == {"Bearer a-token"}
    fetched = {one.name: one.read_bytes() for one in (folder / "segment-export").iterdir()}
    assert fetched == {one.name: one.read_bytes() for one in export.iterdir()}
