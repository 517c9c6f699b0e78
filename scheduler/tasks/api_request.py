"""What an `api` job asks for, checked as far as it can be before the request is made."""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, model_validator
from yarl import URL

from scheduler.tasks import signature
from scheduler.tasks.data import Line, TaskData, Text, example

DEFAULT_RESPONSE_BYTES: Final = 64 * 1024
MAX_RESPONSE_BYTES: Final = 1024 * 1024

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_OURS: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-scheduler-attempt",
    }
)
"""Headers that frame the message, choose the server, or carry what the scheduler promises to send."""


def _is_http_url(value: str) -> str:
    if re.search(r"[\s\\]", value):
        raise ValueError("must not hold spaces or backslashes; encode them (%20, %5C)")
    try:
        url = URL(value)
        host, port = url.raw_host, url.port
    except ValueError:
        raise ValueError("is not a valid URL") from None
    if url.scheme not in ("http", "https") or not host:
        raise ValueError("must be an absolute URL that begins with http:// or https://")
    if port == 0:
        raise ValueError("has no valid port")
    return value


def _are_headers(headers: dict[str, str]) -> dict[str, str]:
    names = [name.lower() for name in headers]
    for name in headers:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name[:50]!r} is not a header name (letters, digits and - only)")
        if name.lower() in _OURS:
            raise ValueError(f"the scheduler sets {name} itself; leave it out")
    if len(set(names)) < len(names):
        raise ValueError("a header is given twice, in different case")
    return headers


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


StatusClass = Literal["1xx", "2xx", "3xx", "4xx", "5xx"]
Status = StatusClass | Annotated[int, Field(ge=100, le=599)]
Scalar = Text | int | float | bool


class ApiCall(TaskData):
    """An HTTP request. `json` and `body` exclude each other; of the answer 64 KiB are kept unless said, 1 MiB at most,
    after decompression. `sign` adds a signature after the Standard Webhooks specification."""

    model_config = example(
        {"url": "https://example.com/hook", "method": "POST", "json": {"hello": "world"}, "expected_status": [200, 202]}
    )

    url: Annotated[Line, Field(min_length=1, max_length=8192), AfterValidator(_is_http_url)]
    method: Annotated[Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], BeforeValidator(_upper)] = (
        "GET"
    )
    headers: Annotated[dict[Line, Line], Field(default_factory=dict, max_length=100), AfterValidator(_are_headers)]
    query: Annotated[dict[Text, Scalar | list[Scalar]], Field(default_factory=dict)]
    json_body: Annotated[JsonValue, Field(alias="json")] = None
    body: Text | None = None
    expected_status: Status | Annotated[list[Status], Field(min_length=1)] = "2xx"
    follow_redirects: bool = False
    max_response_bytes: Annotated[int, Field(ge=0, le=MAX_RESPONSE_BYTES)] = DEFAULT_RESPONSE_BYTES
    sign: bool = False

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "ApiCall":
        if self.has_json and self.body is not None:
            raise ValueError("give json or body, not both")
        if self.sign and any(name.lower() in signature.HEADERS for name in self.headers):
            raise ValueError(f"sign sets {', '.join(signature.HEADERS)}; leave them out of the headers")
        if URL(self.url).user is not None and "authorization" in map(str.lower, self.headers):
            raise ValueError("give the credentials in the URL or in the Authorization header, not in both")
        if self.has_json:
            try:
                orjson.dumps(self.json_body)
            except TypeError:
                raise ValueError("json holds a number or text that JSON cannot carry") from None
        return self

    @property
    def has_json(self) -> bool:
        """Whether a JSON body was given; `null` is one."""
        return "json_body" in self.model_fields_set

    def target(self) -> URL:
        """The URL with `query` added to what it has."""
        added = [
            (name, _query_text(each))
            for name, value in self.query.items()
            for each in (value if isinstance(value, list) else [value])
        ]
        return URL(self.url).extend_query(added) if added else URL(self.url)

    def payload(self) -> bytes | None:
        """The bytes of the request's body, if it has one."""
        if self.has_json:
            return orjson.dumps(self.json_body)
        return None if self.body is None else self.body.encode()

    def expects(self, status: int) -> bool:
        """Whether `status` is a success."""
        wanted: Sequence[StatusClass | int] = (
            self.expected_status if isinstance(self.expected_status, list) else [self.expected_status]
        )
        return any(each in (status, f"{status // 100}xx") for each in wanted)


def _query_text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
