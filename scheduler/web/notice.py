"""One line that the next page shows: how a change went. A cookie carries it over the redirect."""

from typing import Final
from urllib.parse import quote, unquote

from flask import Response, after_this_request, request

from scheduler.api.client_address import is_encrypted
from scheduler.tasks.text import cut

_COOKIE: Final = "scheduler_notice"
_SECONDS: Final = 30
_LONGEST_BYTES: Final = 900
"""Three times that when quoted; browsers drop a cookie of more than 4 kB."""
_BAD: Final = "!"


def say(text: str, *, is_bad: bool = False) -> None:
    """Show `text` on the page that follows."""

    @after_this_request
    def keep(response: Response) -> Response:
        value = quote((_BAD if is_bad else ".") + cut(text, _LONGEST_BYTES))
        response.set_cookie(_COOKIE, value, max_age=_SECONDS, httponly=True, samesite="Lax", secure=is_encrypted())
        return response


def said() -> tuple[str, bool] | None:
    """What is to be shown, this once, and whether it is bad news."""
    if not (value := unquote(request.cookies.get(_COOKIE, ""))):
        return None

    @after_this_request
    def forget(response: Response) -> Response:
        response.delete_cookie(_COOKIE)
        return response

    return value[1:], value[0] == _BAD
