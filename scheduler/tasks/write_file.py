"""`write_file`: writes a file in the workspace, whole or not at all."""

import base64
import binascii
from typing import Final, Literal

from pydantic import model_validator

from scheduler.domain.job import JsonObject
from scheduler.tasks.context import TaskContext
from scheduler.tasks.data import TaskData, Text, WorkspacePath, example
from scheduler.tasks.files import Mode, store
from scheduler.tasks.registry import Kind, TaskType
from scheduler.tasks.workspace import Workspace, explained

MAX_CONTENT_BYTES: Final = 16 * 1024 * 1024


class WriteFile(TaskData):
    """A file and what shall be in it, 16 MiB at most. `create` refuses a file that exists, `append` begins one that
    does not, and lets none grow beyond 256 MiB."""

    model_config = example({"path": "notes/today.txt", "content": "Hello.\n"})

    path: WorkspacePath
    content: Text
    encoding: Literal["utf-8", "base64"] = "utf-8"
    mode: Mode = "overwrite"
    make_parents: bool = True

    @model_validator(mode="after")
    def _content_can_be_written(self) -> "WriteFile":
        if len(self.decoded()) > MAX_CONTENT_BYTES:
            raise ValueError(f"content is longer than {MAX_CONTENT_BYTES} bytes: write it in several parts, by append")
        return self

    def decoded(self) -> bytes:
        """The bytes to write."""
        if self.encoding == "utf-8":
            return self.content.encode()
        try:
            return base64.b64decode(self.content, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("content is not valid base64") from None


def write_file_task(workspace: Workspace) -> TaskType:
    """The type `write_file`, bound to a workspace."""

    def write_file(data: WriteFile, _context: TaskContext) -> JsonObject:
        place = workspace.place(data.path)
        content = data.decoded()
        with workspace.parent(place, make=data.make_parents) as (folder, name), explained(place):
            store(folder, name, mode=data.mode, content=content)
        return {"path": str(place), "bytes": len(content)}

    return TaskType(
        "write_file",
        Kind.THREAD,  # file I/O blocks
        WriteFile,
        write_file,
        description="Writes a file in the workspace, whole or not at all.",
    )
