"""A domain that has nothing of Python: two kinds about the letters of words, with jobs and outcomes of its own.

`count` asks how many letters a word has, and its answer is graded at once; `word` asks for a word of this many letters,
and the executor counts. No settings, no suites, no families; unless `probes` is set, no probes and no identity.
Prompts of one kind are text that opens the thought, of the other chat messages.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from absolute_zero.keys import Key
from absolute_zero.policy.scripted import Lines
from absolute_zero.ports import Domain, Executor, TaskType
from absolute_zero.types import Grade, Identity, Message, Prompt, Proposal, Role, Status, Task, UserError


@dataclass(frozen=True)
class Count:
    """A job: count the letters."""

    word: str


@dataclass(frozen=True)
class Counted:
    """Its outcome."""

    letters: int
    ok: bool = True
    lost: bool = False


def no_loss(batch: int, job: Count) -> bool:
    return False


@dataclass
class Counter:
    """The executor. `loses` says for which batch, counted from 0, and job the machine fails."""

    loses: Callable[[int, Count], bool] = no_loss
    batches: int = 0

    def run(self, jobs: Sequence[Count]) -> list[Counted]:
        batch, self.batches = self.batches, self.batches + 1
        return [
            Counted(-1, ok=False, lost=True) if self.loses(batch, job) else Counted(len(job.word), job.word.isalpha())
            for job in jobs
        ]

    def close(self) -> None:
        pass


def known(outcome: Counted) -> Counted:
    """No task type is asked about an outcome that was lost."""
    assert not outcome.lost
    return outcome


@dataclass(frozen=True)
class Letters:
    """Either kind."""

    kind: str
    sources: tuple[str, ...]
    max_references: int | None = None
    probes: bool = False

    def propose_prompt(self, references: Sequence[Task]) -> Prompt:
        return self._prompt(f"propose {self.kind} " + " ".join(task.payload for task in references))

    def parse_proposal(self, references: Sequence[Task], answer: str) -> Proposal | Grade:
        if " " in answer.strip():
            return Grade(Status.MALFORMED, reason="words")
        return Proposal(self.kind, Count(answer.strip()), payload="a word")

    def build_task(self, proposal: Proposal, outcome: Counted) -> Task | Grade:
        if not known(outcome).ok:
            return Grade(Status.FAILED, reason="not_letters")
        assert proposal.payload == "a word"
        return Task(self.kind, proposal.job.word, title=proposal.job.word)

    def probe(self, task: Task, key: Key) -> Count | None:
        return Count(task.payload * 2) if self.probes else None

    def identity(self, task: Task, outcome: Counted | None) -> Identity | Grade:
        if outcome is None:
            return Identity()
        return Identity(exact=task.payload, behaviour=str(known(outcome).letters))

    def solve_prompt(self, task: Task) -> Prompt:
        return self._prompt(f"solve {self.kind} {task.payload if self.kind == 'count' else len(task.payload)}")

    def _prompt(self, text: str) -> Prompt:
        if self.kind == "count":
            return Prompt(f"{text}\n<think>", opens_thought=True)
        return Prompt(messages=(Message("user", text),))

    def check(self, task: Task, answer: str) -> Grade | Count:
        if self.kind == "word":
            return Count(answer.strip())
        return self._graded(answer.strip() == str(len(task.payload)))

    def check_result(self, task: Task, outcome: Counted) -> Grade:
        return self._graded(known(outcome).letters == len(task.payload))

    def _graded(self, correct: bool) -> Grade:
        return Grade(Status.PASSED, 1.0) if correct else Grade(Status.FAILED, reason="wrong")

    def show(self, task: Task) -> Sequence[tuple[str, str]]:
        return [("answer", task.payload)]


@dataclass(frozen=True)
class LettersDomain:
    """The domain."""

    probes: bool = False
    name: str = "letters"
    settings: type[Any] | None = None
    templates: str = ""

    def task_types(self, cfg: Any) -> Sequence[TaskType]:
        count = Letters("count", ("count", "word"), probes=self.probes)
        return count, Letters("word", ("count",), max_references=1, probes=self.probes)

    def open_executor(self, cfg: Any) -> Executor:
        return Counter()

    def seeds(self) -> Sequence[Task]:
        return (Task("count", "seed"),)

    def suites(self) -> Mapping[str, Sequence[Task]]:
        return {}

    def worked_examples(self, kind: str, role: Role, cfg: Any) -> Sequence[tuple[Prompt, str]]:
        return ()

    def read_row(self, row: Mapping[str, Any]) -> Sequence[Task | Proposal]:
        raise UserError("no rows")

    def held_out(self, row: Mapping[str, Any]) -> Sequence[str]:
        raise UserError("no rows")


DOMAIN: Domain = LettersDomain()
PROBING: Domain = LettersDomain(probes=True)


def speller(correct: float = 0.5) -> Lines:
    """A script that proposes words of few letters, and answers correctly with this probability."""

    def say(prompt: str, random: Random) -> str:
        # A question comes as a form dresses it: within a conversation, or as a chat, of which it is the last turn.
        question = re.split(r"(?i:\buser: )", prompt)[-1].partition("\n\nAssistant:")[0].partition("\n\nassistant:")[0]
        role, kind, *rest = question.removesuffix("\n<think>").split()
        size = 1 + int(random.random() * 6)
        if role == Role.PROPOSE:
            answer = "".join("abcdefgh"[int(random.random() * 8)] for _ in range(size))
        elif random.random() < correct:
            answer = str(len(rest[0])) if kind == "count" else "x" * int(rest[0])
        else:
            answer = "0" if kind == "count" else "z" * 9
        return f"hm</think><answer>{answer}</answer>"

    return Lines(say)
