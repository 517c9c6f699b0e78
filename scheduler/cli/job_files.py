"""Jobs in files: JSON lines, a JSON array, or CSV, read job by job with the place that each has there."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final, cast

from scheduler.domain.errors import SchedulerError
from scheduler.domain.job import JsonObject, JsonValue

_NUMBERS: Final = {"priority": int, "max_attempts": int, "timeout_seconds": float, "delay_seconds": float}
_TEXTS: Final = frozenset(
    {"name", "description", "queue", "scheduled_at", "unique_key", "concurrency_key", "expires_at"}
)
_ABOUT: Final = frozenset(
    {
        *("id", "status", "next_run_at", "attempt", "created_at", "updated_at", "picked_at", "started_at"),
        *("completed_at", "result", "error", "progress", "schedule_id", "template_id", "duplicated_from", "owner_id"),
    }
)
"""What an export tells of a job's life: a new job has none yet."""
_COLUMNS: Final = frozenset({*_NUMBERS, *_TEXTS, *_ABOUT, "task_type", "task_data"})
_WOULD_BE_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


class BadFile(SchedulerError):
    """A file of jobs cannot be read; the message names the place."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A job to create, and where it stands: `line 7`."""

    place: str
    job: JsonObject


def read_jobs(lines: Iterable[bytes]) -> Iterator[Entry]:
    """The jobs of a file; raises BadFile at the first that is none."""
    texts = _decoded(lines)
    head: list[str] = []
    for line in texts:
        head.append(line)
        if line.strip():
            break
    rest = chain(head, texts)
    match "".join(head).lstrip()[:1]:
        case "{":
            return _of_json_lines(rest)
        case "[":
            return _of_array(rest)
        case _:
            return _of_csv(rest)


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise BadFile(f"line {number} is not UTF-8.") from None


def _of_json_lines(lines: Iterable[str]) -> Iterator[Entry]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _entry(f"line {number}", _parsed(f"line {number}", line))


def _of_array(lines: Iterable[str]) -> Iterator[Entry]:
    found = _parsed("the file", "".join(lines))
    for number, each in enumerate(cast("list[JsonValue]", found), 1):
        yield _entry(f"item {number}", each)


def _parsed(place: str, text: str) -> JsonValue:
    try:
        return cast("JsonValue", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{place} is not JSON: {error}.") from None


def _entry(place: str, found: JsonValue) -> Entry:
    if not isinstance(found, dict):
        raise BadFile(f"{place} is not a JSON object.")
    return Entry(place, {name: value for name, value in found.items() if name not in _ABOUT and value is not None})


def _of_csv(lines: Iterable[str]) -> Iterator[Entry]:
    rows = csv.reader(lines, strict=True)
    try:
        columns = next(rows, list[str]())
        _check(columns)
        begins = rows.line_num + 1
        for row in rows:
            if row:
                yield _of_row(f"line {begins}", columns, row)
            begins = rows.line_num + 1
    except csv.Error as error:
        raise BadFile(f"line {rows.line_num} is not CSV: {error}.") from None


def _check(columns: list[str]) -> None:
    unknown = [name for name in columns if name not in _COLUMNS]
    if "task_type" not in columns or unknown:
        what = f"no column can be {unknown[0]!r}" if unknown else "the column task_type is missing"
        raise BadFile(f"line 1: {what}. Give JSON, or CSV with columns as `scheduler jobs export` writes.")


def _of_row(place: str, columns: list[str], row: list[str]) -> Entry:
    if len(row) != len(columns):
        raise BadFile(f"{place} has {len(row)} cells under {len(columns)} columns.")
    cells = {name: _unescaped(cell) for name, cell in zip(columns, row, strict=True) if cell}
    data = _parsed(f"{place}: task_data", cells.get("task_data", "{}"))
    job: JsonObject = {"task": {"type": cells.get("task_type", ""), "data": data}}
    job.update({name: cell for name, cell in cells.items() if name in _TEXTS})
    for name, number in _NUMBERS.items():
        if name in cells:
            try:
                job[name] = number(cells[name])
            except ValueError:
                raise BadFile(f"{place}: {name} is not a number.") from None
    return Entry(place, job)


def _unescaped(cell: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_WOULD_BE_FORMULAS) else cell
