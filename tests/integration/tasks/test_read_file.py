"""`read_file`: text as it is, anything else in base64, and never too much for a result."""

import os
from pathlib import Path

import pytest

from scheduler.domain.errors import PermanentError
from scheduler.executor.result import encode_result
from scheduler.tasks.read_file import MAX_BYTES
from tests.integration.tasks.running import Bench


@pytest.mark.parametrize(
    ("content", "max_bytes", "encoding", "shown", "truncated"),
    [
        (b"", 10, "utf-8", "", False),
        ("Grüße\t\r\n".encode(), 100, "utf-8", "Grüße\t\r\n", False),
        ("Grüße".encode(), 3, "utf-8", "Gr", True),  # the cut goes through the ü
        ("Grüße".encode(), 4, "utf-8", "Grü", True),
        ("Grü".encode(), 4, "utf-8", "Grü", False),
        (b"caf\xc3", 100, "base64", "Y2Fmww==", False),
        (b"\x00\x01", 100, "base64", "AAE=", False),
        (b"\x1b[0m", 2, "base64", "G1s=", True),
    ],
)
def test_the_content_of_a_file_is_the_result(
    bench: Bench, root: Path, content: bytes, max_bytes: int, encoding: str, shown: str, truncated: bool
) -> None:
    root.mkdir(parents=True)
    (root / "x").write_bytes(content)
    assert bench.call("read_file", {"path": "x", "max_bytes": max_bytes}) == {
        "path": str(root / "x"),
        "bytes": len(content),
        "truncated": truncated,
        "encoding": encoding,
        "content": shown,
    }


@pytest.mark.parametrize("content", [b'"\\\n', b"\x00", b"\xff\x1b", "é".encode()])
def test_the_largest_content_fits_into_a_result(bench: Bench, root: Path, content: bytes) -> None:
    root.mkdir(parents=True)
    (root / "x").write_bytes((content * MAX_BYTES)[:MAX_BYTES])
    encode_result(bench.call("read_file", {"path": "x", "max_bytes": MAX_BYTES}))


@pytest.mark.parametrize(
    "path", ["missing", "missing/x", "folder", "fifo", "link", "linked/secret", "../outside/secret"]
)
def test_what_cannot_be_read_is_refused(bench: Bench, root: Path, outside: Path, path: str) -> None:
    (root / "folder").mkdir(parents=True)
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to(outside / "secret")
    (root / "linked").symlink_to(outside)
    with pytest.raises(PermanentError) as caught:
        bench.call("read_file", {"path": path})
    assert caught.value.type == "workspace"
