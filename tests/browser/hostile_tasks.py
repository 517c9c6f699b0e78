"""Tasks whose every word is script."""

from typing import Final

from pydantic import BaseModel

from scheduler.tasks import PermanentError, TaskContext, task

SCRIPT: Final = "<script>window.pwned=1</script><img src=x onerror='window.pwned=1'>\"'>{{7*7}}"


class Nothing(BaseModel):
    """<script>window.pwned=1</script>"""

    text: str = ""


@task("hostile_return")
async def hostile_return(data: Nothing, context: TaskContext) -> dict[str, str]:
    """Return script, log it and report it. <script>window.pwned=1</script>"""
    context.log("%s", data.text)
    context.progress(0.5, data.text)
    return {data.text: data.text}


@task("hostile_fail")
async def hostile_fail(data: Nothing, context: TaskContext) -> None:
    """Fail with script."""
    context.log("%s", data.text)
    raise PermanentError(data.text)


@task("endless", kind="thread")
def endless(_data: Nothing, context: TaskContext) -> None:
    """Run until it is cancelled, half way."""
    context.progress(0.5, "half way")
    while not context.cancelled:
        pass
