"""What the policy computes on: which device, in which precision, by how many workers side by side.

Each is a setting, or chosen here by what the machine is; nothing else in the policy asks the machine. Not by what the
machine is doing: workers of one thread each do not collapse on a busy one, as two threads of libgomp do.
"""
# pyright: reportUnknownMemberType=false, reportPrivateUsage=false

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch
from torch import nn

from absolute_zero.machine import memory, processors
from absolute_zero.types import UserError

Result = TypeVar("Result")
MAX_WORKERS = 4
"""Workers, unless more are asked for: each holds the activations of a micro-batch; all share Python's one lock."""

LARGE = 50_000_000
"""Parameters from which a model is large: its products are worth the threads of OpenMP, and its weights a worker."""


def device(setting: str) -> torch.device:
    """Return the device of a setting; `auto` is the GPU if there is one. Raises UserError for a GPU that is missing."""
    if setting == "cuda" and not torch.cuda.is_available():
        raise UserError("the device is 'cuda' and torch sees no GPU here: use 'cpu'")
    return torch.device("cuda" if setting != "cpu" and torch.cuda.is_available() else "cpu")


def precision(setting: str, where: torch.device) -> torch.dtype:
    """Return the precision of matrix products.

    `auto` is bfloat16 where the hardware multiplies it: elsewhere it is slower than float32.
    """
    if setting != "auto":
        return getattr(torch, setting)
    if where.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else dict[str, bool]()
    return torch.bfloat16 if any(has.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else torch.float32


def large(model: nn.Module) -> bool:
    """Return whether a model is so large that one worker with all threads computes it."""
    return sum(parameter.numel() for parameter in model.parameters()) >= LARGE


def workers(setting: int, jobs: int, where: torch.device, large: bool = False) -> int:
    """Return how many of so many jobs to compute side by side, and give OpenMP the threads that are over.

    A worker is a thread of Python with, as a rule, one thread of OpenMP. Threads of OpenMP within a product wait for
    each other some thousand times a second, so one that has to share its processor holds up all, and how many are best
    depends on what else the machine does. Workers meet once, at the end. On two processors with a load of 2.5, a
    training step of 2.9 s takes 1.6 s with two workers, at 1.08 times the processor time, and 3.2 s with two threads of
    OpenMP.

    Automatic (0): the processors there are, up to MAX_WORKERS, each with one thread of OpenMP. On a GPU there is one
    worker. Results depend on the setting and the machine, not on what it is doing.

    A `large` model has one worker, with as many threads of OpenMP as the setting says, or (0) as there are processors:
    its products take milliseconds each, so that waiting for each other costs little, and a second worker would read
    the weights again, hold activations of its own, and have nothing to do where all is one micro-batch.
    """
    if where.type != "cpu":
        return 1
    if large:
        torch.set_num_threads(setting or processors())
        return 1
    count = max(1, min(jobs, setting or min(processors(), MAX_WORKERS)))
    torch.set_num_threads(max(1, setting // count))
    return count


def run(jobs: Sequence[Callable[[], Result]], width: int) -> Iterator[Result]:
    """Yield the results of the jobs in their order, computed by so many workers; with one, each as it is asked for."""
    if width == 1:
        yield from (job() for job in jobs)
        return
    with ThreadPoolExecutor(width) as pool:
        waiting = iter(jobs)
        # A result may be the gradients of a whole model: one more than workers are under way or not yet taken.
        running = deque(pool.submit(job) for job in islice(waiting, width + 1))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(job) for job in islice(waiting, 1))


def peak_memory() -> int:
    """Return the most bytes that this process has held at once, of the GPU if it used one; 0 where nobody counts."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    try:
        import resource
    except ImportError:  # Windows
        return 0
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size << 10  # in KiB elsewhere


CACHE_SHARE = 8
"""The caches take at most one part in so many of the machine's memory, where they take more than 1 GiB."""


def cache_bytes(where: torch.device, weights: int = 0) -> int:
    """Return the bytes that the caches of the rows in flight may take; `weights` is what the model's take.

    Half of what a GPU has free. On a CPU 1 GiB, or with larger weights as much as they take, but not more than a share
    of the memory there is: so it depends on model and machine, and not on what the machine is doing.
    """
    if where.type == "cuda":
        free, _ = torch.cuda.mem_get_info(where)
        unused = torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where)
        return (free + unused) // 2
    return max(1 << 30, min(weights, memory() // CACHE_SHARE))
