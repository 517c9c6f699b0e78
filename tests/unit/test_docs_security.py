"""What docs/security.md promises: each threat comes with a test that is there."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "security.md").read_text("utf-8")
TESTS: Final = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))
THREATS: Final = PAGE.partition("| threat |")[2].partition("\n\n")[0].splitlines()[2:]


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_a_test_that_it_names_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", THREATS)
def test_a_threat_comes_with_what_holds_it(row: str) -> None:
    *_, held_by = row.strip("| ").split(" | ")
    assert "::" in held_by or held_by == "`scripts/check`"


def test_it_names_threats() -> None:
    assert len(THREATS) > 15
