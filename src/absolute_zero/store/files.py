"""What the file system allows: which journal is safe where, and what a failure of SQLite means to the user.

WAL keeps an index in memory that all processes share, which works on a local disk only (https://sqlite.org/wal.html,
"WAL does not work over a network filesystem"). What is not known to be local gets a rollback journal: slower by a
few syncs per commit, and safe wherever file locks are.
"""

import re
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from absolute_zero.types import UserError

MOUNTS = Path("/proc/self/mountinfo")
"""Not there outside Linux: then the disk is taken for local."""

LOCAL = frozenset(
    "apfs bcachefs btrfs ecryptfs erofs exfat ext2 ext3 ext4 f2fs fuseblk hfsplus jfs nilfs2 ntfs ntfs3 overlay ramfs"
    " reiserfs squashfs tmpfs vfat xfs zfs".split()
)
"""File systems of one machine. Not on the list: NFS, SMB, Lustre, GPFS, 9p, every `fuse.*`, and the next cluster's."""


def file_system(folder: Path, mountinfo: str) -> str:
    """Type of the file system that holds a folder, from the text of `/proc/self/mountinfo`; "" if none is listed.

    >>> file_system(Path("/data/run"), "1 0 0:1 / /data rw - nfs4 host:/export rw")
    'nfs4'
    """
    found, depth = "", -1
    for line in mountinfo.splitlines():
        fields, dash, rest = line.partition(" - ")
        parts = fields.split(" ")
        if dash and len(parts) > 4:
            # Blanks and backslashes in a path stand there in octal.
            point = Path(re.sub(r"\\([0-7]{3})", lambda digits: chr(int(digits[1], 8)), parts[4]))
            # Of two mounts on one point the later hides the earlier.
            if folder.is_relative_to(point) and len(point.parts) >= depth:
                found, depth = rest.split(" ")[0], len(point.parts)
    return found


def network(folder: Path, mounts: Path = MOUNTS) -> str:
    """Type of the file system of a folder if it is not known to be local; "" if it is."""
    try:
        text = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    found = file_system(folder.resolve(), text)
    return "" if found in LOCAL else found


REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process is writing to it: wait for that run to end, or use another run folder",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work: put the run folder on a local disk",
    sqlite3.SQLITE_FULL: "no space is left: free some on that disk, then resume the run",
    sqlite3.SQLITE_IOERR: "reading or writing failed: look at the disk, its free space and your quota, then resume",
    sqlite3.SQLITE_READONLY: "it or its folder is read-only: change its rights, or copy the run to a folder of yours",
    sqlite3.SQLITE_PERM: "access is denied: use a run folder that is yours",
    sqlite3.SQLITE_AUTH: "access is denied: use a run folder that is yours",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: see its folder's rights, or copy the run to a folder of yours",
    sqlite3.SQLITE_CORRUPT: "it is damaged: put a copy in its place, or start a new run",
    sqlite3.SQLITE_NOTADB: "it is no database, or damaged: put a copy in its place, or use another run folder",
}
"""What the user can do about each failure that is not ours."""


@contextmanager
def explained(path: Path, failed: str) -> Generator[None]:
    """Turn what the disk or another process did to SQLite into a UserError: path, what failed, why, and the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        remedy = REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # the low byte is the family
        if remedy is None:
            raise
        raise UserError(f"{path}: {failed}: {remedy} ({error})") from error
