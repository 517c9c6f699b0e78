"""`create_folder`: makes a folder in the workspace, with its parents."""

from scheduler.domain.job import JsonObject
from scheduler.tasks.context import TaskContext
from scheduler.tasks.data import TaskData, WorkspacePath, example
from scheduler.tasks.registry import Kind, TaskType
from scheduler.tasks.workspace import Workspace


class CreateFolder(TaskData):
    """The folder to make."""

    model_config = example({"path": "reports/2026"})

    path: WorkspacePath


def create_folder_task(workspace: Workspace) -> TaskType:
    """The type `create_folder`, bound to a workspace."""

    def create_folder(data: CreateFolder, _context: TaskContext) -> JsonObject:
        place = workspace.place(data.path)
        with workspace.folder(place, make=True) as (_, created):
            return {"path": str(place), "created": created}

    return TaskType(
        "create_folder",
        Kind.THREAD,  # file I/O blocks
        CreateFolder,
        create_folder,
        description="Makes a folder in the workspace, with its parents. One that exists already is a success.",
    )
