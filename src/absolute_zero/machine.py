"""What this machine has, as far as this process may use it. Imports nothing heavy: standard library. Floor 0."""

import os


def processors() -> int:
    """Return how many processors this process may run on, which may be fewer than there are; at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS and Windows have no such call
    return len(affinity(0)) if affinity else os.cpu_count() or 1
