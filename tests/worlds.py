"""Small worlds for tests of the loop: the apprentice of straight lines, a real sandbox, and eyes on every call."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from absolute_zero import plugins
from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy.scripted import Apprentice, Lines, Script, Scripted
from absolute_zero.ports import Components, Domain, Executor, Policy, TaskType
from absolute_zero.types import Completion, Job, Outcome, Prompt, Result, Sample, Sampling, Task, Verdict


def settings(**changed: Any) -> Config:
    """Four proposals of each kind, four difficulty rollouts each; `changed` replaces whole sections."""
    tables: dict[str, Any] = {
        "seed": 7, "steps": 5, "propose": {"batch": 4, "references": 2},
        "solve": {"n_difficulty": 4, "reuse_difficulty": True}, "seeding": {"factor": 2, "rounds": 8},
    }  # fmt: skip
    if "domain" not in changed:
        tables |= {"templates": "compact", "python": {"inputs": 4}}
    return Config.model_validate({**tables, **changed})


@dataclass
class Watched:
    """A policy and an executor that write down what they are asked, in order, before they answer."""

    policy: Policy
    executor: Executor
    calls: list[str] = field(default_factory=list)
    prompts: list[list[Prompt]] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    jobs: list[Any] = field(default_factory=list)
    learned: list[Sample] = field(default_factory=list)
    fails: Callable[[Job], bool] = lambda job: False
    """For which jobs the machine fails."""

    def sample(
        self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        self.calls.append(f"sample {len(prompts)}x{n}")
        self.prompts.append(list(prompts))
        self.keys += keys
        return self.policy.sample(prompts, n, sampling, keys)

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        self.calls.append("update")
        self.learned = list(samples)
        return self.policy.update(samples)

    def save(self, folder: Path) -> None:
        self.policy.save(folder)

    def load(self, folder: Path) -> None:
        self.policy.load(folder)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        self.calls.append("run")
        self.jobs += jobs
        outcomes = self.executor.run(jobs)
        failed = Result(Verdict.INFRASTRUCTURE)
        return [
            replace(outcome, results=(failed,) * len(outcome.results)) if self.fails(job) else outcome
            for job, outcome in zip(jobs, outcomes, strict=True)
        ]

    def close(self) -> None:
        self.executor.close()


def watched(executor: Executor, script: Script | None = None) -> Watched:
    return Watched(Scripted(script or Apprentice()), executor)


def task_types(cfg: Config) -> dict[str, TaskType]:
    """The task types of the domain that are played, in their order."""
    domain: Domain = plugins.load("domains", cfg.domain)
    every = {task_type.kind: task_type for task_type in domain.task_types(cfg)}
    return {kind: every[kind] for kind in cfg.kinds}


def components(seen: Watched, cfg: Config, held_out: AbstractSet[str] = frozenset(), **parts: Any) -> Components:
    """All that the loop asks of the world, watched; `parts` are estimators, reward terms or scales."""
    return Components(seen, seen, task_types(cfg), held_out, seeds(cfg), **parts)


def seeds(cfg: Config) -> Sequence[Task]:
    return plugins.load("domains", cfg.domain).seeds()


def empty_buffer(cfg: Config, held_out: AbstractSet[str] = frozenset()) -> Buffer:
    """The buffer of a run that has accepted nothing yet."""
    return Buffer(cfg, task_types(cfg), seeds(cfg), held_out)


def says(text: str) -> Lines:
    """A script that always says the same."""

    def say(prompt: str, random: Random) -> str:
        return text

    return Lines(say)
