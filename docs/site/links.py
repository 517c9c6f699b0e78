"""What mkdocs calls for each page: links to what only the repository has become plain words."""

import re
from posixpath import dirname, join, normpath
from typing import Any


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """The page without links that lead out of docs/."""

    def kept(link: "re.Match[str]") -> str:
        target = normpath(join(dirname(page.file.src_uri), link[2]))
        return link[1] if target.startswith("..") else link[0]

    return re.sub(r"\[([^\]]+)\]\(([^):]+)\)", kept, markdown)
