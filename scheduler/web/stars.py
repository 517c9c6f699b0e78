"""Secrets in the data of tasks: shown as stars, and kept where the stars come back.

They are hidden from whoever looks over a shoulder, not from who may ask the API.
"""

import re
from typing import Any, Final, cast

from scheduler.domain.errors import FieldError, InvalidInput

STARS: Final = "••••••"
_SECRET: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|authorization|api[-_ ]?key|cookie|credential|signature", re.IGNORECASE
)


def masked(value: Any) -> Any:
    """Data of a task, with stars for what is probably a secret."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: STARS if _hides(name, each) else masked(each) for name, each in members.items()}
    return [masked(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value


def unmasked(filled: Any, stored: Any) -> Any:
    """What was filled in, with what its stars stand for: what is stored in their place.

    A list that holds stars has to be as it was shown, since of a changed one nobody knows which secret is whose.
    Raises InvalidInput where nothing is stored for them.
    """
    if not _has_stars(filled):
        return filled
    if filled == masked(stored):
        return stored
    if not isinstance(filled, dict):
        raise InvalidInput([FieldError(("task", "data"), "Write out what the stars stand for.", "secret_hidden")])
    known = cast("dict[str, Any]", stored) if isinstance(stored, dict) else {}
    shown = masked(known)
    return {
        name: known[name] if each == STARS == shown.get(name) else unmasked(each, known.get(name))
        for name, each in cast("dict[str, Any]", filled).items()
    }


def _hides(name: str, value: Any) -> bool:
    return bool(_SECRET.search(name)) and value is not None and not isinstance(value, (dict, bool))


def _has_stars(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_stars, cast("dict[str, Any]", value).values()))
    return any(map(_has_stars, cast("list[Any]", value))) if isinstance(value, list) else value == STARS
