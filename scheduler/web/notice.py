"""One line that the next page shows: how a change went. A cookie carries it over the redirect."""

from typing import Final
from urllib.parse import quote, unquote

from flask import Response, after_this_request, request

_COOKIE: Final = "scheduler_notice"
_SECONDS: Final = 30
_LONGEST: Final = 600
_BAD: Final = "!"


def say(text: str, *, is_bad: bool = False) -> None:
    """Show `text` on the page that follows."""

    @after_this_request
    def keep(response: Response) -> Response:
        value = quote((_BAD if is_bad else ".") + text[:_LONGEST])
        response.set_cookie(_COOKIE, value, max_age=_SECONDS, httponly=True, samesite="Lax")
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
