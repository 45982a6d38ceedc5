"""Files that are whole or not there, folders that one process works in, and one line for what the system refuses.

Promises: what `write` replaced and `sync` brought to the disk survives a loss of power. Standard library. Floor 1.
"""

import hashlib
import json
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from absolute_zero.types import UserError

LOCK: Final = "lock"


@contextmanager
def explained(place: Path, otherwise: str = "choose another folder") -> Generator[None]:
    """What the system refuses, as one line: make room, or do `otherwise`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{place}: {error.strerror or error}: make room, or {otherwise}") from error


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the folder's lock; the system lets go of it when this process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: the store still refuses a second writer
        yield
        return
    with ExitStack() as stack:
        with explained(folder):
            file = stack.enter_context((folder / LOCK).open("a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"another process works in {folder}: wait for it, or begin another run") from None
        yield


def write(path: Path, content: str | Callable[[BinaryIO], Any]) -> None:
    """Replace a file in one move, synced: it holds what it held or all that is new, never half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            if isinstance(content, str):
                file.write(content.encode())
            else:
                content(file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync(folder: Path) -> str:
    """Bring every file below to the disk; gives their digest."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    return digest_of(folder)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def digest_of(folder: Path) -> str:
    """A checksum of all files below, with their names."""
    names = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    return hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
