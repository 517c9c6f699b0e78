"""Accounts that nobody has to log in to create."""

import threading

import pytest

from scheduler.api.tokens import hash_of, prefix_of
from scheduler.cli.users import users
from scheduler.domain.account import Role
from scheduler.domain.errors import ConfigurationError, Conflict
from scheduler.settings import api_key_file, load_settings, read_secret
from scheduler.store.accounts import any_admin
from scheduler.store.api_keys import identify
from scheduler.store.connection import Database
from scheduler.wiring.accounts import create_when_possible, ensure_admin, first_admin
from tests.integration.cli.running import Shell

PASSWORD = "a long pass phrase"


@pytest.fixture
def beside(shell: Shell, database_url: str) -> Shell:
    """A shell beside an empty database."""
    shell.setenv(DATABASE_URL=database_url)
    return shell


def create(shell: Shell, *options: str, password: str = PASSWORD) -> BaseException | None:
    return shell.run(users, "create", "--password-stdin", *options, stdin=password + "\n").exception


def test_an_admin_is_made_at_the_command_line(beside: Shell, db: Database) -> None:
    assert create(beside, "--email", "You@example.com", "--admin") is None
    with db.connection() as conn:
        admin = any_admin(conn)
        entry = conn.execute("SELECT action, actor FROM audit_entries").fetchone()
    assert admin is not None
    assert (admin.email, admin.role) == ("you@example.com", Role.ADMIN)
    assert entry == ("create_user", "the command line")


def test_what_will_not_do_is_named(beside: Shell) -> None:
    assert create(beside, "--email", "bob@example.com") is None
    assert isinstance(create(beside, "--email", "bob@example.com"), Conflict)
    assert isinstance(create(beside, "--email", "bob"), ConfigurationError)
    error = create(beside, "--email", "eve@example.com", password="password1234")
    assert isinstance(error, ConfigurationError)
    assert "password1234" not in str(error)


def test_the_api_makes_the_admin_that_is_set_once(beside: Shell, db: Database) -> None:
    assert first_admin(load_settings()) is None
    beside.setenv(ADMIN_EMAIL="first@example.com", ADMIN_PASSWORD=PASSWORD)
    admin = first_admin(load_settings())
    assert admin is not None
    for _ in range(2):
        create_when_possible(db, admin)
    with db.connection() as conn:
        assert conn.execute("SELECT email, role::text FROM accounts").fetchall() == [("first@example.com", "admin")]


def test_a_key_that_is_good_for_nothing_is_replaced(beside: Shell, db: Database) -> None:
    settings = load_settings()
    settings.data_dir.mkdir()
    first = ensure_admin(settings)
    key = read_secret(api_key_file(settings))
    assert first.new_password is not None
    assert ensure_admin(settings).new_password is None
    assert read_secret(api_key_file(settings)) == key
    with db.connection() as conn:
        conn.execute("DELETE FROM api_keys")
        ensure_admin(settings)
        new = read_secret(api_key_file(settings))
        assert identify(conn, prefix=prefix_of(new), key_hash=hash_of(new)) is not None


@pytest.mark.parametrize(
    "settings",
    [
        {"JWT_SECRET": "short"},
        {"JWT_SECRET": "long-enough-to-be-a-secret-of-ours-1,short"},
        {"TRUSTED_PROXIES": "proxy"},
        {"CORS_ORIGINS": "*"},
    ],
)
def test_a_wrong_setting_is_named_and_not_shown(shell: Shell, settings: dict[str, str]) -> None:
    shell.setenv(**settings)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    ((name, value),) = settings.items()
    assert name in str(caught.value)
    assert name != "JWT_SECRET" or value not in str(caught.value)


def test_whoever_made_the_admin_may_fork(beside: Shell) -> None:
    """`scheduler up` does: a thread of its own would hold its locks in the child for ever."""
    settings = load_settings()
    settings.data_dir.mkdir()
    before = set(threading.enumerate())
    ensure_admin(settings)
    assert set(threading.enumerate()) <= before
