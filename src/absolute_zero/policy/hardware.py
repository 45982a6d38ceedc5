"""What the policy computes on: which device, in which precision, in how many lanes side by side.

Each is a setting, or chosen here by what the machine is; nothing else in the policy asks the machine. Not by what the
machine is doing: lanes of one thread each do not collapse on a busy one, as two threads of libgomp do.
"""
# pyright: reportUnknownMemberType=false, reportPrivateUsage=false

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

from absolute_zero.types import UserError

Result = TypeVar("Result")
MOST_LANES = 4
"""Lanes, unless more are asked for: each holds the activations of a micro-batch, and all share Python's one lock."""


def device(setting: str) -> torch.device:
    """`auto` is the GPU if there is one. Raises UserError for a GPU that is not there."""
    if setting == "cuda" and not torch.cuda.is_available():
        raise UserError("the device is 'cuda' and torch sees no GPU here: use 'cpu'")
    return torch.device("cuda" if setting != "cpu" and torch.cuda.is_available() else "cpu")


def precision(setting: str, where: torch.device) -> torch.dtype:
    """Of matrix products. `auto` is bfloat16 where the hardware multiplies it: elsewhere it is slower than float32."""
    if setting != "auto":
        return getattr(torch, setting)
    if where.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else dict[str, bool]()
    return torch.bfloat16 if any(has.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else torch.float32


def processors() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def lanes(setting: int, pieces: int, where: torch.device) -> int:
    """How many of so many pieces of work to compute side by side. Gives OpenMP the threads that are over.

    A lane is a thread of Python with, as a rule, one thread of OpenMP. Threads of OpenMP within a product wait for each
    other some thousand times a second, so one that has to share its processor holds up all, and how many are best
    depends on what else the machine does. Lanes meet once, at the end. On two processors with a load of 2.5, a training
    step of 2.9 s takes 1.6 s in two lanes, at 1.08 times the processor time, and 3.2 s with two threads of OpenMP.

    Automatic (0): the processors there are, up to MOST_LANES, each with one thread of OpenMP. On a GPU there is one
    lane. Results depend on the setting and the machine, not on what it is doing.
    """
    if where.type != "cpu":
        return 1
    width = max(1, min(pieces, setting or min(processors(), MOST_LANES)))
    torch.set_num_threads(max(1, setting // width))
    return width


def run(jobs: Sequence[Callable[[], Result]], width: int) -> Iterator[Result]:
    """The results of the jobs in their order, computed in so many lanes. With one lane, each as it is asked for."""
    if width == 1:
        yield from (job() for job in jobs)
        return
    with ThreadPoolExecutor(width) as pool:
        waiting = iter(jobs)
        # A result may be the gradients of a whole model: one more than lanes are under way or not yet taken.
        running = deque(pool.submit(job) for job in islice(waiting, width + 1))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(job) for job in islice(waiting, 1))


def cache_bytes(where: torch.device) -> int:
    """What the caches of the rows in flight may take: 1 GiB on a CPU, half of what is free on a GPU."""
    if where.type == "cuda":
        free, _ = torch.cuda.mem_get_info(where)
        unused = torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where)
        return (free + unused) // 2
    return 1 << 30
