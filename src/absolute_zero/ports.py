"""What the loop asks of the world: who speaks, what is true, what is a task, and which domain they belong to.

`absolute_zero.selfplay` knows these and no implementation. Each is plain values in, plain values out: tensors stay
behind Policy, processes behind Executor, and what is particular to a domain behind TaskType and Domain. Whoever
writes a domain reads `docs/domains.md`. One contract suite per port (`tests/contracts`) holds for every implementation.
Floor 0.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from absolute_zero.keys import Key
from absolute_zero.types import (
    Completion,
    Grade,
    Identity,
    Prompt,
    Proposal,
    Reward,
    Role,
    Rollout,
    Sample,
    Sampling,
    Task,
)


class Chat(NamedTuple):
    """How a model takes chat messages, by its chat template."""

    opens_thought: bool = False
    """The template itself begins the response with the tag of the thought."""
    takes_system: bool = True
    """A system message gets to the model."""
    keeps_thoughts: bool = True
    """Thoughts in earlier turns of the assistant get to the model."""


class Policy(Protocol):
    """One model in both roles. Only prompts, text, token ids and floats cross this line.

    It may have an attribute `chat`, a `Chat` or None: how it takes messages. Without it prompts are plain text.
    """

    def sample(
        self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """Return `n` completions of each prompt: [prompt][rollout].

        All noise of rollout t of prompt i is addressed by `keys[i].at(t)` and the token's position, so it does not
        depend on what else is asked in the call. A prompt too long for the model gives completions without tokens.
        """
        ...

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Take one optimisation step on these samples; return what was measured. No samples: nothing changes."""
        ...

    def save(self, folder: Path) -> None:
        """Write all that `load` needs to resume exactly into a folder that is there and empty."""
        ...

    def load(self, folder: Path) -> None:
        """Become what was saved there. Raises UserError if that cannot be."""
        ...


AnyJob = Any
"""A domain's own kind of job, such as `types.Job`: hashable and comparable, as equal jobs of a call run once."""


class Outcome(Protocol):
    """What a job came to. All but these two is between the executor and the task types of its domain."""

    @property
    def ok(self) -> bool:
        """Everything that was asked gave a value."""
        ...

    @property
    def lost(self) -> bool:
        """Our fault or the machine's: never a reward signal. No task type is asked about such an outcome."""
        ...


class Executor(Protocol):
    """What decides what is true. Never raises for what foreign code does.

    It may have an attribute `level`, a word for how well it isolates; `azr train` shows and records it.
    """

    def run(self, jobs: Sequence[AnyJob]) -> Sequence[Any]:
        """Return the outcomes in the order of the jobs; none depends on what it is run beside."""
        ...

    def close(self) -> None:
        """Let go of its processes. Closing twice is closing once."""
        ...


class TaskType(Protocol):
    """One kind of task: how it is asked for and posed, and what an answer to either means.

    Texts called `answer` are what stands between `<answer>` and `</answer>`; any string is taken. Nothing here runs
    anything: what has to run comes back as a job. Outcomes are those of the domain's executor, and never lost ones.
    """

    @property
    def kind(self) -> str:
        """Its name: letters, digits, `_` and `-`."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """Kinds whose tasks its proposer is shown."""
        ...

    @property
    def max_references(self) -> int | None:
        """How many of them, or fewer while there are fewer; None: as `propose.references` says."""
        ...

    def propose_prompt(self, references: Sequence[Task]) -> Prompt:
        """Return the prompt for a proposal."""
        ...

    def parse_proposal(self, references: Sequence[Task], answer: str) -> Proposal | Grade:
        """Return the proposal with the job to run, or why it is none."""
        ...

    def build_task(self, proposal: Proposal, outcome: Any) -> Task | Grade:
        """Return the task (kind, payload, title, label) that a proposal makes once it ran, or why it is not valid."""
        ...

    def probe(self, task: Task, key: Key) -> AnyJob | None:
        """Return what to run to see how the task behaves; None: nothing to probe. `key` belongs to run and kind."""
        ...

    def identity(self, task: Task, outcome: Any | None) -> Identity | Grade:
        """Return what makes the task alike to others, or why it is not a task worth having.

        `outcome` is that of its probe; None where there was none to run.
        """
        ...

    def solve_prompt(self, task: Task) -> Prompt:
        """Return the prompt for a solution."""
        ...

    def check(self, task: Task, answer: str) -> Grade | AnyJob:
        """Return how the answer fared, or the job that decides it."""
        ...

    def check_result(self, task: Task, outcome: Any) -> Grade:
        """Return what the outcome of that job means."""
        ...

    def show(self, task: Task) -> Sequence[tuple[str, str]]:
        """Return (label, text) of its parts for people, the gold answer last, labelled "answer" if it is known."""
        ...


class Domain(Protocol):
    """A set of task types, the executor that decides their truth, and what comes with them.

    What an entry point of the group `absolute_zero.domains`, or a dotted name in the settings, gives. At import it
    brings in the standard library and pydantic only. Only `name`, `task_types` and `open_executor` have to be there.
    """

    @property
    def name(self) -> str:
        """What it is called; its own section of the settings has this name."""
        ...

    @property
    def settings(self) -> type[Any] | None:
        """Its section of the settings, a subclass of `absolute_zero.config.Section` with defaults; None for none."""
        ...

    @property
    def templates(self) -> str:
        """Its own set of templates, taken unless the settings name another; empty for none."""
        ...

    def task_types(self, cfg: Any) -> Sequence[TaskType]:
        """Return all its task types under these settings, in their own order. Reads no file yet."""
        ...

    def open_executor(self, cfg: Any) -> Executor:
        """Return the running executor. Raises UserError for what this machine cannot keep."""
        ...

    def seeds(self) -> Sequence[Task]:
        """Return what a proposer is shown while nothing has been accepted; it may be empty."""
        ...

    def suites(self) -> Mapping[str, Sequence[Task]]:
        """Return held-out tasks by name of the suite, the main one first; it may be empty.

        They have `family` set if they must never be accepted in training, and `group` if some stand or fall together.
        """
        ...

    def worked_examples(self, kind: str, role: Role, cfg: Any) -> Sequence[tuple[Any, str]]:
        """Return questions with a good response each, in strict form, to show before a prompt; it may be empty.

        A question is a prompt; or what its task type makes one of: a task to solve, or the references of a proposal
        (a sequence of tasks). Then it has the templates of the settings.
        """
        ...

    def read_row(self, row: Mapping[str, Any]) -> Sequence[Task | Proposal]:
        """Return the tasks in one object of a JSONL file; a proposal where only running gives the answer.

        Raises UserError with the reason.
        """
        ...

    def held_out(self, row: Mapping[str, Any]) -> Sequence[str]:
        """Return the families (`Identity.family`) that one object of a held-out file bars from training.

        Raises UserError with the reason.
        """
        ...


State = Mapping[str, Any]
"""What an estimator remembers: plain data, as JSON has it."""
Estimator = Callable[[State, Sequence[Reward]], tuple[State, Sequence[float]]]
"""A pure function of what it remembers (empty at first) and the rewards of a step, those that are trained on, to what
it remembers next and the advantage of each reward. With an attribute `per_prompt = True` it compares the rollouts of a
prompt, and gets no reward whose prompt has no other."""
RewardTerm = Callable[[Rollout, Task, int], float]
"""A function of a rollout that passed, the task it solved or became, and the number of the step."""


class Components(NamedTuple):
    """All that the loop asks of the world."""

    policy: Policy
    executor: Executor
    task_types: Mapping[str, TaskType]
    """In the order in which kinds are asked for; a kind that is not here is not played."""
    held_out: Set[str]
    """Families that no buffer accepts: `components.held_out_families` has those of the suites and of the settings."""
    seeds: Sequence[Task] = ()
    """Shown to proposers while nothing has been accepted."""
    estimators: Mapping[str, Estimator] = {}
    """Plug-ins by name, beside those of `absolute_zero.advantages`."""
    reward_terms: Sequence[tuple[RewardTerm, float]] = ()
    """Terms with their weights, added to the reward of responses that pass."""
    scales: Mapping[Role, Any] | None = None
    """What each status earns, where that is a plug-in's table; None: the settings' own (`absolute_zero.rewards`)."""
    form: Any = None
    """How prompts are dressed and responses read, an `absolute_zero.forms.Form`; None: plain text, the paper's tags."""
