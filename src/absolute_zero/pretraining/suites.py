"""The two held-out suites, made anew: `python -m absolute_zero.pretraining.suites FOLDER`.

`held_out` is drawn from the pretraining grammar by a stream of its own, `ood` from families that the grammar cannot
write. Both are validated as in training: every program runs, always alike, reads its input, and is not constant on
its probes; no program and no behaviour occurs twice within a kind. A pure function of the grammar and the sandbox's
Python: the files in the package are what this writes.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from absolute_zero.buffer import Buffer
from absolute_zero.config import load
from absolute_zero.domains.python import DOMAIN
from absolute_zero.domains.python.limits import Limits
from absolute_zero.domains.python.novelty import probes
from absolute_zero.domains.python.payload import INDUCTION, KINDS, read_payload, task_of
from absolute_zero.domains.python.rows import suite_row
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.ports import TaskType
from absolute_zero.pretraining.grammar.dice import Dice
from absolute_zero.pretraining.grammar.families import FAMILIES, draw
from absolute_zero.pretraining.traces.documents import EXAM, documents
from absolute_zero.types import Outcome, Proposal, Role, Task
from absolute_zero.values import read

STREAM: Final = 1 << 41
"""The seed of the held-out stream: no pretraining seed, which are far smaller."""
PER_KIND: Final = {"held_out": 300, "ood": 112}
INPUTS: Final = 6
"""Pairs of an induction task, as in the laptop recipe."""
_BATCH: Final = 64


def from_grammar() -> Iterator[Proposal]:
    """Yield proposals of the tasks that documents pose."""
    for drawn in documents(STREAM, EXAM):
        inputs = tuple(input_ for input_, _ in drawn.payload.pairs)
        if drawn.role is Role.SOLVE and len(inputs) in (1, INPUTS):
            yield _proposal(drawn.kind, drawn.payload.program, inputs, drawn.payload.message)


def from_families() -> Iterator[Proposal]:
    """Yield proposals of every family and kind in turn, whose messages are to give the type of the output."""
    for number in count():
        for name in FAMILIES:
            for kind in KINDS:
                dice = Dice(Key(STREAM).at(name, kind, number))
                program, source = draw(name, dice)
                inputs = dict.fromkeys(source() for _ in range(40))
                wanted = INPUTS if kind == INDUCTION else 1
                if len(inputs) >= wanted:
                    yield _proposal(kind, program, tuple(inputs)[:wanted], "")


def _proposal(kind: str, program: str, inputs: tuple[str, ...], message: str) -> Proposal:
    return Proposal(kind, Limits().job(program, inputs, deterministic=True), message)


def accepted_tasks(proposals: Iterator[Proposal], per_kind: int, sandbox: Sandbox) -> list[Task]:
    """Return the first `per_kind` tasks of each kind that validation accepts, as in training."""
    cfg = load("laptop", [f"python.inputs={INPUTS}", "buffer.per_behaviour=1"])
    task_types = {task_type.kind: task_type for task_type in DOMAIN.task_types(cfg)}
    buffer = Buffer(cfg, task_types)
    accepted: dict[str, list[Task]] = {kind: [] for kind in KINDS}
    while any(len(tasks) < per_kind for tasks in accepted.values()):
        batch = [next(proposals) for _ in range(_BATCH)]
        batch = [proposal for proposal in batch if len(accepted[proposal.kind]) < per_kind]
        asked = [probes(proposal.job.inputs[0]) for proposal in batch]
        jobs = [replace(p.job, inputs=(*p.job.inputs, *more)) for p, more in zip(batch, asked, strict=True)]
        for proposal, more, outcome in zip(batch, asked, sandbox.run(jobs), strict=True):
            task = _admitted(task_types[proposal.kind], proposal, len(more), outcome, buffer)
            if task is not None and len(accepted[proposal.kind]) < per_kind:
                accepted[proposal.kind].append(task)
    return [task for tasks in accepted.values() for task in tasks]


def _admitted(task_type: TaskType, proposal: Proposal, probed: int, outcome: Outcome, buffer: Buffer) -> Task | None:
    own, others = outcome.results[:-probed], outcome.results[-probed:]
    task = task_type.build_task(proposal, Outcome(own))
    if not isinstance(task, Task) or Outcome(others).lost:
        return None
    payload = read_payload(task.payload)
    if not payload.message and task.kind == INDUCTION:
        task = task_of(task.kind, payload.program, payload.pairs, f"gives {_article(payload.pairs[0][1])}")
    result = buffer.admit(task, task_type.identity(task, Outcome(others)), 0, ())
    return result if isinstance(result, Task) else None


def _article(output: str) -> str:
    name = type(read(output)).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def make(folder: Path) -> None:
    """Write both suites."""
    with Sandbox(minimum_level="weak") as sandbox:
        for name, source in (("held_out", from_grammar()), ("ood", from_families())):
            tasks = accepted_tasks(source, PER_KIND[name], sandbox)
            rows = [json.dumps(suite_row(task), ensure_ascii=False) for task in tasks]
            (folder / f"{name}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
