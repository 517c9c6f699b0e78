"""Style and scripts: packed, under addresses that change with them, so that browsers keep them for good."""

import gzip
import hashlib
import mimetypes
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

_FOLDER: Final = Path(__file__).parent / "static"
_YEAR: Final = "public, max-age=31536000, immutable"

assets = Blueprint("assets", __name__)


class Asset(NamedTuple):
    """A file: its packed and its plain bytes, and its address."""

    content: bytes
    packed: bytes
    kind: str
    url: str


@cache
def _assets() -> dict[str, Asset]:
    return {path.name: _read(path) for path in _FOLDER.rglob("*") if path.suffix in {".css", ".js", ".svg"}}


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:12]
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(content, gzip.compress(content, mtime=0), kind, f"/assets/{version}/{path.name}")


def asset_url(name: str) -> str:
    """Where the file `name` is, in its present version."""
    return _assets()[name].url


@assets.get("/assets/<version>/<name>")
def asset(version: str, name: str) -> Response:
    """A file, for anybody: the log-in page needs it."""
    found = _assets().get(name)
    if found is None or request.path != found.url:
        raise NotFound(f"There is no file {name} in version {version}: reload the page.")
    is_packed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(found.packed if is_packed else found.content, content_type=f"{found.kind}; charset=utf-8")
    response.headers["Cache-Control"] = _YEAR
    response.headers["Vary"] = "Accept-Encoding"
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    return response
