"""The two held-out suites, made anew: `python -m absolute_zero.embedded.suites FOLDER`.

`held_out` is drawn from the pretraining grammar by a stream of its own, `ood` from families that the grammar cannot
write. Both pass through the gate of training: every program runs, always alike, reads its input, and is not constant on
its probes; no program and no behaviour occurs twice within a kind. A pure function of the grammar and the sandbox's
Python: the files in the package are what this writes.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from absolute_zero.buffer import Buffer
from absolute_zero.config import load
from absolute_zero.embedded.dice import Dice
from absolute_zero.embedded.documents import EXAM, documents
from absolute_zero.embedded.families import FAMILIES, draw
from absolute_zero.evals.triplets import write_suite
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.novelty import facts, probes
from absolute_zero.ports import Task
from absolute_zero.tasks import make_tasks
from absolute_zero.tasks.triplets import Limits
from absolute_zero.types import Entry, Kind, Outcome, Problem, Proposal, Role
from absolute_zero.values import read

STREAM: Final = 1 << 41
"""The seed of the held-out stream: no pretraining seed, which are far smaller."""
PER_KIND: Final = {"held_out": 300, "ood": 112}
INPUTS: Final = 6
"""Pairs of an induction task, as in the laptop recipe."""
_BATCH: Final = 64


def from_grammar() -> Iterator[Proposal]:
    """Tasks as documents pose them."""
    for one in documents(STREAM, EXAM):
        inputs = tuple(given for given, _ in one.problem.pairs)
        if one.role is Role.SOLVE and len(inputs) in (1, INPUTS):
            yield _proposal(one.kind, one.problem.program, inputs, one.problem.message)


def from_families() -> Iterator[Proposal]:
    """Tasks of every family and kind in turn. Messages are those of the grammar's kind: the type of the output."""
    for number in count():
        for name in FAMILIES:
            for kind in Kind:
                dice = Dice(Key(STREAM).at(name, kind, number))
                program, source = draw(name, dice)
                inputs = dict.fromkeys(source() for _ in range(40))
                wanted = INPUTS if kind is Kind.INDUCTION else 1
                if len(inputs) >= wanted:
                    yield _proposal(kind, program, tuple(inputs)[:wanted], "")


def _proposal(kind: Kind, program: str, inputs: tuple[str, ...], message: str) -> Proposal:
    return Proposal(kind, Limits().job(program, inputs, deterministic=True), message)


def gated(proposals: Iterator[Proposal], per_kind: int, sandbox: Sandbox) -> list[Problem]:
    """The first so many of each kind that the gate accepts."""
    cfg = load("laptop", [f"propose.inputs={INPUTS}", "buffer.per_behaviour=1"])
    tasks, buffer = make_tasks(cfg), Buffer(cfg)
    found: dict[Kind, list[Problem]] = {kind: [] for kind in Kind}
    while any(len(problems) < per_kind for problems in found.values()):
        batch = [next(proposals) for _ in range(_BATCH)]
        batch = [proposal for proposal in batch if len(found[proposal.kind]) < per_kind]
        asked = [probes(proposal.job.inputs[0]) for proposal in batch]
        jobs = [replace(p.job, inputs=(*p.job.inputs, *more)) for p, more in zip(batch, asked, strict=True)]
        for proposal, more, outcome in zip(batch, asked, sandbox.run(jobs), strict=True):
            entry = _admitted(tasks[proposal.kind], proposal, more, outcome, buffer)
            if entry is not None and len(found[proposal.kind]) < per_kind:
                found[proposal.kind].append(entry.problem)
    return [problem for problems in found.values() for problem in problems]


def _admitted(task: Task, proposal: Proposal, more: tuple[str, ...], outcome: Outcome, buffer: Buffer) -> Entry | None:
    own, others = outcome.results[: -len(more)], outcome.results[-len(more) :]
    made = task.mint(proposal, Outcome(own))
    if isinstance(made, Problem):
        if not made.message and made.kind is Kind.INDUCTION:
            made = replace(made, message=f"gives {_article(made.pairs[0][1])}")
        found = buffer.admit(made, facts(made, more, others), 0, ())
        return found if isinstance(found, Entry) else None
    return None


def _article(output: str) -> str:
    name = type(read(output)).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def make(folder: Path) -> None:
    """Write both suites."""
    with Sandbox(minimum_level="weak") as sandbox:
        for name, source in (("held_out", from_grammar()), ("ood", from_families())):
            write_suite(folder / f"{name}.jsonl", gated(source, PER_KIND[name], sandbox))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
