"""Every operation of the document, as everybody who might try it: what may pass stands in one table."""

# PyJWT's annotations name types of a library that is not installed.
# pyright: reportUnknownMemberType=false

import json
import time
from collections.abc import Callable
from typing import Any, Final

import jwt
import pytest

from scheduler.api.tokens import hash_of, new_api_key, prefix_of
from scheduler.domain.account import Account, NewAccount, NewApiKey, Role, Scope
from scheduler.domain.caller import Caller
from scheduler.store.accounts import create_account
from scheduler.store.api_keys import create_key, delete_key
from scheduler.store.connection import Connection, Database
from tests.credentials import SECRET, access_token
from tests.integration.api.calls import NOOP, Api

REFUSED: Final = 401
FORBIDDEN: Final = 403
UNSEEN: Final = 404
PASSES: Final = 0
"""Neither of them: whether the rest of the request is right is another matter."""

TABLE: Final = {
    # who:                     nobody    viewer     other     owner   admin   read key   write key
    "open": (PASSES, PASSES, PASSES, PASSES, PASSES, PASSES, PASSES),
    "read": (REFUSED, PASSES, PASSES, PASSES, PASSES, PASSES, PASSES),
    "read its own": (REFUSED, UNSEEN, UNSEEN, PASSES, PASSES, PASSES, PASSES),
    "write": (REFUSED, FORBIDDEN, PASSES, PASSES, PASSES, FORBIDDEN, PASSES),
    "write its own": (REFUSED, FORBIDDEN, UNSEEN, PASSES, PASSES, FORBIDDEN, PASSES),
    "log-in": (REFUSED, PASSES, PASSES, PASSES, PASSES, FORBIDDEN, FORBIDDEN),
    "log-in, its own": (REFUSED, UNSEEN, UNSEEN, PASSES, PASSES, FORBIDDEN, FORBIDDEN),
    "admin": (REFUSED, FORBIDDEN, FORBIDDEN, FORBIDDEN, PASSES, FORBIDDEN, FORBIDDEN),
}
WHO: Final = ("nobody", "viewer", "other", "owner", "admin", "read key", "write key")

OPERATIONS: Final = {
    "post /api/job": "write",
    "get /api/jobs": "read",
    "get /api/jobs/export": "read",
    "get /api/jobs/{id}": "read its own",
    "patch /api/jobs/{id}": "write its own",
    "put /api/jobs/{id}": "write its own",
    "delete /api/jobs/{id}": "write its own",
    "get /api/jobs/{id}/status": "read its own",
    "get /api/jobs/{id}/executions": "read its own",
    "get /api/executions": "read",
    "post /api/cancel/{id}": "write its own",
    "post /api/retry/{id}": "write its own",
    "post /api/duplicate/{id}": "write its own",
    "post /api/bulk/create": "write",
    "post /api/bulk/cancel": "write",
    "post /api/bulk/retry": "write",
    "post /api/bulk/duplicate": "write",
    "get /api/dead-letter": "read",
    "post /api/dead-letter/retry": "write",
    "delete /api/dead-letter": "write",
    "get /api/stats": "read",
    "get /api/templates": "read",
    "post /api/templates": "write",
    "delete /api/templates/{id}": "write its own",
    "post /api/templates/{id}/use": "write its own",
    "get /api/schedules": "read",
    "post /api/schedules": "write",
    "post /api/schedules/preview": "read",
    "get /api/schedules/{id}": "read its own",
    "patch /api/schedules/{id}": "write its own",
    "delete /api/schedules/{id}": "write its own",
    "post /api/schedules/{id}/pause": "write its own",
    "post /api/schedules/{id}/resume": "write its own",
    "post /api/schedules/{id}/trigger": "write its own",
    "get /api/schedules/{id}/next": "read its own",
    "get /api/task-types": "read",
    "get /api/queue/stats": "read",
    "post /api/queues/{name}/pause": "admin",
    "post /api/queues/{name}/resume": "admin",
    "patch /api/queues/{name}": "admin",
    "get /api/workers": "read",
    "post /api/auth/register": "open",
    "post /api/auth/login": "open",
    "post /api/auth/refresh": "open",
    "post /api/auth/logout": "open",
    "get /api/auth/me": "read",
    "post /api/auth/password": "log-in",
    "get /api/auth/keys": "log-in",
    "post /api/auth/keys": "log-in",
    "delete /api/auth/keys/{id}": "log-in, its own",
    "get /api/users": "admin",
    "post /api/users": "admin",
    "patch /api/users/{id}": "admin",
    "delete /api/users/{id}": "admin",
    "get /api/audit": "admin",
    "get /healthz": "open",
    "get /readyz": "open",
    "get /metrics": "admin",
}

BODIES: Final[dict[str, Any]] = {
    "post /api/schedules": {"name": "s", "cron": "@hourly", "task": NOOP},
    "post /api/schedules/preview": {"cron": "@hourly"},
    "post /api/templates": {"name": "another", "task": NOOP},
    "post /api/job": {"task": NOOP},
    "patch /api/jobs/{id}": {"priority": 3},
    "put /api/jobs/{id}": {"priority": 3},
    "patch /api/schedules/{id}": {"name": "t"},
    "post /api/bulk/create": {"jobs": [{"task": NOOP}]},
    "post /api/bulk/cancel": {"ids": [10**9]},
    "post /api/bulk/retry": {"ids": [10**9]},
    "post /api/bulk/duplicate": {"ids": [10**9]},
    "post /api/dead-letter/retry": {"ids": [10**9]},
    "delete /api/dead-letter": {"ids": [10**9]},
    "post /api/auth/keys": {"name": "k", "scope": "read"},
    "patch /api/users/{id}": {"active": True},
    "patch /api/queues/{name}": {"max_running": 8},
}
"""Where a body is needed for getting as far as the rows; elsewhere none is sent."""


class World:
    """Accounts of each kind, and the things of one of them, the owner."""

    def __init__(self, api: Api, conn: Connection) -> None:
        self.api = api
        self.conn = conn
        self.accounts = {
            name: _account(conn, name, role)
            for name, role in {
                "viewer": Role.VIEWER,
                "other": Role.USER,
                "owner": Role.USER,
                "admin": Role.ADMIN,
            }.items()
        }
        self.tokens = {name: access_token(who.role, account_id=who.id) for name, who in self.accounts.items()}
        self.tokens |= {"nobody": "", **{f"{scope} key": self.key(Scope(scope)) for scope in ("read", "write")}}

    def key(self, scope: Scope) -> str:
        """A key of the owner's."""
        key = new_api_key()
        create_key(
            self.conn,
            Caller(owner_id=self.accounts["owner"].id),
            NewApiKey(name="k", prefix=prefix_of(key), hash=hash_of(key), scope=scope),
        )
        return key

    def thing(self, path: str) -> int:
        """The id of something new of the owner's that stands at `path`."""
        owner = self.api.as_(self.tokens["owner"])
        if "/templates/" in path:
            body = {"name": f"t{time.monotonic_ns()}", "task": NOOP}
            return owner.post("/api/templates", body).ok(201)["id"]
        if "/schedules/" in path:
            return owner.post("/api/schedules", {"name": "s", "cron": "@hourly", "task": NOOP}).ok(201)["id"]
        if "/keys/" in path:
            return owner.post("/api/auth/keys", {"name": "k", "scope": "read"}).ok(201)["id"]
        if "/users/" in path:
            return _account(self.conn, f"new{time.monotonic_ns()}", Role.USER).id
        return owner.create(delay_seconds=3600)["id"]

    def answer(self, operation: str, token: str) -> int:
        """The status that the operation is answered with."""
        method, path = operation.split()
        there = path.replace("{id}", str(self.thing(path))) if "{id}" in path else path.replace("{name}", "mail")
        body = BODIES.get(operation)
        headers = {} if body is None else {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        return self.api.as_(token).send(method.upper(), there, headers=headers, data=data).status


def _account(conn: Connection, name: str, role: Role) -> Account:
    return create_account(conn, NewAccount(email=f"{name}@example.com", password_hash="-", role=role))


@pytest.fixture
def world(api: Api, db: Database) -> Any:
    with db.connection() as conn:
        yield World(api, conn)


def test_the_table_has_a_row_for_every_operation(storeless: Api) -> None:
    paths = storeless.get("/openapi.json").ok()["paths"]
    assert {f"{method} {path}" for path, operations in paths.items() for method in operations} == OPERATIONS.keys()


@pytest.mark.parametrize("who", WHO)
def test_each_may_do_what_the_table_says(world: World, who: str) -> None:
    wrong: list[str] = []
    for operation, kind in OPERATIONS.items():
        expected = TABLE[kind][WHO.index(who)]
        status = world.answer(operation, world.tokens[who])
        told = status if status in {REFUSED, FORBIDDEN, UNSEEN} else PASSES
        if kind == "open" and status in {REFUSED, FORBIDDEN}:
            told = PASSES  # for want of a body, or a closed registration: not for want of credentials
        if told != expected:
            wrong.append(f"{operation}: {status} in place of {expected}")
    assert not wrong


def _expired() -> str:
    return access_token(iat=int(time.time()) - 1000, exp=int(time.time()) - 500)


def _tampered() -> str:
    head, claims, signature = access_token(Role.VIEWER).split(".")
    forged = access_token(Role.ADMIN, secret="another-secret-of-more-than-32-bytes").split(".")[1]
    assert forged != claims
    return f"{head}.{forged}.{signature}"


def _unsigned() -> str:
    claims = jwt.decode(access_token(), options={"verify_signature": False})
    return jwt.encode(claims, "", algorithm="none")


BAD_TOKENS: Final[dict[str, Callable[[], str]]] = {
    "expired": _expired,
    "tampered": _tampered,
    "unsigned (alg: none)": _unsigned,
    "signed by another": lambda: access_token(secret="another-secret-of-more-than-32-bytes"),
    "of another algorithm": lambda: jwt.encode(
        jwt.decode(access_token(), options={"verify_signature": False}), SECRET * 2, algorithm="HS512"
    ),
    "of another issuer": lambda: access_token(iss="somebody"),
    "for another audience": lambda: access_token(aud="somebody"),
    "not yet issued": lambda: access_token(iat=int(time.time()) + 1000),
    "without a jti": lambda: access_token(jti=None),
    "without an expiry": lambda: access_token(exp=None),
    "without a log-in": lambda: access_token(sid=None),
    "of an unknown role": lambda: access_token(role="root"),
    "of no account": lambda: access_token(sub="me"),
    "nonsense": lambda: "nonsense",
    "an unknown key": new_api_key,
    "not ASCII": lambda: "tökèn",
}


@pytest.mark.parametrize("bad", BAD_TOKENS)
def test_a_bad_token_opens_nothing(api: Api, bad: str) -> None:
    caller = api.as_(BAD_TOKENS[bad]())
    for operation, kind in OPERATIONS.items():
        if kind != "open":
            method, path = operation.split()
            answer = caller.send(method.upper(), path.replace("{id}", "1"))
            answer.problem(REFUSED)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Token x"])
def test_another_scheme_opens_nothing(api: Api, header: str) -> None:
    api.as_("").get("/api/jobs", headers={"Authorization": header}).problem(REFUSED)


@pytest.mark.parametrize("path", ["/", "/api/nope", "/docs/nope", "/api/jobs/x"])
def test_what_is_not_there_is_shut_as_well(api: Api, path: str) -> None:
    api.as_("").get(path).problem(REFUSED)


def test_a_route_without_a_word_of_access_is_shut(api: Api) -> None:
    api.app.add_url_rule("/api/new", view_func=lambda: "secret")
    api.as_("").get("/api/new").problem(REFUSED)


def test_a_key_that_is_removed_opens_nothing(world: World) -> None:
    key = world.key(Scope.WRITE)
    owner = Caller(owner_id=world.accounts["owner"].id)
    row = world.conn.execute("SELECT id FROM api_keys WHERE prefix = %s", (prefix_of(key),)).fetchone()
    assert row is not None
    delete_key(world.conn, owner, row[0])
    for operation, kind in OPERATIONS.items():
        if kind != "open":
            method, path = operation.split()
            world.api.as_(key).send(method.upper(), path.replace("{id}", "1")).problem(REFUSED)


@pytest.mark.parametrize(
    "change",
    ["UPDATE api_keys SET expires_at = now()", "UPDATE accounts SET active = false"],
    ids=["expired", "shut out"],
)
def test_a_key_that_is_expired_or_whose_account_is_shut_out_is_refused(world: World, change: str) -> None:
    world.conn.execute(change.encode())
    world.api.as_(world.tokens["write key"]).get("/api/jobs").problem(REFUSED)


def test_a_key_is_looked_up_once_in_a_while_and_remembers_its_use(world: World) -> None:
    caller = world.api.as_(world.tokens["read key"])
    caller.get("/api/jobs").ok()
    used = world.conn.execute("SELECT count(*) FROM api_keys WHERE last_used_at IS NOT NULL").fetchone()
    assert used == (1,)
    world.conn.execute("DELETE FROM api_keys")
    caller.get("/api/jobs").ok()  # believed for LAG_SECONDS
