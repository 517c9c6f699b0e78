"""`scheduler jobs export` and `import`: jobs to and from files."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal, cast

import click

from scheduler.cli.client import Api, ApiCommand, url_option
from scheduler.cli.job_files import BadFile, Entry, read_jobs
from scheduler.cli.options import document_of, filter_options
from scheduler.cli.terminal import Bar, plain, print_json
from scheduler.client import ClientError, Invalid
from scheduler.client.calls import Answer, Call
from scheduler.client.jobs import MOST_AT_ONCE, JobFilter
from scheduler.domain.errors import FieldError

_BATCH: Final = 1_000
_TOLD_FAULTS: Final = 20


@click.command(cls=ApiCommand)
@filter_options
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file, whole or not at all; else stdout."
)
@url_option
def export(
    api: Api,
    *,
    form: Literal["csv", "jsonl"],
    output: Path | None,
    status: tuple[str, ...],
    **filters: str | None,
) -> None:
    """Write jobs as CSV or JSON lines, newest first: all that the filters match. `import` reads both."""
    asked = cast("JobFilter", {name: value for name, value in filters.items() if value is not None})
    if status:
        asked["status"] = status
    chunks = api.jobs.export(**asked) if form == "csv" else _json_lines(api, asked)
    if output is None:
        return _write(chunks, sys.stdout.buffer)
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as file:
            _write(chunks, file)
        part.replace(output)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return None


def _json_lines(api: Api, asked: JobFilter) -> Iterator[bytes]:
    for job in api.jobs.list(**asked):
        yield json.dumps(document_of(job)).encode() + b"\n"


def _write(chunks: Iterable[bytes], file: BinaryIO) -> None:
    with Bar("exporting", None) as bar:
        for chunk in chunks:
            file.write(chunk)
            bar.advance(len(chunk))
    file.flush()


@click.command("import", cls=ApiCommand)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--batch", type=click.IntRange(1, MOST_AT_ONCE), default=_BATCH, show_default=True, help="Jobs a request."
)
@click.option("--key", default="", help="Another one lets the same file be imported again within a day.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as one JSON document.")
@url_option
def import_(api: Api, *, file: BinaryIO, batch: int, key: str, as_json: bool) -> None:
    """Create the jobs in FILE (- for stdin): JSON lines, a JSON array, or CSV, as `export` writes them.

    Each batch is created whole or not at all. What was interrupted, or had a wrong line that is right now, can be run
    again with the same --batch: for a day, batches that are in already are not created twice.
    """
    created = there = 0
    try:
        with Bar("importing", _size_of(file)) as bar:
            for entries in _batches(read_jobs(_counted(file, bar)), batch):
                ids, was_there = _create(api, entries, key=key)
                created, there = (created, there + ids) if was_there else (created + ids, there)
    except (BadFile, _BadJobs, ClientError) as error:
        click.echo(f"{created} created, {there} already there; the rest is not", err=True)
        if isinstance(error, ClientError):
            raise
        raise click.ClickException(plain(str(error)) if isinstance(error, BadFile) else str(error)) from None
    if as_json:
        print_json({"created": created, "already_there": there})
    else:
        click.echo(f"{created} created, {there} already there")


class _BadJobs(Exception):
    """The API refused jobs of a batch; the message has a line for each fault."""


def _size_of(file: BinaryIO) -> int | None:
    try:
        return os.fstat(file.fileno()).st_size or None
    except OSError:
        return None  # a pipe of a test has no descriptor


def _counted(file: BinaryIO, bar: Bar) -> Iterator[bytes]:
    for line in file:
        yield line
        bar.advance(len(line))


def _batches(entries: Iterator[Entry], size: int) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _create(api: Api, entries: list[Entry], *, key: str) -> tuple[int, bool]:
    """How many jobs of a batch there are now, and whether they were there already."""
    jobs = [entry.job for entry in entries]
    digest = hashlib.sha256(json.dumps([key, entries[0].place, jobs], sort_keys=True).encode()).hexdigest()
    body = {"jobs": jobs}
    try:
        return api.send(Call("POST", "/api/bulk/create", _outcome, body=body, key=f"import-{digest}"))  # pyright: ignore
    except Invalid as invalid:
        if invalid.status == 413:
            raise _BadJobs("A batch is larger than the API takes: give a smaller --batch.") from None
        raise _BadJobs("\n".join(_told(invalid.errors, entries)) or plain(invalid.detail)) from None


def _outcome(answer: Answer) -> tuple[int, bool]:
    ids = cast("list[int]", answer.document().get("ids"))
    return len(ids), "idempotency-replayed" in answer.headers


def _told(faults: Iterable[FieldError], entries: list[Entry]) -> list[str]:
    """Each fault with the place in the file that it is about."""
    lines: list[str] = []
    for fault in faults:
        match fault.loc:
            case ("jobs", int(index), *field) if index < len(entries):
                lines.append(plain(f"{entries[index].place}: {'.'.join(map(str, field))}: {fault.msg}"))
            case _:
                lines.append(plain(f"{'.'.join(map(str, fault.loc))}: {fault.msg}"))
    more = len(lines) - _TOLD_FAULTS
    return [*lines[:_TOLD_FAULTS], *([f"and {more} more"] if more > 0 else [])]
