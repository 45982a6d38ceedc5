"""Several askers in one call: a policy is much faster with many prompts at once than with few at a time.

An asker is a pure function of what a policy answers, such as `selfplay.propose`. It is called twice: first to hear what
it asks, then with the answers. Floor 4.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, final

from absolute_zero.keys import Key
from absolute_zero.ports import Policy
from absolute_zero.types import Completion, Prompt, Sample, Sampling

Result = TypeVar("Result")
_UNASKED = Completion("", (), (), truncated=True)
"""What stands for an answer while an asker is only listened to: it is like that to a prompt too long."""


@final
class _Asked:
    """A policy that is asked once: it notes the call, and answers it when the answers are there."""

    def __init__(self) -> None:
        self.prompts: Sequence[Prompt] = ()
        self.keys: Sequence[Key] = ()
        self.manner = (1, Sampling())
        self.answers: list[list[Completion]] | None = None

    def sample(
        self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """Return the answers, or what stands for them."""
        if self.answers is not None:
            return self.answers
        self.prompts, self.keys, self.manner = prompts, keys, (n, sampling)
        return [[_UNASKED] * n for _ in prompts]

    def update(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Refuse: askers learn nothing."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Refuse, as `update`."""
        raise NotImplementedError

    def load(self, folder: Path) -> None:
        """Refuse, as `update`."""
        raise NotImplementedError


def ask_jointly(policy: Policy, askers: Sequence[Callable[[Policy], Result]]) -> list[Result]:
    """Return what each asker comes to, where each calls `sample` once; those that sample alike share a call."""
    asked = [_Asked() for _ in askers]
    for asker, own in zip(askers, asked, strict=True):
        asker(own)
    for manner in dict.fromkeys(own.manner for own in asked):
        alike = [own for own in asked if own.manner == manner]
        prompts = [prompt for own in alike for prompt in own.prompts]
        n, sampling = manner
        answers = iter(policy.sample(prompts, n, sampling, [key for own in alike for key in own.keys]))
        for own in alike:
            own.answers = [next(answers) for _ in own.prompts]
    return [asker(own) for asker, own in zip(askers, asked, strict=True)]
