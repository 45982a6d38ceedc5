"""What a user can do about each failure of SQLite, in one line."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from absolute_zero import disk
from absolute_zero.types import UserError

_REMEDIES: Final = {
    sqlite3.SQLITE_BUSY: "another process is writing to it: wait for that run to end, or use another run folder",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work: put the run folder on a local disk",
    sqlite3.SQLITE_FULL: "no space is left: free some on that disk, then resume the run",
    sqlite3.SQLITE_IOERR: "reading or writing failed: look at the disk, its free space and your quota, then resume",
    sqlite3.SQLITE_READONLY: "it or its folder is read-only: change its rights, or copy the run to a folder of yours",
    sqlite3.SQLITE_PERM: "access is denied: use a run folder that is yours",
    sqlite3.SQLITE_AUTH: "access is denied: use a run folder that is yours",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: see its folder's rights, or copy the run to a folder of yours",
    sqlite3.SQLITE_CORRUPT: "it is damaged: put a copy in its place, or start a new run",
    sqlite3.SQLITE_NOTADB: "it is not a database, or damaged: put a copy in its place, or use another run folder",
}
"""What the user can do about each failure of SQLite that is not ours."""


@contextmanager
def explain_failures(path: Path, *, failed: str = "") -> Generator[None]:
    """Turn what the system or SQLite refuses into a UserError of one line: the path, what failed, why, and the remedy.

    An error of SQLite that is our own fault passes as it is.
    """
    try:
        with disk.explain_failures(path, failed=failed):
            yield
    except sqlite3.Error as error:
        remedy = _REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # the low byte is the family
        if remedy is None:
            raise
        about = f"{path}: {failed}" if failed else str(path)
        raise UserError(f"{about}: {remedy} ({error})") from error
