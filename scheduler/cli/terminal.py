"""What a terminal gets to see: hostile text made harmless, times made short, rows made a table."""

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from io import StringIO
from typing import Final

import click
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from scheduler.domain.job import JsonValue

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what is not a mark on paper: escape codes, overrides of direction, lone surrogates."""
_WHITESPACE: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_FRACTION: Final = re.compile(r"\.\d+(?=Z$)")


def plain(value: JsonValue) -> str:
    """Any value of the API's as one line that cannot steer a terminal; nothing is a dash."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "".join(each for each in _WHITESPACE.sub(" ", text) if unicodedata.category(each) not in _UNSEEN)


def moment(value: JsonValue) -> str:
    """A time of the API's, to the second."""
    return _FRACTION.sub("", plain(value))


def short(value: JsonValue, width: int) -> str:
    """`plain`, cut to `width` characters."""
    text = plain(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their head, each column as wide as its widest cell; folded where a terminal is too narrow for that."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in head:
        grid.add_column(Text(name), overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))  # as it is: no markup in it means anything
    cells = sum(max(map(cell_len, column)) + 2 for column in zip(head, *rows, strict=True))
    width = min(cells, shutil.get_terminal_size().columns) if sys.stdout.isatty() else cells
    console = Console(file=StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


class Bar:
    """How far some work is; use it in a `with`, and `advance` it. Where stderr is no terminal nothing is shown."""

    def __init__(self, what: str, total: int | None) -> None:
        console = Console(stderr=True)
        self._shown = Progress(
            *(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._shown.add_task(what, total=total)

    def advance(self, by: float) -> None:
        """So much more is done."""
        self._shown.advance(self._task, by)

    def __enter__(self) -> "Bar":
        self._shown.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._shown.stop()


def print_json(value: JsonValue) -> None:
    """One line of ASCII for another program."""
    click.echo(json.dumps(value))
