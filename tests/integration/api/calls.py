"""Calling the API, and reading its answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask

from tests.credentials import bearer

NOOP: dict[str, Any] = {"type": "noop", "data": {}}


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is the parsed JSON, None where it is not JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    body: Any

    def problem(self, status: int) -> Any:
        """The problem that this answer must be, with that status."""
        assert self.status == status, f"{self.status}: {self.text[:2000]}"
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.body["status"] == status
        assert self.body["title"]
        assert self.body["type"]
        assert self.body["detail"]
        assert "Traceback" not in self.text
        return self.body

    def locations(self) -> list[list[str | int]]:
        """The fields that a 422 names."""
        return [fault["loc"] for fault in self.problem(422)["errors"]]

    def ok(self, status: int = 200) -> Any:
        """The JSON of an answer that must have that status."""
        assert self.status == status, f"{self.status}: {self.text[:2000]}"
        return self.body


class Api:
    """A client of one application, an admin unless it is given another token; none with an empty one."""

    def __init__(self, app: Flask, token: str | None = None) -> None:
        self.app = app
        self._client = app.test_client()
        self._credentials = {} if token == "" else bearer(token)

    def as_(self, token: str) -> "Api":
        """Another client of the same application."""
        return Api(self.app, token)

    def get(self, path: str, query: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("GET", path, query_string=query, headers=headers)

    def post(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        return self._send_json("POST", path, body, headers)

    def patch(self, path: str, body: Any) -> Answer:
        return self._send_json("PATCH", path, body)

    def put(self, path: str, body: Any) -> Answer:
        return self._send_json("PUT", path, body)

    def delete(self, path: str, body: Any = None) -> Answer:
        return self._send_json("DELETE", path, body)

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> Answer:
        response = self._client.open(path, method=method, headers={**self._credentials, **(headers or {})}, **options)
        body: Any = response.get_json(silent=True) if "json" in response.headers.get("Content-Type", "") else None
        return Answer(response.status_code, dict(response.headers), response.get_data(as_text=True), body)

    def _send_json(self, method: str, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        data = None if body is None else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        return self.send(method, path, data=data, headers={**kind, **(headers or {})})

    def create(self, **fields: Any) -> Any:
        """Create a job that does nothing, with these fields beside; the job."""
        return self.post("/api/job", {"task": NOOP, **fields}).ok(201)
