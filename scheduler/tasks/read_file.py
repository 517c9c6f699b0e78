"""`read_file`: reads a file of the workspace; what is in it is the job's result."""

import base64
import codecs
import os
import re
from typing import Annotated, Final

from pydantic import Field

from scheduler.domain.job import JsonObject
from scheduler.tasks.context import TaskContext
from scheduler.tasks.data import TaskData, WorkspacePath, example
from scheduler.tasks.files import open_regular
from scheduler.tasks.registry import Kind, TaskType
from scheduler.tasks.workspace import Workspace, explained, refused

DEFAULT_BYTES: Final = 64 * 1024
MAX_BYTES: Final = 1_000_000
"""As JSON at most twice as long, which is what a result may be."""

_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class ReadFile(TaskData):
    """A file, and how much of its beginning is wanted: 64 KiB unless said, 1,000,000 bytes at most."""

    model_config = example({"path": "notes/today.txt", "max_bytes": 1000})

    path: WorkspacePath
    max_bytes: Annotated[int, Field(ge=1, le=MAX_BYTES)] = DEFAULT_BYTES


def read_file_task(workspace: Workspace) -> TaskType:
    """The type `read_file`, bound to a workspace."""

    def read_file(data: ReadFile, _context: TaskContext) -> JsonObject:
        place = workspace.place(data.path)
        with workspace.parent(place, make=False) as (folder, name), explained(place):
            try:
                with open_regular(folder, name) as file:
                    content, size = file.read(data.max_bytes), os.fstat(file.fileno()).st_size
            except FileNotFoundError:
                raise refused(f"The file {str(place)!r} does not exist.") from None
        truncated = size > len(content)
        return {"path": str(place), "bytes": size, "truncated": truncated, **_as_json(content, truncated=truncated)}

    return TaskType(
        "read_file",
        Kind.THREAD,  # file I/O blocks
        ReadFile,
        read_file,
        description="Reads a file of the workspace. Text is the result as it is, anything else in base64.",
    )


def _as_json(content: bytes, *, truncated: bool) -> JsonObject:
    """Text without the character that the cut went through, or base64."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(content, final=not truncated)
    except UnicodeDecodeError:
        text = None
    if text is None or _NOT_TEXT.search(text):
        return {"encoding": "base64", "content": base64.b64encode(content).decode()}
    return {"encoding": "utf-8", "content": text}
