"""What the machine refuses: each command that can meet it answers in one line, with a way out."""

from __future__ import annotations

import ctypes
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import pytest

from destinations.criteo_audiences.sandbox import CriteoSandbox
from framework.cli import exits
from framework.cli.app import actions
from framework.sandbox import serve
from tests.framework.cli.audience_bench import IN, TO_ADD, AudienceBench, address
from tests.framework.cli.test_command_log import all_commands

ROOT = Path(__file__).parents[3]

COMMANDS = """
run -c ads.connection.yaml -e events.ndjson {partner}
rows people.csv --key id
relay -c ads.connection.yaml --store sqlite:events.db --listen 127.0.0.1:0 --write-key k
status --store sqlite:events.db
forget --store sqlite:events.db other --yes
dead-letters list letters.ndjson
dead-letters show letters.ndjson
dead-letters drop letters.ndjson --all
dead-letters replay letters.ndjson -c ads.connection.yaml {partner}
audience list --store sqlite:events.db
audience show spring --store sqlite:events.db
audience who person-0@example.com -c ads.connection.yaml --store sqlite:events.db {partner}
audience clear spring --store sqlite:events.db
audience create -c ads.connection.yaml --key k {partner}
audience get -c ads.connection.yaml 7 {partner}
audience unlink -c ads.connection.yaml --key k {partner}
audience plan -c ads.connection.yaml --store sqlite:events.db --list people.txt {partner}
audience repair -c ads.connection.yaml --store sqlite:events.db --list people.txt --yes {partner}
audience mirror -c ads.connection.yaml --store sqlite:events.db --name spring \
--members people.txt --max-removals 100% --yes {partner}
audience drift -c ads.connection.yaml --store sqlite:events.db {partner}
delete -c ads.connection.yaml --store sqlite:events.db --user-id u1 --yes {partner}
check-auth -c ads.connection.yaml {partner}
jobs -c ads.connection.yaml
choices -c ads.connection.yaml addUserToAudience email {partner}
save-mapping -c ads.connection.yaml --subscription Entered {partner}
list
show --generated ads.connection.yaml
docs criteo
diff old.json old.json
validate ads.connection.yaml --events events.ndjson
validate ads.connection.yaml --event-schema schema.json
validate --manifest old.json
import old.json --out imported
explain -c ads.connection.yaml --event events.ndjson
test ads.test.yaml
test --generate other.connection.yaml
new acme --no-input
new action addNote --no-input
certify criteo --only texts
sandbox criteo --port 0
serve -c ads.connection.yaml --store sqlite:events.db --port 0 --no-open
schemas --out made
completion bash
"""
SERVERS: Final = ("relay", "sandbox", "serve")
LINES = COMMANDS.strip().splitlines()


class Ran(NamedTuple):
    """How a command ended, and what it wrote."""

    code: Any
    output: str
    errors: str

    @property
    def told(self) -> list[str]:
        """What it says of errors: lines of usage, which click writes before, are left out."""
        lines = self.errors.splitlines()
        return [one for one in lines if one and not one.startswith(("Usage: ", "Try '"))]


class Place(NamedTuple):
    """A folder with all files that the commands name, and the option for the partner."""

    folder: Path
    partner: str


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Yield a folder that tests copy."""
    folder, criteo = tmp_path_factory.mktemp("filled"), CriteoSandbox()
    with serve(criteo) as server:
        bench = AudienceBench(folder, criteo, server.url)
        bench.know({address(0): IN, address(1): TO_ADD})
        partner = f"--endpoint {bench.endpoint}"
        shutil.copy(bench.connection, folder / "other.connection.yaml")
        event: dict[str, Any] = {
            "type": "track",
            "event": "Audience Entered",
            "messageId": "m1",
            "userId": "u1",
        }
        event |= {"properties": {"audience_key": "spring"}}
        (folder / "events.ndjson").write_text(f"{json.dumps(event)}\n")
        (folder / "people.txt").write_text(f"{address(0)}\n{address(2)}\n")
        (folder / "people.csv").write_text("id\n1\n")
        (folder / "schema.json").write_text('{"type": "object"}')
        test = (ROOT / "examples" / "criteo" / "criteo.test.yaml").read_text()
        for given, own in (
            ("criteo.connection", "ads.connection"),
            ("Add users", "Entered 0"),
            ("Remove users", "Exited 0"),
        ):
            test = test.replace(given, own)
        (folder / "ads.test.yaml").write_text(test)
        with _within(folder):
            (folder / "old.json").write_text(_run("show criteo --json").output)
            _run(f"run -c ads.connection.yaml -e events.ndjson {partner}")
        (letters,) = folder.glob("*.dead-letters.ndjson")
        letters.rename(folder / "letters.ndjson")
        for one in folder.glob("events.ndjson.*"):
            one.unlink()
        yield Place(folder, partner)


@pytest.fixture
def place(filled: Place, tmp_path: Path) -> Iterator[Place]:
    """Yield a folder of its own, in which commands are typed."""
    own = Place(tmp_path / "own", filled.partner)
    shutil.copytree(filled.folder, own.folder)
    with _within(own.folder):
        yield own
        own.folder.chmod(0o755)


@contextmanager
def _within(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _run(line: str, output: IO[str] | None = None) -> Ran:
    """Run a command in this process, with real files as its streams."""
    kept = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    errors = io.StringIO()
    stuck = threading.Timer(60, os.kill, (os.getpid(), signal.SIGINT))
    stuck.start()
    with redirect_stdout(output or kept), redirect_stderr(errors):
        try:
            actions(shlex.split(line), prog_name="actions")
        except SystemExit as end:
            code = end.code
        finally:
            stuck.cancel()
    written = kept.buffer
    assert isinstance(written, io.BytesIO)
    return Ran(code, written.getvalue().decode(), errors.getvalue())


def test_every_command_is_in_the_table() -> None:
    words = [line.split() for line in LINES]
    named = {" ".join(one[: 1 + (one[0] in {"audience", "dead-letters"})]) for one in words}
    assert {name for name, _ in all_commands(actions) if not name.startswith("sandbox ")} | {
        "sandbox"
    } == named


def _is_one_line(ran: Ran) -> bool:
    """Return whether an error is one line, or one finding with its place, and is known."""
    first, *more = ran.told
    place = [
        one
        for one in more
        if not re.match(r" *-->|1 error, |Error: `old.json` is not a valid", one)
    ]
    known = "Traceback" not in ran.errors and "unexpected" not in ran.errors
    return known and first.startswith(("Error: ", "error[AD")) and not place


NO_SPACE: Final = (
    "Error: Standard output cannot be written: No space left on device. Free some space, then run "
    "the command again."
)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("line", LINES)
def test_a_full_disk_behind_standard_output(place: Place, line: str) -> None:
    with Path("/dev/full").open("w") as full:
        ran = _run(line.format(partner=place.partner), full)
    if ran.code == exits.STORAGE:
        assert ran.told[-1] == NO_SPACE
        assert "Traceback" not in ran.errors
    else:  # the destination has no such thing
        assert (ran.code, _is_one_line(ran)) == (exits.USAGE, True), ran.errors


@pytest.mark.parametrize("line", LINES)
def test_a_reader_that_left(place: Place, line: str) -> None:
    """As in `actions ... | head`."""
    reading, writing = os.pipe()
    os.close(reading)
    with suppress(OSError), os.fdopen(writing, "w") as pipe:
        ran = _run(line.format(partner=place.partner), pipe)
    if ran.code == exits.FAILED:
        assert not re.search("Error|Traceback|unexpected", ran.errors)
    else:
        assert (ran.code, _is_one_line(ran)) == (exits.USAGE, True), ran.errors


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable")]


@contextmanager
def _obeying_modes() -> Iterator[None]:
    """Let the modes of files hold for this thread in the block, also if it is root's."""
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root may read and write everything here")
    system = ctypes.CDLL(None)
    header, data = _Header(0x20080522, 0), (_Data * 2)()
    assert system.capget(ctypes.byref(header), data) == 0
    before = data[0].effective
    data[0].effective = before & ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    assert system.capset(ctypes.byref(header), data) == 0
    try:
        yield
    finally:
        data[0].effective = before
        assert system.capset(ctypes.byref(header), data) == 0


ACCESS: Final = "Give the user that runs the command access to it and to its folder."
NEEDS: Final = [
    (line, name)
    for line in LINES
    for name in re.findall(r"(?:(?<=sqlite:)|(?<= ))(\w[\w-]*(?:\.\w+)+)", line)
    if "@" not in name and not name.startswith("127")
]
"""Each file that each command reads."""


@pytest.mark.parametrize(("line", "name"), NEEDS)
def test_an_unreadable_file(place: Place, line: str, name: str) -> None:
    (place.folder / name).chmod(0)
    with _obeying_modes():
        ran = _run(line.format(partner=place.partner))
    assert ran.code in {exits.FAILED, exits.USAGE, exits.STORAGE}, ran
    told = ran.told or ran.output.splitlines()
    assert name in "\n".join(told[:2]), told
    assert f"Permission denied. {ACCESS}" in told[0], told
    if not line.startswith("import "):  # which says then that it has nothing to import
        assert _is_one_line(ran._replace(errors=ran.errors or ran.output))


@pytest.mark.parametrize(("line", "name"), NEEDS)
def test_a_folder_in_the_place_of_a_file(place: Place, line: str, name: str) -> None:
    (place.folder / name).unlink()
    (place.folder / name).mkdir()
    ran = _run(line.format(partner=place.partner))
    assert ran.code in {exits.FAILED, exits.USAGE, exits.STORAGE}, ran
    told = ran.told or ran.output.splitlines()
    if not line.startswith(("import ", "test ")):  # which take folders
        assert name in "\n".join(told[:2]), told
    assert _is_one_line(ran._replace(errors=ran.errors or ran.output))


READ_ONLY_WELL: Final = ("sandbox ",)


@pytest.mark.parametrize("line", [line for line in LINES if not line.startswith(READ_ONLY_WELL)])
def test_a_read_only_folder(place: Place, line: str) -> None:
    """What has to be written there is named; what only reads works as ever."""
    place.folder.chmod(0o555)
    with _obeying_modes():
        ran = _run(line.format(partner=place.partner))
    assert "Traceback" not in ran.errors
    assert "unexpected" not in ran.errors
    if ran.code == exits.STORAGE:
        assert _is_one_line(ran), ran.errors
        assert "Give the user that runs the command access" in ran.told[0]
    writes = ("--store", "import ", "test --generate", "new acme", "schemas", "run ", "drop")
    assert (ran.code == exits.STORAGE) == any(one in line for one in writes), ran


PYTHONS: Final = {
    found.parents[1].name: found for found in Path.home().glob(".pyenv/versions/3.*/bin/python")
}
OLD: Final = next((PYTHONS[one] for one in PYTHONS if re.match(r"3\.(8|9|10)\.", one)), None)


@pytest.mark.skipif(OLD is None, reason="there is no older Python here")
def test_an_older_python_is_named() -> None:
    """Whatever is installed for it."""
    done = subprocess.run(
        [str(OLD), "-m", "framework", "list"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert re.fullmatch(
        rf"Error: Python 3\.11 or newer is needed, and `{re.escape(str(OLD))}` is Python "
        r"3\.\d+\.\d+\. Make the environment with a newer one: python3\.11 -m venv \.venv\n",
        done.stderr,
    )
    assert (done.stdout, done.returncode) == ("", exits.USAGE)


def test_a_python_without_the_packages_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "framework", "list"],
        cwd=ROOT, capture_output=True, text=True, check=False, env={},
    )  # fmt: skip
    assert done.stderr == (
        f"Error: The package `click` is not installed for `{sys.executable}`. Activate the "
        "environment of this program, or install what it needs: pip install .\n"
    )
    assert (done.stdout, done.returncode) == ("", exits.USAGE)


SHOP: Final = """
destination: {name}
settings: {{customer: us, key: sesame}}
subscriptions: [{{name: Orders, partnerAction: order}}]
"""
CASE: Final = """
tests:
  - name: An order
    events: [{type: track, properties: {thing: tea}}]
    expect: [{Orders: {outcome: delivered}}]
"""
WITH_SANDBOX: Final = """
run -c {name}.connection.yaml -e events.ndjson --sandbox
relay -c {name}.connection.yaml --store sqlite:{name}.db --listen 127.0.0.1:0 --write-key k \
--sandbox
explain -c {name}.connection.yaml --event events.ndjson --sandbox
test {name}.test.yaml
audience create -c {name}.connection.yaml --key k --sandbox
choices -c {name}.connection.yaml order thing --sandbox
sandbox {name} --port 0
serve {name} --port 0 --no-open --reference-api --sandbox
"""


@pytest.fixture
def shops(
    place: Place, install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Install a shop without a sandbox, and one whose sandbox has no method that answers."""
    source = (Path(__file__).parent / "plugin" / "shop_destination.py").read_text()
    bare = source.partition("@hookimpl\ndef sandbox()")[0]
    before, _, rest = source.partition("    def route(")
    unanswering = f"{before}    def _order({rest.partition('    def _order(')[2]}"
    for name, text in (("bare", bare), ("unanswering", unanswering)):
        module = f"{name}_destination"
        (place.folder / f"{module}.py").write_text(text.replace('slug="shop"', f'slug="{name}"'))
        install(place.folder, name, "1.0", {name: module})
        (place.folder / f"{name}.connection.yaml").write_text(SHOP.format(name=name))
        (place.folder / f"{name}.test.yaml").write_text(CASE)
    monkeypatch.syspath_prepend(str(place.folder))
    yield
    for name in ("bare", "unanswering"):
        sys.modules.pop(f"{name}_destination", None)


@pytest.mark.usefixtures("shops")
@pytest.mark.parametrize("line", WITH_SANDBOX.strip().splitlines())
def test_a_sandbox_that_is_missing_or_has_no_method(line: str) -> None:
    missing = _run(line.format(name="bare"))
    if not line.startswith("test "):  # which needs none
        assert missing.code == exits.USAGE, missing
        assert re.search(r"no sandbox", missing.told[0]), missing
        assert _is_one_line(missing)
    if line.startswith(("serve ", "audience ", "choices ")):
        return  # the page says so for each event; the shop has neither audiences nor choices
    unanswering = _run(line.format(name="unanswering"))
    assert unanswering.code == exits.USAGE, unanswering
    assert unanswering.told == [
        "Error: The sandbox `ShopSandbox` needs the method `answer`, or `route`."
    ]


USED: Final = """
relay {relay} --listen 127.0.0.1:{port} | --listen
relay {relay} --listen 127.0.0.1:0 --metrics 127.0.0.1:{port} | --metrics
sandbox criteo --port {port} | --port 0
serve criteo --no-open --port {port} | --port 0
serve criteo --no-open --reload --port {port} | --port 0
serve criteo --no-open --reference-api --port {port} | --port 0
"""


@pytest.mark.parametrize("row", USED.strip().splitlines())
def test_a_port_in_use(place: Place, row: str) -> None:
    line, _, option = row.partition(" | ")
    relay = "-c ads.connection.yaml --store sqlite:events.db --write-key k"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = _run(line.format(relay=relay, port=port))
    assert ran.code == exits.USAGE
    assert _is_one_line(ran)
    assert f"The address 127.0.0.1:{port} cannot be used: Address already in use." in ran.told[0]
    assert option in ran.told[0]
    assert place.folder.is_dir()


@contextmanager
def _taking_nothing() -> Iterator[None]:
    """Let no file grow in the block, as on a full disk."""
    resource = pytest.importorskip("resource", reason="this system has no limits of processes")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


WRITING: Final = [
    "run -c ads.connection.yaml -e events.ndjson --outcomes o.ndjson {partner}",
    "run -c ads.connection.yaml -e events.ndjson --store sqlite:events.db {partner}",
    "relay -c ads.connection.yaml --store sqlite:new.db --listen 127.0.0.1:0 --write-key k",
    "audience clear spring --store sqlite:events.db",
    "dead-letters drop letters.ndjson --all",
    "import old.json --out imported",
    "test --update ads.test.yaml",
    "test --generate other.connection.yaml",
    "new acme --no-input",
    "schemas --out made",
]


@pytest.mark.parametrize("line", WRITING)
def test_a_disk_that_takes_nothing_more(place: Place, line: str) -> None:
    """What was there stays as it was."""
    before = _files(place.folder)
    with _taking_nothing():
        ran = _run(line.format(partner=place.partner))
    assert (ran.code, _is_one_line(ran)) == (exits.STORAGE, True), ran
    assert re.search(
        r"`.+` cannot be (written|opened): (File too large|disk I/O error)\.", ran.told[0]
    )
    after = _files(place.folder)
    assert {name: after.get(name) for name in before} == before


def _files(folder: Path) -> dict[str, bytes]:
    """Return the files that a person has written, by name."""
    kinds = {".yaml", ".json", ".ndjson", ".txt"}
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.suffix in kinds}
