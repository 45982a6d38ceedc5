"""Small worlds for tests of the story: the apprentice of straight lines, a real sandbox, and eyes on every call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy.scripted import Apprentice, Lines, Script, Scripted
from absolute_zero.ports import Components, Executor, Policy
from absolute_zero.tasks import make_tasks
from absolute_zero.types import Completion, Job, Outcome, Result, Sample, Sampling, Verdict


def settings(**changed: Any) -> Config:
    """Four proposals of each kind, four trials each; `changed` replaces whole sections."""
    given: dict[str, Any] = {
        "seed": 7, "steps": 5, "templates": "compact", "propose": {"batch": 4, "inputs": 4, "references": 2},
        "solve": {"trials": 4, "reuse_trials": True}, "seeding": {"factor": 2, "rounds": 8},
    }  # fmt: skip
    return Config.model_validate({**given, **changed})


@dataclass
class Watched:
    """A policy and an executor that write down what they are asked, in order, before they answer."""

    policy: Policy
    executor: Executor
    calls: list[str] = field(default_factory=list)
    prompts: list[list[str]] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    learned: list[Sample] = field(default_factory=list)
    fails: Callable[[Job], bool] = lambda job: False
    """For which jobs the machine fails."""

    def sample(
        self, prompts: Sequence[str], tries: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        self.calls.append(f"sample {len(prompts)}x{tries}")
        self.prompts.append(list(prompts))
        self.keys += keys
        return self.policy.sample(prompts, tries, sampling, keys)

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


def watched(executor: Executor, script: Script | None = None) -> Watched:
    return Watched(Scripted(script or Apprentice()), executor)


def world(seen: Watched, cfg: Config) -> Components:
    return Components(policy=seen, executor=seen, tasks=make_tasks(cfg))


def says(text: str) -> Lines:
    """A script that always says the same."""

    def say(prompt: str, random: Random) -> str:
        return text

    return Lines(say)
