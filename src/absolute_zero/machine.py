"""What this machine has, as far as this process may use it, and which commit runs on it.

Imports nothing heavy: standard library. Floor 0.
"""

import os
import subprocess
from pathlib import Path

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container's limit of memory stands: cgroups of version 2, and 1."""


def processors() -> int:
    """Return how many processors this process may run on, which may be fewer than there are; at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS and Windows have no such call
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def commit() -> str:
    """Return the commit of this checkout, and `-dirty` if it was changed since; empty where the package is in none."""
    here = Path(__file__).resolve()
    command = ["git", "ls-files", "--error-unmatch", here.name]  # a repository around an installation is not ours
    try:
        if subprocess.run(command, cwd=here.parent, capture_output=True).returncode:
            return ""
        command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(command, cwd=here.parent, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


def memory() -> int:
    """Return the bytes of memory there are, or that this container may have; not how many are free."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in CGROUP_LIMITS:
        try:
            limits.append(int(Path(name).read_text("ascii")))
        except (OSError, ValueError):  # no such file, or no limit ("max")
            continue
    return min(limits)
