"""Changes that a page asks for: the page that follows says how each went."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import redirect
from werkzeug.wrappers import Response

from scheduler.domain.errors import InvalidInput
from scheduler.web.inside import Refused, ask
from scheduler.web.notice import say

Tell = Callable[[Any], str]
"""In words what the API's answer means."""


def change(
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    told: str | Tell,
    back: str,
    to: Callable[[Any], str] | None = None,
) -> Response:
    """Ask the API for a change and lead to the page `to`, which tells of it; when it says no `back`, with the reason.

    `to` is `back`, too, unless it is given.
    """
    try:
        answer = ask(method, path, body=body)
    except Refused as no:
        say(no.detail, is_bad=True)
        return redirect(back, 303)
    say(told if isinstance(told, str) else told(answer))
    return redirect(to(answer) if to else back, 303)


def why(no: Refused | InvalidInput) -> str:
    """What was wrong, for a form that is shown again."""
    return no.detail if isinstance(no, Refused) else str(no)
