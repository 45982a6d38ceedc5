"""The sandbox: the supervisor in the trainer's process, and the one door to running foreign code.

Promises: `run` keeps order, uses all workers, may be called from several threads, never raises for what foreign
code does, and survives its processes being killed; every process of the sandbox is gone within a second of
this one. `level` is what canaries proved. No expected answer ever enters the sandbox: compare outside.

Does not promise: a defence against kernel bugs, timing side channels, or a program that burns its whole
allowance every time. `run` applies no static guard: what holds is the wall.
"""

import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import NamedTuple, Self, cast

from absolute_zero.executor.canaries import LEVELS, Proof, level_of
from absolute_zero.executor.worker import MAX_PROGRAM, StartFailure, Worker, ZygoteProcess
from absolute_zero.machine import processors
from absolute_zero.types import Job, Outcome, Result, SandboxError, Verdict
from absolute_zero.values import MAX_TEXT

LADDER = (
    ("namespaces", "landlock", "seccomp"),
    ("landlock", "seccomp"),
    ("seccomp",),
    (),
)
"""Walls to try, best first. The level each comes to is for the canaries to say."""
BATCH, BATCH_INPUTS, BATCH_CHARACTERS = 32, 256, 4 << 20
"""Jobs, inputs and text per message to a zygote: enough to amortise it, little enough to share out evenly."""


class Report(NamedTuple):
    """Where this sandbox stands, and why."""

    level: str
    proofs: tuple[Proof, ...]
    """One for each canary that ran in the first process of this sandbox."""
    missing: tuple[str, ...]
    """What would raise the level, a line each."""


class Sandbox:
    """A pool of workers, each with zygotes of its own. Use it as a context manager.

    Args:
        workers: how many, one core each; by default as many as this process may use.
        minimum_level: "sealed", "filtered" or "weak". Below it, SandboxError says what is missing.
        level: the highest level attempted; lower it only to measure or to test.
        recycle_after: jobs after which a zygote is replaced; None for never.

    Raises SandboxError (one line) when the minimum is not reached.
    """

    def __init__(
        self,
        workers: int | None = None,
        minimum_level: str = "filtered",
        *,
        level: str = "sealed",
        recycle_after: int | None = 10_000,
        _without_rules: Sequence[str] = (),
    ) -> None:
        for name in (minimum_level, level):
            if name not in LEVELS:
                raise SandboxError(f"no sandbox level is called {name!r}; choose one of {', '.join(LEVELS)}")
        if workers is not None and workers < 1:
            raise SandboxError(f"workers is {workers}; it must be at least 1")
        self._without = tuple(_without_rules)
        self._closed, self._owner = False, os.getpid()
        self._door = threading.Lock()  # between `run` and `close`: no batch may come after the last word
        self._work: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._nursery = ThreadPoolExecutor(1, "sandbox-nursery")
        self._workers: list[Worker] = []
        self._threads: list[threading.Thread] = []
        try:
            first, self._walls, self.report = self._climb_down(minimum_level, level)
            self.level: str = self.report.level
            for index in range(workers or processors()):
                worker = Worker(self._start, self.level, recycle_after)
                if index == 0:
                    worker.adopt("A", first)
                self._workers.append(worker)
            self._warm_up()
        except BaseException:
            self.close()
            raise

    def _climb_down(self, minimum: str, highest: str) -> tuple[ZygoteProcess, tuple[str, ...], Report]:
        """Return the first zygote whose canaries hold, its walls, and the report. Raises SandboxError if none does."""
        if not hasattr(os, "fork"):
            raise SandboxError("the sandbox needs Linux: use WSL 2 or a container (this system cannot fork)")
        if sys.platform != "linux" and minimum != "weak":
            raise SandboxError(
                f"the sandbox needs Linux to be {minimum}: use WSL 2 or a container, "
                'or accept minimum_level="weak" (no protection from malice)'
            )
        missing: list[str] = []
        for walls in LADDER if sys.platform == "linux" else ((),):
            if not walls and minimum != "weak":
                break
            if LEVELS.index(highest) < ("landlock" in walls or "seccomp" in walls) + ("namespaces" in walls):
                continue
            try:
                zygote = ZygoteProcess("A", walls, self._without, self._nursery)
            except StartFailure as failure:
                missing.append(str(failure))
                continue
            proofs = zygote.prove()
            reached = level_of(proofs)
            missing += [f"{proof.name}: {proof.detail}" for proof in proofs if not proof.held]
            if reached is not None and LEVELS.index(reached) >= LEVELS.index(minimum):
                return zygote, walls, Report(reached, proofs, tuple(missing))
            zygote.close()
        raise SandboxError(
            f"the sandbox does not reach level {minimum} here ({'; '.join(missing) or 'no wall could be built'}): "
            f"{_remedy(minimum)}"
        )

    def _start(self, name: str) -> ZygoteProcess:
        if self._closed:
            raise StartFailure("the sandbox is closed")
        return ZygoteProcess(name, self._walls, self._without, self._nursery)

    def _warm_up(self) -> None:
        """Start every worker's A at the same time, then the threads that serve."""
        with ThreadPoolExecutor(len(self._workers), "sandbox-start") as starters:
            for started in [starters.submit(worker.zygote, "A") for worker in self._workers]:
                try:
                    started.result()
                except StartFailure as failure:
                    raise SandboxError(f"{failure}; try again, or with fewer workers") from failure
        for worker in self._workers:
            thread = threading.Thread(target=self._serve, args=(worker,), name="sandbox-worker", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _serve(self, worker: Worker) -> None:
        """Serve batches from the common queue until the sandbox closes: what the thread of a worker does."""
        while (batch := self._work.get()) is not None:
            if not batch.done.set_running_or_notify_cancel():
                continue
            try:
                batch.done.set_result(worker.run([part.job for part in batch.parts]))
            except BaseException as error:  # a fault of ours: the caller of `run` must see it
                batch.done.set_exception(error)
        worker.close()

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Run jobs, and return their outcomes in the same order.

        Raises TypeError and ValueError for jobs that make no sense, and SandboxError when closed, in a forked
        process, or when a process that is needed does not start any more; nothing for what the programs do.
        """
        jobs = list(jobs)
        for job in jobs:
            _check(job)
        if self._owner != os.getpid():
            raise SandboxError("a sandbox does not survive a fork of its owner; make a new one in this process")
        results: list[list[Result]] = [[Result(Verdict.INVALID_INPUT)] * len(job.inputs) for job in jobs]
        batches = [_Batch(parts, Future()) for parts in _batches(_parts(jobs), len(self._workers))]
        with self._door:
            if self._closed:
                raise SandboxError("this sandbox is closed; make a new one")
            for batch in batches:
                self._work.put(batch)
        try:
            for batch in batches:
                for part, outcome in zip(batch.parts, batch.done.result(), strict=True):
                    results[part.job_index][part.start : part.start + len(outcome.results)] = outcome.results
        finally:  # interrupted: what has not begun need not
            for batch in batches:
                batch.done.cancel()
        return [Outcome(tuple(of_job)) for of_job in results]

    def pids(self) -> list[int]:
        """Return the process ids of the zygotes (and of the processes that reap them), as seen from here."""
        direct = [zygote.process.pid for worker in self._workers for zygote in list(worker.zygotes.values())]
        return [pid for parent in direct for pid in (parent, *_children(parent))]

    def close(self) -> None:
        """End every process of the sandbox. Work in progress is finished first; may be called twice."""
        with self._door:
            if self._closed:
                return
            self._closed = True
            for _ in self._threads:
                self._work.put(None)
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.close()
        self._nursery.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Part(NamedTuple):
    """Inputs of a job that go into the same batch."""

    job_index: int
    start: int
    """Of its first input."""
    job: Job


class _Batch(NamedTuple):
    parts: list[_Part]
    done: "Future[list[Outcome]]"


def _parts(jobs: Sequence[Job]) -> Iterator[_Part]:
    """Yield jobs in parts of at most `BATCH_INPUTS` inputs; a program over its bound has none, and is not run."""
    for index, job in enumerate(jobs):
        if len(job.program) > MAX_PROGRAM:
            continue
        for start in range(0, len(job.inputs), BATCH_INPUTS):
            inputs = job.inputs[start : start + BATCH_INPUTS]
            yield _Part(index, start, job if len(inputs) == len(job.inputs) else replace(job, inputs=inputs))


def _batches(parts: Iterator[_Part], workers: int) -> Iterator[list[_Part]]:
    """Yield batches that all workers can share, bounded in parts, inputs and text: so is a zygote's memory."""
    waiting = list(parts)
    part_limit = max(1, min(BATCH, len(waiting) // (4 * workers)))
    batch: list[_Part] = []
    inputs = text = 0
    for part in waiting:
        size = len(part.job.program) + sum(map(len, part.job.inputs))
        if batch and (
            len(batch) == part_limit or inputs + len(part.job.inputs) > BATCH_INPUTS or text + size > BATCH_CHARACTERS
        ):
            yield batch
            batch, inputs, text = [], 0, 0
        batch.append(part)
        inputs, text = inputs + len(part.job.inputs), text + size
    if batch:
        yield batch


def _check(job: Job) -> None:
    texts: list[object] = [job.program, *job.inputs]
    if isinstance(cast(object, job.inputs), str) or not all(isinstance(text, str) for text in texts):
        raise TypeError("program is a str and inputs a tuple of str, the texts of argument lists")
    if not 0 < job.cpu_seconds <= 3_600:
        raise ValueError(f"cpu_seconds is {job.cpu_seconds}; it must be over 0 and at most 3600")
    if not 1 <= job.memory_mb <= 1 << 20:
        raise ValueError(f"memory_mb is {job.memory_mb}; it must be from 1 to {1 << 20}")
    if not 1 <= job.output_bytes <= MAX_TEXT:
        raise ValueError(f"output_bytes is {job.output_bytes}; it must be from 1 to {MAX_TEXT}")


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def _remedy(minimum: str) -> str:
    lower = LEVELS[: LEVELS.index(minimum)]
    if not lower:
        return "run it on Linux, or in a container that lets a process fork"
    accept = " or ".join(f'"{name}"' for name in reversed(lower))
    note = ", which does not protect from malice" if minimum == "filtered" else ""
    return f"allow what is missing, or accept minimum_level={accept}{note}"
