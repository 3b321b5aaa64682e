"""A checkpoint serves one connection and one history of events, and is refused by all others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from destinations.criteo_audiences.sandbox import App, CriteoSandbox
from framework.cli.app import actions
from framework.sandbox import Fault, serve
from tests.deliveries import event, members_of, write

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.proof.conftest import Bench

ADA, BOB = "ada@example.com", "bob@example.com"
WAY_OUT = (
    "Name another one with --checkpoint, or deliver the whole file again with --restart."
)  # fmt: skip


@pytest.fixture
def criteo() -> CriteoSandbox:
    """Two advertisers, both of which have given consent."""
    return CriteoSandbox([App("sandbox-client", "sandbox-secret", frozenset({"12345", "67890"}))])


def checkpoints(here: Bench) -> list[Path]:
    return sorted(here.folder.glob("*.checkpoint"))


def test_another_advertiser_has_a_checkpoint_of_its_own(here: Bench, criteo: CriteoSandbox) -> None:
    """Each is served once, whatever the order; the first run for another says where it starts."""
    write(here.events, [event(ADA), event(BOB)])
    with serve(criteo) as server:
        for advertiser in ("12345", "67890", "12345", "67890"):
            here.configure({"advertiser_id": advertiser})
            result = here.run(server.url)
            assert result.exit_code == 0
            if advertiser == "67890" and len(checkpoints(here)) == 1:
                assert "Starting at the first line" in result.output
    segments = criteo.describe("members")["segments"]
    assert [(one["advertiser"], one["members"]["email"]) for one in segments] == [
        (advertiser, [ADA, BOB]) for advertiser in ("12345", "67890")
    ]
    assert len(checkpoints(here)) == 2
    assert (criteo.calls["amend"], criteo.calls["create"]) == (2, 2)


def test_a_delivery_to_the_sandbox_is_none_to_the_partner(
    here: Bench, criteo: CriteoSandbox
) -> None:
    write(here.events, [event(ADA)])
    chosen = ("run", "-c", here.connection, "-e", here.events, "--checkpoint", here.folder / "c")
    assert here.actions(*chosen, "--sandbox").exit_code == 0
    with serve(criteo) as server:
        result = here.run(server.url, "--checkpoint", here.folder / "c")
    assert (result.exit_code, members_of(criteo)) == (2, {})
    assert f"belongs to a run for the sandbox. {WAY_OUT}" in result.output


def streamed(here: Bench, url: str, *people: str) -> Result:
    text = "".join(f"{json.dumps(event(one))}\n" for one in people)
    chosen = ("run", "-c", here.connection, "-e", "-", "--checkpoint", here.folder / "c")
    arguments = [*map(str, chosen), "--endpoint", f"https://api.criteo.com={url}"]
    return CliRunner().invoke(actions, arguments, prog_name="actions", input=text)


def test_another_stream_of_the_same_length_is_refused(here: Bench, criteo: CriteoSandbox) -> None:
    with serve(criteo) as server:
        assert streamed(here, server.url, ADA).exit_code == 0
        other = streamed(here, server.url, BOB)
        assert other.exit_code == 2
        assert f"belongs to another stream: `standard input` begins otherwise. {WAY_OUT}" in (
            other.output
        )
        assert streamed(here, server.url, ADA, BOB).exit_code == 0
    assert members_of(criteo) == {"spring": {ADA, BOB}}
    assert criteo.calls["amend"] == 2


@pytest.mark.parametrize("seed", range(20))
def test_a_changed_digit_is_refused(here: Bench, criteo: CriteoSandbox, seed: int) -> None:
    """Wherever it is; nothing is sent."""
    write(here.events, [event(ADA), event(BOB, audience="bad"), event(BOB)])
    criteo.inject(Fault("server-error", "create", call=2, times=9))
    with serve(criteo) as server:
        assert here.run(server.url, "--retry-for", "0").exit_code == 3
        (path,) = checkpoints(here)
        content = path.read_text()
        digits = [at for at, one in enumerate(content) if one.isdigit()]
        at = digits[seed * 7919 % len(digits)]
        changed = str((int(content[at]) + 1 + seed % 9) % 10)
        path.write_text(content[:at] + changed + content[at + 1 :])
        calls = criteo.calls.total()
        result = here.run(server.url)
    assert (result.exit_code, criteo.calls.total()) == (2, calls)
    assert f"The checkpoint `{path}` " in result.output
    assert WAY_OUT in result.output


def test_a_checkpoint_of_an_earlier_version_is_taken_where_it_is_named(
    here: Bench, criteo: CriteoSandbox
) -> None:
    write(here.events, [event(ADA)])
    with serve(criteo) as server:
        assert here.run(server.url).exit_code == 0
        (path,) = checkpoints(here)
        old = json.loads(path.read_text())
        old |= {"version": 1, "connection": old["serves"]["label"]}
        del old["checksum"], old["serves"], old["head"]
        path.unlink()
        place = server.url.rpartition("/")[2].replace(":", "-")
        path = path.with_name(f"events.ndjson.{place}.checkpoint")
        path.write_text(json.dumps(old))
        refused = here.run(server.url)
        assert refused.exit_code == 2
        assert f"resume from it with --checkpoint {path};" in refused.output
        calls = criteo.calls.total()
        assert here.run(server.url, "--checkpoint", path).exit_code == 0
        assert criteo.calls.total() == calls
