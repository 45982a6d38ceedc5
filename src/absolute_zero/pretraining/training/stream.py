"""Documents as tokens, step by step: what pretraining reads, drawn in processes of their own.

Promises: the documents of step s are numbers s * B to (s + 1) * B - 1 of the seed, however many workers draw them, so
a run can be resumed at any step. Workers end with their owner, however it ends. Imports no torch.
"""

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, final

from tokenizers import Tokenizer

from absolute_zero.pretraining.traces.documents import document
from absolute_zero.pretraining.training.held_out import HeldOut, read_held_out
from absolute_zero.pretraining.training.tokenizer import END


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """Which documents, and how they become tokens."""

    seed: int
    batch: int
    """B: documents per step."""
    tokenizer: Path
    """A `tokenizer.json`."""
    prompt_weight: float
    """How much a token of a prompt counts in the loss."""
    held_out: tuple[Path, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One document: its tokens, and the weight of each in the loss."""

    tokens: list[int]
    weights: list[float]


@final
@dataclass(frozen=True, slots=True)
class Batch:
    """The documents of one step, shortest first."""

    rows: list[Row]
    dropped: int
    """Candidate documents that were dropped because they held a program that is held out."""


def batch_of(plan: Plan, step: int, tokenizer: Any, held_out: HeldOut | None) -> Batch:
    """Return the documents of one step, as tokens."""
    end: int = tokenizer.token_to_id(END)
    rows: list[Row] = []
    dropped = 0
    for number in range(step * plan.batch, (step + 1) * plan.batch):
        drawn, lost = document(plan.seed, number, held_out)
        dropped += lost
        parts = [drawn.prompt, *(piece.text for piece in drawn.pieces)]
        weights = [plan.prompt_weight, *(float(piece.learn) for piece in drawn.pieces)]
        row = Row([], [])
        for encoded, weight in zip(tokenizer.encode_batch(parts), weights, strict=True):
            row.tokens.extend(encoded.ids)
            row.weights.extend([weight] * len(encoded.ids))
        row.tokens.append(end)
        row.weights.append(1.0)
        rows.append(row)
    return Batch(sorted(rows, key=lambda row: len(row.tokens)), dropped)


def _draw(plan: Plan, first: int, by: int, queue: Any) -> None:
    """Put steps `first`, `first + by`, ... into a queue, for as long as the owner lives: a worker."""
    threading.Thread(target=_end_with_the_owner, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner
    with suppress(OSError, AttributeError):
        os.nice(19)  # a thread of training that shares its processor holds up the whole step
    tokenizer = Tokenizer.from_file(str(plan.tokenizer))
    held_out = read_held_out(plan.held_out)
    for step in itertools.count(first, by):
        queue.put(batch_of(plan, step, tokenizer, held_out))


def _end_with_the_owner() -> None:
    owner = multiprocessing.parent_process()
    assert owner is not None
    owner.join()
    os._exit(1)


@contextmanager
def batches(plan: Plan, first: int = 0, workers: int = 1) -> Generator[Iterator[Batch]]:
    """Yield the batches of steps `first`, `first + 1`, ...; with no workers, drawn where they are asked for."""
    if not workers:
        yield _alone(plan, first)
        return
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(maxsize=8) for _ in range(workers)]
    processes = [
        context.Process(target=_draw, args=(plan, first + index, workers, queue), daemon=True)
        for index, queue in enumerate(queues)
    ]
    for process in processes:
        process.start()
    try:
        yield _in_turn(queues, processes)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _alone(plan: Plan, step: int) -> Iterator[Batch]:
    tokenizer = Tokenizer.from_file(str(plan.tokenizer))
    held_out = read_held_out(plan.held_out)
    for number in itertools.count(step):
        yield batch_of(plan, number, tokenizer, held_out)


def _in_turn(queues: Sequence[Any], processes: Sequence[Any]) -> Iterator[Batch]:
    while True:
        for queue, process in zip(queues, processes, strict=True):
            while True:
                try:
                    yield queue.get(timeout=5)
                    break
                except Empty:
                    if not process.is_alive():
                        raise RuntimeError("a process that draws documents has ended") from None
