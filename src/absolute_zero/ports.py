"""Three questions that the story asks the world: who speaks, what is true, what is a task.

`absolute_zero.selfplay` knows these and no implementation. Each is plain values in, plain values out: tensors stay
behind Policy, processes behind Executor, prompts and the reading of answers behind Task. A new domain is a new set
of tasks and an executor for their jobs. One contract suite per port (`tests/contracts`) holds for every
implementation. Floor 0.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from absolute_zero.keys import Key
from absolute_zero.types import (
    Completion,
    Grade,
    Job,
    Kind,
    Outcome,
    Problem,
    Proposal,
    Sample,
    Sampling,
    Triplet,
)  # fmt: skip


class Policy(Protocol):
    """One model in both roles. Only text, token ids and floats cross this line."""

    def sample(
        self, prompts: Sequence[str], tries: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """`tries` completions of each prompt: [prompt][try].

        All noise of try t of prompt i is addressed by `chances[i].at(t)` and the token's position, so it does not
        depend on what else is asked in the call. A prompt too long for the model gives completions without tokens.
        """
        ...

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """One optimisation step on these samples; gives what it measured. No samples: nothing changes."""
        ...

    def save(self, folder: Path) -> None:
        """Write all that `load` needs to go on exactly into a folder that is there and empty."""
        ...

    def load(self, folder: Path) -> None:
        """Become what was saved there. Raises UserError if that cannot be."""
        ...


class Executor(Protocol):
    """What decides what is true. Never raises for what foreign code does."""

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Outcomes in the order of the jobs, whatever they are run beside."""
        ...


class Task(Protocol):
    """One kind of task: how it is asked for and posed, and what an answer to either means.

    Texts called `answer` are what stands between `<answer>` and `</answer>`; any string is taken. Nothing here runs
    anything: what has to run comes back as a Job.
    """

    @property
    def kind(self) -> Kind: ...

    def ask(self, references: Sequence[Triplet]) -> str:
        """The prompt for a proposal."""
        ...

    def read(self, references: Sequence[Triplet], answer: str) -> Proposal | Grade:
        """A proposal to be run, or why it is none."""
        ...

    def mint(self, proposal: Proposal, outcome: Outcome) -> Problem | Grade:
        """The problem it makes, or why it is not valid."""
        ...

    def pose(self, problem: Problem) -> str:
        """The prompt for a solution."""
        ...

    def judge(self, problem: Problem, answer: str) -> Grade | Job:
        """How the answer fared, or the job that decides it."""
        ...

    def decide(self, problem: Problem, outcome: Outcome) -> Grade:
        """What the outcome of that job means."""
        ...


class Components(NamedTuple):
    """All that the story asks."""

    policy: Policy
    executor: Executor
    tasks: Mapping[Kind, Task]
    """In the order in which kinds are asked for; a kind that is not here is not played."""
