"""What the data of the built-in types is made of."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict

from scheduler.domain.job import JsonObject

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


class TaskData(BaseModel):
    """The data of a built-in type: unknown fields are refused, so that a typo is never silently lost."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def example(data: JsonObject) -> ConfigDict:
    """A `model_config` that shows `data` among the `examples` of the model's JSON Schema."""
    return ConfigDict(json_schema_extra={"examples": [data]})


def _is_text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode text (it holds half of a surrogate pair)") from None
    return value


def _is_one_line(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must not hold line breaks or control characters")
    return value


def _is_path(value: str) -> str:
    if not value or "\x00" in value:
        raise ValueError("must not be empty or hold a NUL character")
    return value


Text = Annotated[str, AfterValidator(_is_text)]
Line = Annotated[Text, AfterValidator(_is_one_line)]
"""Text for a header: nothing in it can end the line and begin another."""
WorkspacePath = Annotated[Text, AfterValidator(_is_path)]
"""Absolute under a workspace root, or relative to the first root."""
