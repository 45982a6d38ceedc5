"""The words of the project: plain frozen values that cross every wall.

In the order of a run: running foreign code; tasks; what a model said; how it fared; what became of a step. Standard
library only, imports nothing of ours, and holds no behaviour: whoever can read this page can read every signature.
Failures that are data are values here (`Verdict`, `Refusal`); only faults of the caller or of the machine are
exceptions (`AbsoluteZeroError` and below), and their text is one line that says what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Verdict(StrEnum):
    """What became of one program on one input. Exactly one holds."""

    VALUE = "value"
    """It returned a value that we can write down and read back."""
    ERROR = "error"
    """It raised; `Result.detail` is the exception's class name. A program that does not compile is one too."""
    INVALID_INPUT = "invalid_input"
    """The input text is not an argument list of literals, or the program's text is over its bound; nothing ran."""
    UNSERIALISABLE = "unserialisable"
    """It returned something that is not a plain value; `Result.detail` is the name of its type."""
    TOO_LARGE = "too_large"
    """The value is over a bound (`Job.output_bytes`, depth, nodes, digits). Outputs are never truncated."""
    MEMORY = "memory"
    """It ran out of `Job.memory_mb`."""
    TIMEOUT = "timeout"
    """It used up `Job.cpu_seconds` of processor time."""
    BLOCKED = "blocked"
    """It waited for something that cannot happen (a lock, a signal) and used no processor time."""
    FORBIDDEN = "forbidden"
    """The kernel killed it at a system call that no honest program makes."""
    CRASH = "crash"
    """The interpreter died of a signal; `Result.detail` is the signal's name."""
    EXITED = "exited"
    """It left the process early, without returning."""
    NONDETERMINISTIC = "nondeterministic"
    """Interpreters that differ on purpose disagreed (only when `Job.deterministic`)."""
    INFRASTRUCTURE = "infrastructure"
    """Our fault or the machine's, twice in a row. Never a reward signal."""


@dataclass(frozen=True, slots=True)
class Job:
    """One program to run on some inputs. Every limit holds for each input by itself.

    >>> Job(program="def f(x):\\n    return x + 1", inputs=("1", "2"), deterministic=True).cpu_seconds
    1.0
    """

    program: str
    """Python source that defines the function `f`."""
    inputs: tuple[str, ...]
    """Texts of argument lists, for example `"1, 'a'"` or `"x=[1, 2]"`; literals only (`absolute_zero.values`)."""
    deterministic: bool = False
    """Run again in three interpreters that differ on purpose, and demand equal values."""
    cpu_seconds: float = 1.0
    """Processor time, in seconds, as the kernel counts it: a busy machine punishes nobody."""
    memory_mb: int = 256
    """Address space, in MiB, on top of what the bare interpreter takes."""
    output_bytes: int = 65_536
    """Length of the canonical text of one value, in UTF-8 bytes; also the bound on what it may print."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one input came to.

    >>> Result(Verdict.ERROR, detail="ZeroDivisionError").value
    ''
    """

    verdict: Verdict
    value: str = ""
    """Canonical text of the value (`absolute_zero.values.canonical`); empty unless the verdict is VALUE."""
    detail: str = ""
    """Class name of the exception, name of the type, or name of the signal; empty otherwise."""
    cpu_seconds: float = field(default=0.0, compare=False)
    """Processor time this input took, in seconds; 0 where it never ran."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one job came to: one result per input, in the order of `Job.inputs`.

    >>> Outcome((Result(Verdict.VALUE, "2"),)).ok
    True
    """

    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        """Every input gave a value."""
        return all(result.verdict is Verdict.VALUE for result in self.results)

    @property
    def lost(self) -> bool:
        """The machine failed on some input: what the program does there is not known."""
        return any(result.verdict is Verdict.INFRASTRUCTURE for result in self.results)


class Role(StrEnum):
    """The two roles that one model plays (paper section 3)."""

    PROPOSE = "propose"
    SOLVE = "solve"


class Status(StrEnum):
    """How one response fared, for either role; what it is paid follows from this (`absolute_zero.rewards`)."""

    PASSED = "passed"
    """Solver: right. Proposer: a valid task, accepted as new; it is paid by its learnability."""
    FAILED = "failed"
    """Well formed but not passing: a wrong answer, a proposal that is not valid, a rejection it could foresee."""
    MALFORMED = "malformed"
    """The format is broken, or the response was truncated at the length limit."""
    NEUTRAL = "neutral"
    """Proposer only: valid, and rejected for what it could not see. Worth 0; trained on."""
    MASKED = "masked"
    """Not to be graded (the machine failed, or a held-out task was hit): leaves the batch, counted."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a task alike to others: digests, or any texts. Empty: unknown, and no cap.

    >>> Identity(exact="9f0c").family
    ''
    """

    exact: str = ""
    """Stored only once per kind."""
    family: str = ""
    """Stored at most `buffer.per_behaviour` times per kind; a held-out family is never stored."""
    behaviour: str = ""
    """What it does on its probes: limited per kind, like a family."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task and what is known of it: one row of the buffer and of the store.

    >>> Task("deduction", payload="{}", trials=8, successes=3).learnable
    True
    """

    kind: str
    payload: str
    """What only its task type reads and writes, such as JSON; kept as it is. `title` is one line for people."""
    title: str = ""
    label: str = ""
    """A word by which success is counted apart, such as its output's type; empty: none. Not stored."""
    group: str = ""
    """In evaluation, tasks of one group are solved or not together; empty: a task of its own. Not stored."""
    id: int = 0
    """Counts the accepted tasks of a run from 1; seeds have 0."""
    step: int = 0
    """Training steps count from 1; seeding rounds are the numbers up to 0."""
    references: tuple[int, ...] = ()
    """Ids of the tasks that its prompt showed; the next three are its `Identity`."""
    exact: str = ""
    family: str = ""
    behaviour: str = ""
    trials: int = 0
    """Graded difficulty rollouts, and how many succeeded; 0 of 0 in seeding, which measures no difficulty."""
    successes: int = 0

    @property
    def learnable(self) -> bool:
        """Some of its difficulty rollouts succeeded, and some did not: what learnability pays for (paper eq. 4)."""
        return 0 < self.successes < self.trials


@dataclass(frozen=True, slots=True)
class Proposal:
    """A parsed proposal: what has to run before it can become a task.

    >>> Proposal("deduction", Job("def f(x):\\n    return x", ("1",), deterministic=True)).payload
    ''
    """

    kind: str
    job: Any
    """A job for the domain's executor: hashable and comparable."""
    payload: str = ""
    """What its task type wants to remember beside the job."""


# --- what a model is asked and says -------------------------------------------------------------------------


class Message(NamedTuple):
    """One turn of a chat: who speaks (system, user, assistant), and what."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked: a text, or chat messages.

    >>> Prompt("What is 1 + 1?\\n<think>\\n", opens_thought=True).messages
    ()
    """

    text: str = ""
    messages: tuple[Message, ...] = ()
    """In place of `text`; a last one of the assistant begins the response."""
    opens_thought: bool = False
    """It ends inside a thought: the response has only to close it."""

    @property
    def shown(self) -> str:
        """The prompt as one text for people."""
        whole = [f"{role}: {content}" if len(self.messages) > 1 else content for role, content in self.messages]
        return self.text or "\n\n".join(whole)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw completions; temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 512
    """Longest completion, in tokens."""
    stop: tuple[str, ...] = ("</answer>",)
    """A completion ends after the first of these, or at the model's own end of text."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What a policy wrote after one prompt.

    >>> Completion("2</answer>", tokens=(17, 4), logprobs=(-0.5, -0.1)).truncated
    False
    """

    text: str
    """It ends with the stop string if there was one."""
    tokens: tuple[int, ...]
    """Every sampled token, an end-of-text one included; empty only if the prompt was too long."""
    logprobs: tuple[float, ...]
    """Natural log of the probability with which the sampler drew each token."""
    truncated: bool = False
    """It ended at the length limit (or never began): a format error."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion to learn from: loss term = weight * advantage-weighted token terms (paper section 3.3)."""

    prompt: Prompt
    completion: Completion
    advantage: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Grade:
    """How one response fared, and why.

    >>> Grade(Status.FAILED, reason="wrong").score
    0.0
    """

    status: Status
    score: float = 0.0
    """The role's own reward, in [0, 1]; counts only where the status is PASSED."""
    reason: str = ""
    """A word of a small set, to be counted; empty if it passed. `detail` is one line for a reader."""
    detail: str = ""

    @property
    def correct(self) -> bool:
        """It passed with the full score: what counts as success of a solution."""
        return self.status is Status.PASSED and self.score >= 1.0


@dataclass(frozen=True, slots=True)
class Rollout:
    """One response, of either role, and what became of it."""

    role: Role
    kind: str
    item: int
    """Which prompt of its role and kind in this step; the rollouts of one prompt share it, counted by `attempt`."""
    attempt: int
    task: int
    """Id of the task it solved or became; 0 for a proposal that became none."""
    prompt: Prompt
    completion: Completion
    grade: Grade
    reward: float | None = None
    """None: it left the batch."""
    weight: float = 0.0
    advantage: float = 0.0
    strict: bool = True
    """Its format is the strict one (`absolute_zero.forms`); not stored."""


@dataclass(frozen=True, slots=True)
class Reward:
    """What one response earned: all that its advantage depends on.

    >>> Reward(Role.SOLVE, "deduction", prompt=3, reward=-0.5, weight=0.125, tokens=40).reward
    -0.5
    """

    role: Role
    kind: str
    prompt: int | str
    """Which prompt was answered. Names it within its role and kind: others may use the same one."""
    reward: float
    weight: float = 1.0
    """How much the sample counts, in the loss and in its baseline: 1 / rollouts of its prompt, times its role's."""
    tokens: int = 1
    """Length of the response."""


# --- what became of a step ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProposalRollout:
    """One proposal as it came: what was asked with which references, what was written, and what was parsed."""

    kind: str
    item: int
    references: tuple[Task, ...]
    prompt: Prompt
    completion: Completion
    parsed: Proposal | Grade
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Validation:
    """What validation made of a proposal: a task, or the grade that says why not."""

    proposal: ProposalRollout
    result: Task | Grade
    valid: bool
    """It ran, and always alike: before any question of novelty."""

    @property
    def task(self) -> Task | None:
        """The accepted task."""
        return self.result if isinstance(self.result, Task) else None


@dataclass(frozen=True, slots=True)
class Step:
    """Everything that happened in one step, or in one round of seeding (in which nothing is solved or learned)."""

    number: int
    validations: tuple[Validation, ...]
    tasks: tuple[Task, ...]
    """The accepted tasks, with the outcome of their difficulty rollouts."""
    rollouts: tuple[Rollout, ...]
    """Every response: proposals, difficulty rollouts, practice."""
    state: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the advantage estimators remember, by name: plain data, as JSON has it."""
    stats: Mapping[str, float] = field(default_factory=dict[str, float])
    """What the policy reports of its update."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not accepted: a failure that is data.

    >>> str(Refusal("import", "os is not on the list of allowed modules"))
    'import: os is not on the list of allowed modules'
    """

    reason: str
    """One short word or phrase from a fixed set, so that refusals can be counted."""
    detail: str = ""
    """One line for a reader."""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


class AbsoluteZeroError(Exception):
    """Base of every exception this package raises on purpose. Its text is one line that says what to do."""


class UserError(AbsoluteZeroError):
    """Something the user can fix: a setting, a path, a missing part of the machine. Exit code 2."""


class SandboxError(UserError):
    """The sandbox cannot keep what was asked of it here, or has been closed."""
