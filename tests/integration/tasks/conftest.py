"""Fixtures of the tests of task types."""

import socket
from pathlib import Path

import pytest

from tests.integration.tasks.running import Bench


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names that resolve as the test says, beside those that the system knows."""
    known: dict[str, list[str]] = {}
    system = socket.getaddrinfo

    def resolve(host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> object:  # noqa: A002
        if host not in known:
            return system(host, port, family, type, proto, flags)
        if not known[host]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = [system(each, port, 0, type, proto, flags) for each in known[host]]
        return [info for infos in found for info in infos]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace root, not made yet."""
    return tmp_path / "deep" / "workspace"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside it that nothing may touch."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@pytest.fixture
def bench(root: Path) -> Bench:
    """The built-in types over this root."""
    return Bench(roots=(root,))
