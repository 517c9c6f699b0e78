"""What a terminal gets to see: hostile text made harmless, times made short, rows made a table."""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import click

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
    """Rows under their head, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)


def print_json(value: JsonValue) -> None:
    """One line of ASCII for another program."""
    click.echo(json.dumps(value))
