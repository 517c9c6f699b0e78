"""Text that PostgreSQL can keep, and text of a bounded size."""

from typing import Final

REPLACEMENT: Final = "\ufffd"


def storable(text: str) -> str:
    """`text` with NUL characters and lone surrogates replaced: neither fits in a UTF-8 database."""
    if "\x00" in text:
        text = text.replace("\x00", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def cut(text: str, limit: int) -> str:
    """The start of `text` that fits in `limit` bytes of UTF-8, marked with an ellipsis when something is missing."""
    data = text.encode()
    if len(data) <= limit:
        return text
    mark = "…"
    return data[: limit - len(mark.encode())].decode(errors="ignore") + mark
