"""What the file system allows: which journal of SQLite is safe where.

WAL keeps an index in memory that all processes share, which works on a local disk only (https://sqlite.org/wal.html,
"WAL does not work over a network filesystem"). What is not known to be local gets a rollback journal: slower by a
few syncs per commit, and safe wherever file locks are.
"""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""Not there outside Linux: then the disk is taken for local."""

LOCAL = frozenset(
    "apfs bcachefs btrfs ecryptfs erofs exfat ext2 ext3 ext4 f2fs fuseblk hfsplus jfs nilfs2 ntfs ntfs3 overlay ramfs"
    " reiserfs squashfs tmpfs vfat xfs zfs".split()
)
"""File systems of one machine. Not on the list: NFS, SMB, Lustre, GPFS, 9p, every `fuse.*`, and the next cluster's."""


def file_system(folder: Path, mountinfo: str) -> str:
    """Return the type of the file system of a folder, from the text of `/proc/self/mountinfo`; "" if none is listed.

    >>> file_system(Path("/data/run"), "1 0 0:1 / /data rw - nfs4 host:/export rw")
    'nfs4'
    """
    kind, depth = "", -1
    for line in mountinfo.splitlines():
        fields, dash, rest = line.partition(" - ")
        parts = fields.split(" ")
        if dash and len(parts) > 4:
            # Blanks and backslashes in a path stand there in octal.
            point = Path(re.sub(r"\\([0-7]{3})", lambda digits: chr(int(digits[1], 8)), parts[4]))
            # Of two mounts on one point the later hides the earlier.
            if folder.is_relative_to(point) and len(point.parts) >= depth:
                kind, depth = rest.split(" ")[0], len(point.parts)
    return kind


def network(folder: Path, mounts: Path = MOUNTS) -> str:
    """Return the type of the file system of a folder if it is not known to be local; "" if it is."""
    try:
        text = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    kind = file_system(folder.resolve(), text)
    return "" if kind in LOCAL else kind
