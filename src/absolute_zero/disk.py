"""Files that are whole or not there, folders that one process works in, JSONL row by row, one line for a failure.

Promises: what `write` replaced and `sync` brought to the disk survives a loss of power; what cannot be read is a
UserError, with the line of a row. Standard library. Floor 0.
"""

import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from absolute_zero.types import UserError

LOCK: Final = "lock"


@contextmanager
def explain_failures(path: Path, otherwise: str = "choose another folder", *, failed: str = "") -> Generator[None]:
    """Turn what the system refuses into a UserError of one line: the path, what failed, why, and the remedy, which is
    to make room, or to do `otherwise`."""
    try:
        yield
    except OSError as error:
        about = f"{path}: {failed}" if failed else str(path)
        raise UserError(f"{about}: {error.strerror or error}: make room, or {otherwise}") from error


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the folder's lock; the system lets go of it when this process ends, however it ends. Raises UserError."""
    try:
        import fcntl
    except ImportError:  # Windows: the store still refuses a second writer
        yield
        return
    with ExitStack() as stack:
        with explain_failures(folder):
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
    """Bring every file below to the disk, and return their digest."""
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
    """Return a checksum of all files below, with their names."""
    names = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    return hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_rows(path: Path, what: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (file:line, object) of a JSONL file; blank lines are passed over.

    Raises UserError for a file that cannot be read or has no object, which says `what` it should hold, and for a line
    that is not an object.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # other ends of lines may stand in a JSON string
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the {what} of {str(path)!r}: {error}") from None
    if not any(map(str.strip, lines)):
        raise UserError(f"{path} holds no {what}: give a JSON object a line")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}:{number}: not JSON ({error}): fix the line") from None
        if not isinstance(row, dict):
            raise UserError(f"{path}:{number}: not a JSON object: fix the line")
        yield f"{path}:{number}", cast("Mapping[str, Any]", row)
