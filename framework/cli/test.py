"""`actions test`: run mapping tests (`*.test.yaml`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from framework.cli import exits
from framework.cli.connections import check_reading
from framework.cli.findings import show_findings, unknown_in_cases
from framework.cli.generated_cases import write_generated_cases
from framework.cli.installed import plugins_print_to_stderr
from framework.cli.terminal import echo
from framework.storage import storage, write_durably

if TYPE_CHECKING:
    from framework.config import CaseFile
    from framework.explain import CaseResult


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--update", is_flag=True, help="Save the actual results as expected.")
@click.option(
    "--generate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="CONNECTION",
    help="Write tests of a connection file next to it: for each subscription an event with all "
    "fields and one with the required ones, with what it sends now.",
)
@click.pass_context
def test(
    ctx: click.Context, /, *, paths: tuple[Path, ...], update: bool, generate: Path | None
) -> None:
    """Run the mapping tests in PATHS (files, or folders with `*.test.yaml` files).

    A test lists events and what is expected of them: outcomes, codes, payloads or parts of them,
    and requests. Nothing is sent to the partner: the destination's sandbox responds.
    """
    if generate:
        if paths or update:
            raise click.UsageError("--generate writes a file of tests; leave out the rest.")
        echo(f"Wrote {write_generated_cases(generate)}")
        return
    files = list(_files(paths or (Path(),)))
    if not files:
        raise click.UsageError(
            "No `*.test.yaml` files found. Name a test file or a folder that holds one."
        )
    passed = failed = 0
    for file in files:
        for result in _run(file, update=update):
            passed, failed = passed + (not result.differences), failed + bool(result.differences)
    echo(f"{passed} passed, {failed} {'updated' if update else 'failed'}")
    ctx.exit(exits.FAILED if failed and not update else exits.DONE)


def _files(paths: tuple[Path, ...]) -> Iterator[Path]:
    from framework.config import SUFFIXES  # noqa: PLC0415 - heavy, imported at first use

    for path in paths:
        if path.is_file():
            yield path
        else:
            yield from sorted(p for p in path.rglob("*") if p.name.endswith(SUFFIXES))


def _run(path: Path, *, update: bool) -> list[CaseResult]:
    from framework.config import read_cases, rewritten  # noqa: PLC0415 - heavy, at first use

    file, found = read_cases(path)
    show_findings(found)
    if file is None:
        raise click.exceptions.Exit(exits.USAGE)
    results = list(_results(file))
    for result in results:
        status = click.style("failed", fg="red") if result.differences else "passed"
        echo(f"{path}: {result.case.name}: {'updated' if update else status}")
        if not update:
            for difference in result.differences:
                echo(f"    {difference}")
    if update and any(result.differences for result in results):
        changed = {
            index: {
                "expect": result.expect,
                **({} if result.case.calls is None else {"calls": result.calls}),
            }
            for index, result in enumerate(results)
            if result.differences
        }
        with storage("The test file", path, "written"):
            write_durably(path, rewritten(file, changed).encode())
    return results


def _results(file: CaseFile) -> Iterator[CaseResult]:
    from framework.config import read_connection  # noqa: PLC0415 - heavy, imported at first use
    from framework.delivery import no_network  # noqa: PLC0415 - heavy, imported at first use
    from framework.explain import run_case  # noqa: PLC0415 - heavy, imported at first use

    opened = check_reading(read_connection(file.connection, file.environment), offline=True)
    given = opened.file
    show_findings(unknown_in_cases(file, given))
    for case in file.cases:
        with no_network(opened.plugin.definition.slug), plugins_print_to_stderr():
            result = run_case(
                opened.plugin,
                given.settings,
                given.subscriptions,
                case,
                **given.arguments,
            )
        yield result
