"""What docs/reliability.md promises: every test that it names, and every file, is there."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "reliability.md").read_text("utf-8")
TESTS: Final = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
PATHS: Final = sorted(set(re.findall(r"`((?:tests|scripts|sql|deploy|scheduler)/[\w/.]*)", PAGE)))


def test_it_names_tests() -> None:
    assert len(TESTS) > 20


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_a_test_that_it_names_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("path", PATHS)
def test_a_file_that_it_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("row", [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line])
def test_a_failure_comes_with_its_test(row: str) -> None:
    """Every row of the table of failures, whose second to last column says where the mechanism is."""
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    if len(cells) == 4 and cells[0] != "failure":
        assert "::" in cells[3], row
