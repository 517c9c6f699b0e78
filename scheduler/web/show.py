"""How times, durations and data are shown: filters for the templates."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from scheduler.web.stars import masked

_LONGEST_TEXT: Final = 20_000
_GROUPED_WHOLE: Final = 1e6
NOTHING: Final = "\N{EN DASH}"


def moment(text: str | None) -> Markup | str:
    """A time of the API, which a script then shows by the clock of whoever looks, with UTC beside it."""
    if not text:
        return NOTHING
    at = datetime.fromisoformat(text).astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(at.isoformat(), at.strftime("%Y-%m-%d %H:%M:%S"))


def wall(text: str) -> str:
    """A time with an offset, by the clock on the wall there."""
    at = datetime.fromisoformat(text)
    return f"{at:%a %H:%M:%S} (UTC{at.isoformat()[-6:]})"


def duration(milliseconds: float | None) -> str:
    """To three figures or so, in the unit that suits it."""
    if milliseconds is None:
        return NOTHING
    seconds = milliseconds / 1000
    for limit, unit, factor in ((1, "ms", 0.001), (60, "s", 1), (3600, "min", 60), (86_400, "h", 3600)):
        if seconds < limit:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 86_400:.3g} d"


def number(value: float | None) -> str:
    """Six figures or all of a large one, in groups of three."""
    if value is None:
        return NOTHING
    text = f"{value:,.6g}" if value < _GROUPED_WHOLE else f"{value:,.0f}"
    return text.replace(",", "\N{NARROW NO-BREAK SPACE}")


def plain(value: float) -> str:
    """A number as somebody would type it."""
    return str(int(value) if value == int(value) else value)


def flat(value: Any) -> str:
    """JSON on one line, as somebody would write it."""
    return json.dumps(value, ensure_ascii=False)


def standing(schedule: dict[str, Any]) -> str:
    """Whether a schedule still makes jobs."""
    if not schedule["enabled"]:
        return "paused"
    return "active" if schedule["next_run_at"] else "ended"


def pretty(value: Any) -> str:
    """JSON to be read; of what is very long, the beginning."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}\n… {len(text):,} characters in all"


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "moment": moment,
    "wall": wall,
    "duration": duration,
    "number": number,
    "plain": plain,
    "masked": masked,
    "flat": flat,
    "pretty": pretty,
    "standing": standing,
}
