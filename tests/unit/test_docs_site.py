"""docs/ as a site: every page is built, and every link between them leads somewhere, headings included."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

DOCS: Final = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; a link that leads nowhere ends its building."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    configuration = ["--config-file", str(DOCS / "site" / "mkdocs.yml")]
    built = subprocess.run([*command, *configuration], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).with_suffix("")
        assert (site / (name.parent if name.name in ("index", "README") else name) / "index.html").exists()


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert re.findall(r'<(?:script|img|link)\b[^>]*(?:src|href)="(?:https?:)?//[^"]*"', text) == []


def test_no_link_leads_out_of_the_site(site: Path) -> None:
    """Into the repository, as links of Markdown may."""
    text = (site / "deployment" / "index.html").read_text("utf-8")
    assert "README" in text
    assert 'README.md"' not in text
