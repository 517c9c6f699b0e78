"""The log-in of `scheduler login`: one small file for each API, which nobody else can read."""

import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from pydantic import ValidationError

from scheduler.client import LogIn
from scheduler.settings import keep_secret, read_secret


class KeptLogIn:
    """Keeps the log-in to the API at `url` in the user's config folder (XDG_CONFIG_HOME, else ~/.config)."""

    def __init__(self, url: str) -> None:
        base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        self.file = Path(base) / "scheduler" / f"{quote(url.rstrip('/'), safe='')[:200]}.login"

    def load(self) -> LogIn | None:
        """The log-in, if there is one that can be read."""
        try:
            return LogIn.model_validate_json(read_secret(self.file))
        except ValidationError:
            return None

    def save(self, log_in: LogIn | None) -> None:
        """Keep it; None forgets."""
        if log_in is None:
            self.file.unlink(missing_ok=True)
            return
        self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = log_in.model_dump_json(include={"access_token", "refresh_token"})
        with suppress(FileExistsError, FileNotFoundError):  # another command renews it just now, to the same one
            keep_secret(self.file, kept)
