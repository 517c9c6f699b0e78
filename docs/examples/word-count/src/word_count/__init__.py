"""`word_count`: how often each word occurs in a text."""

import re
from collections import Counter

from pydantic import BaseModel, ConfigDict, Field

from scheduler.tasks import PermanentError, TaskContext, task

_LINES_AT_ONCE = 10_000


class WordCount(BaseModel):
    """A text, and how many of its most frequent words are wanted."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "to be or not to be", "most": 2}]}
    )

    text: str
    most: int = Field(default=10, ge=1, le=1000)


@task("word_count", kind="process", timeout_seconds=60)  # it may use a CPU for long, and is killed if for too long
def word_count(data: WordCount, context: TaskContext) -> dict[str, object]:
    """Counts the words of a text."""
    lines = data.text.splitlines()
    words: Counter[str] = Counter()
    for done in range(0, len(lines), _LINES_AT_ONCE):
        context.progress(done / len(lines), f"{done} of {len(lines)} lines")
        words.update(re.findall(r"\w+", "\n".join(lines[done : done + _LINES_AT_ONCE]).lower()))
    if not words:
        raise PermanentError("There is no word in the text: trying again will not help.")
    context.log("%d words, %d of them different", words.total(), len(words))
    return {"words": words.total(), "most": words.most_common(data.most)}
