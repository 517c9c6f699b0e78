"""Whose rights a server runs with: PostgreSQL refuses root, and no server needs it."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from scheduler.domain.errors import ConfigurationError

CLEAN_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
"""For the servers: neither our secrets nor anyone's PGDATA and PGPORT."""


class ChildOptions(TypedDict, total=False):
    """The part of `subprocess.Popen` that decides about rights."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """The servers' user. `switch` is False when we are that user already."""

    uid: int
    gid: int
    switch: bool

    @property
    def child_options(self) -> ChildOptions:
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def can_enter(self, folder: Path) -> bool:
        """Whether this user gets into `folder`: asked of the system, since modes alone do not tell."""
        return not self.switch or self._run("cd", folder)

    def can_run(self, program: Path) -> bool:
        return not self.switch or self._run("test -x", program)

    def make_folder(self, folder: Path) -> None:
        """A folder that only this user may look into."""
        folder.mkdir(mode=0o700)
        if self.switch:
            os.chown(folder, self.uid, self.gid)

    def make_passage(self, folder: Path) -> None:
        """Keep `folder` to ourselves, and let this user walk through it without seeing what is there."""
        if self.switch:
            os.chown(folder, -1, self.gid)
            folder.chmod(0o710)
        else:
            folder.chmod(0o700)

    def _run(self, shell_word: str, path: Path) -> bool:
        asked = subprocess.run(  # noqa: S603 - a constant and a quoted path
            ["/bin/sh", "-c", f'{shell_word} "$1"', "sh", str(path)],
            cwd="/",
            env=CLEAN_ENVIRONMENT,
            stderr=subprocess.DEVNULL,
            check=False,
            **self.child_options,
        )
        return asked.returncode == 0


def choose_account(existing_data: Path) -> Account:
    """Our own account; as root the one that owns `existing_data`, else `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    if existing_data.exists() and (owner := existing_data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, switch=True)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, switch=True)
    raise ConfigurationError(
        "PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody` to run it as: "
        "create one, start as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )
