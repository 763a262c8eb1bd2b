"""Lists: columns under a heading for people, tab-separated lines when piped."""

from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli import report


def show(console: Console, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows, none when there are none; None is an empty cell."""
    lines = [[_cell(value) for value in row] for row in rows]
    if not console.is_terminal:
        for line in lines:
            click.echo("\t".join(line), file=console.file)
        return
    if not lines:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in columns:
        table.add_column(name.replace("_", " "), overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    console.print(table)


def _cell(value: object) -> str:
    return "" if value is None else report.printable(str(value))
