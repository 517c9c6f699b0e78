"""Every example in docs/api.md, in order."""

import json
import re
from pathlib import Path
from typing import Any, cast

from scheduler.domain.account import NewAccount, Role
from scheduler.domain.password import hash_password
from scheduler.store.accounts import create_account
from scheduler.store.connection import Database
from tests.integration.api.calls import Api

PAGE = Path(__file__).parents[3] / "docs" / "api.md"
_EXAMPLE = re.compile(r"```http\n(?P<request>.*?)\n\n(?P<status>\d{3})(?:\n(?P<answer>.*?))??\n```", re.DOTALL)
_REQUEST = re.compile(r"(?P<method>[A-Z]+) (?P<path>\S+)\n?(?P<headers>(?:[\w-]+: [^\n]*\n)*)(?P<body>.*)", re.DOTALL)


def test_each_example_is_answered_as_it_is_shown(api: Api, db: Database) -> None:
    with db.connection() as conn:
        password_hash = hash_password("a long pass phrase")
        create_account(conn, NewAccount(email="ada@example.com", password_hash=password_hash, role=Role.ADMIN))
    page = PAGE.read_text()
    examples = [*_EXAMPLE.finditer(page)]
    assert len(examples) == page.count("```http")
    for example in examples:
        request = _REQUEST.fullmatch(example["request"])
        assert request is not None, example["request"]
        headers = dict(line.split(": ", 1) for line in request["headers"].splitlines())
        if request["body"]:
            headers["Content-Type"] = "application/json"
        answer = api.send(request["method"], request["path"], data=request["body"], headers=headers)
        assert answer.status == int(example["status"]), f"{example[0]}\n{answer.text}"
        if example["answer"]:
            assert shows(json.loads(example["answer"]), answer.body), f"{example[0]}\n{answer.text}"


def shows(shown: Any, is_there: Any) -> bool:
    """Whether all that is shown is there: of an object some fields, of a list every item."""
    if isinstance(shown, dict) and isinstance(is_there, dict):
        fields = cast("dict[str, Any]", shown)
        there = cast("dict[str, Any]", is_there)
        return all(name in there and shows(value, there[name]) for name, value in fields.items())
    if isinstance(shown, list) and isinstance(is_there, list):
        items, found = cast("list[Any]", shown), cast("list[Any]", is_there)
        return len(items) == len(found) and all(map(shows, items, found))
    return shown == is_there
