"""What an `api` job may ask for, and what an answer's status and headers mean."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scheduler.domain.errors import PermanentError, RetryLater, TaskError
from scheduler.domain.job import JsonObject
from scheduler.tasks.api_request import ApiCall
from scheduler.tasks.api_response import retry_after_seconds, unexpected

NOW = datetime(2026, 2, 19, 10, 0, tzinfo=UTC)
URL = "http://example.com/"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"url": "ftp://example.com/"},
        {"url": "file:///etc/passwd"},
        {"url": "/path"},
        {"url": "http://"},
        {"url": "http://a b/"},
        {"url": "http://example.com\\@evil.example/"},
        {"url": "http://example.com/\r\nX: y"},
        {"url": "http://example.com:99999/"},
        {"url": URL, "method": "CONNECT"},
        {"url": URL, "method": "GET / HTTP/1.1"},
        {"url": URL, "headers": {"X": "a\r\nY: b"}},
        {"url": URL, "headers": {"X": "a\x00"}},
        {"url": URL, "headers": {"X\n": "a"}},
        {"url": URL, "headers": {"X: y": "a"}},
        {"url": URL, "headers": {"": "a"}},
        {"url": URL, "headers": {"Host": "other.example"}},
        {"url": URL, "headers": {"transfer-encoding": "chunked"}},
        {"url": URL, "headers": {"Idempotency-Key": "mine"}},
        {"url": URL, "headers": {"X-A": "1", "x-a": "2"}},
        {"url": "http://u:p@example.com/", "headers": {"authorization": "Bearer x"}},
        {"url": URL, "json": {}, "body": ""},
        {"url": URL, "json": 2**70},
        {"url": URL, "body": "\ud800"},
        {"url": URL, "expected_status": "6xx"},
        {"url": URL, "expected_status": 99},
        {"url": URL, "expected_status": []},
        {"url": URL, "max_response_bytes": -1},
        {"url": URL, "max_response_bytes": 10**9},
        {"url": URL, "sgin": True},
        {"url": URL, "sign": True, "headers": {"Webhook-Id": "mine"}},
    ],
)
def test_what_cannot_be_sent_is_refused(data: JsonObject) -> None:
    with pytest.raises(ValidationError):
        ApiCall.model_validate(data)


@given(st.text(), st.text())
def test_no_header_that_passes_can_break_its_line(name: str, value: str) -> None:
    try:
        call = ApiCall.model_validate({"url": URL, "headers": {name: value}})
    except ValidationError:
        return
    for text in (*call.headers, *call.headers.values()):
        assert not set(text) & set("\r\n\x00")


def test_a_fault_never_shows_the_credentials() -> None:
    with pytest.raises(ValidationError) as caught:
        ApiCall.model_validate({"url": "http://user:hunter2@exa mple.com/"})
    assert "hunter2" not in str(caught.value)


def test_the_query_joins_what_the_url_has() -> None:
    call = ApiCall.model_validate({"url": URL + "?a=1", "query": {"b": ["x y", 2], "c": True, "d": 1.5}})
    assert str(call.target()) == URL + "?a=1&b=x+y&b=2&c=true&d=1.5"


def test_null_is_a_json_body_and_absence_is_none() -> None:
    assert ApiCall.model_validate({"url": URL, "json": None}).payload() == b"null"
    assert ApiCall.model_validate({"url": URL}).payload() is None
    assert ApiCall.model_validate({"url": URL, "body": "é"}).payload() == "é".encode()


@pytest.mark.parametrize(
    ("expected", "good", "bad"),
    [("2xx", 204, 300), (404, 404, 200), ([200, "3xx"], 302, 201), ("5xx", 503, 200)],
)
def test_the_expected_statuses(expected: object, good: int, bad: int) -> None:
    call = ApiCall.model_validate({"url": URL, "expected_status": expected})
    assert call.expects(good)
    assert not call.expects(bad)


@pytest.mark.parametrize(
    ("status", "headers", "kind", "seconds"),
    [
        (408, {}, TaskError, None),
        (425, {}, TaskError, None),
        (429, {"Retry-After": "7"}, RetryLater, 7),
        (500, {}, TaskError, None),
        (503, {"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, RetryLater, 90),
        (503, {"Retry-After": "soon"}, TaskError, None),
        (201, {}, TaskError, None),
        (302, {}, PermanentError, None),
        (400, {"Retry-After": "7"}, PermanentError, None),
        (404, {}, PermanentError, None),
    ],
)
def test_what_an_unexpected_status_means(
    status: int, headers: dict[str, str], kind: type[TaskError], seconds: float | None
) -> None:
    error = unexpected(what="GET http://example.com", status=status, headers=headers, now=NOW)
    assert type(error) is kind
    assert error.type == "http_status"
    assert f"answered {status}" in str(error)
    assert getattr(error, "seconds", None) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("3601", 3600),
        ("9" * 400, 3600),
        ("-5", None),
        ("1.5", None),
        ("", None),
        ("²", None),
        (None, None),
        ("Thu, 19 Feb 2026 09:00:00 GMT", 0),
        ("Fri, 19 Feb 2027 09:00:00 GMT", 3600),
        ("Thu, 99 Feb 2026 09:00:00 GMT", None),
    ],
)
def test_both_forms_of_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.text())
def test_no_retry_after_is_out_of_bounds(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or 0 <= seconds <= 3600
