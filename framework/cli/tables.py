"""Tables and source code on standard output, formatted for a terminal or for a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from framework.cli.terminal import echo, is_shown, written_output
from framework.controls import visible

if TYPE_CHECKING:
    from rich.console import Console

TableRow: TypeAlias = tuple[str, ...]


def print_table(
    columns: Sequence[str], rows: Sequence[TableRow], *, empty: str = "", err: bool = False
) -> None:
    """Print *rows* under *columns*, or the text *empty* if there are no rows.

    On standard error with *err*. The log of a command has each row as a line; a table is a summary,
    which a quiet command does not show.
    """
    if not rows:
        echo(empty, err=err)
        return
    if not is_shown("\n".join(_logged(columns, row) for row in rows)):
        return
    from rich import box  # noqa: PLC0415 - heavy, imported at first use
    from rich.table import Table  # noqa: PLC0415 - heavy, imported at first use
    from rich.text import Text  # noqa: PLC0415 - heavy, imported at first use

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        numeric = all(_is_number(row[len(table.columns)]) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    with written_output(err=err):
        output(stderr=err).print(table)


def print_source(text: str) -> None:
    """Print Python source, highlighted on a terminal and unchanged otherwise."""
    if not sys.stdout.isatty():
        echo(text, nl=False)
        return
    from rich.syntax import Syntax  # noqa: PLC0415 - heavy, imported at first use

    shown = Syntax(text, "python", theme="ansi_dark", background_color="default", word_wrap=True)
    with written_output(err=False):
        output().print(shown)


def output(*, stderr: bool = False) -> Console:
    """Return a console for standard output, or for standard error; 160 columns for a file."""
    from rich.console import Console  # noqa: PLC0415 - heavy, imported at first use

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 160, highlight=False)


def _logged(columns: Sequence[str], row: TableRow) -> str:
    """Return a row as a line of a log."""
    cells = zip(columns, row, strict=True)
    return ", ".join(f"{column}: {visible(cell)}" for column, cell in cells if cell)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").isdecimal()
