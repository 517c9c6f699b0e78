"""Which processes there are: to see that none is left."""

from pathlib import Path


def living_in(folder: Path) -> list[int]:
    """Every process whose working folder, environment or command line names `folder`; Linux only."""
    needle = str(folder.resolve()).encode()
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _mentions(entry, needle)]


def _mentions(process: Path, needle: bytes) -> bool:
    try:
        return any(
            needle in text
            for text in (
                bytes((process / "cwd").readlink()),
                (process / "cmdline").read_bytes(),
                (process / "environ").read_bytes(),
            )
        )
    except OSError:  # it is gone meanwhile, or a zombie
        return False
