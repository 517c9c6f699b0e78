"""Links swapped in by another process while file tasks run: whatever the moment, they lead nowhere."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scheduler.domain.errors import TaskError
from scheduler.domain.job import JsonObject
from tests.integration.tasks import swapper
from tests.integration.tasks.running import Bench, leftovers, untouched

ROUNDS = 1_000
"""Each of the races is run so often."""


@contextmanager
def swapped(kind: str, path: Path, target: Path) -> Generator[None]:
    """While it lasts, `path` is by turns what it was and a link to `target`."""
    command = [sys.executable, swapper.__file__, kind, str(path), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline(), "the swapper has ended"
            process.stdout.close()
            yield
            assert process.poll() is None, "the swapper has ended"
        finally:
            process.kill()


def outcomes(bench: Bench, name: str, data: JsonObject) -> tuple[list[JsonObject], list[TaskError]]:
    """What came of all the rounds."""
    results: list[JsonObject] = []
    errors: list[TaskError] = []
    for _ in range(ROUNDS):
        try:
            results.append(bench.call(name, data))
        except TaskError as error:
            errors.append(error)
    return results, errors


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges two names in one step")
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("write_file", {"path": "a/x", "content": "x"}),
        ("write_file", {"path": "a/secret", "content": "x", "mode": "append"}),
        ("read_file", {"path": "a/secret"}),
        ("create_folder", {"path": "a/b/c"}),
    ],
)
def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(
    bench: Bench, root: Path, outside: Path, name: str, data: JsonObject
) -> None:
    (root / "a").mkdir(parents=True)
    (root / "a/secret").write_text("ours")
    with swapped("folder", root / "a", outside):
        results, errors = outcomes(bench, name, data)
    assert untouched(outside)
    assert results
    assert errors
    assert all(each.get("content", "ours") == "ours" for each in results)


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_a_file_that_is_swapped_for_a_link_leads_nowhere(bench: Bench, root: Path, outside: Path, mode: str) -> None:
    root.mkdir(parents=True)
    (root / "x").write_text("")
    with swapped("file", root / "x", outside / "secret"):
        written, _ = outcomes(bench, "write_file", {"path": "x", "content": "x", "mode": mode})
        read, _ = outcomes(bench, "read_file", {"path": "x"})
    assert untouched(outside)
    assert written
    assert read
    assert not [each for each in read if "secret" in str(each["content"])]
    assert leftovers(root) == []
