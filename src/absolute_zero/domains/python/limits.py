"""What a program may use while it runs for a task."""

from collections.abc import Sequence
from dataclasses import dataclass

from absolute_zero.types import Job


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use, for each input by itself."""

    cpu_seconds: float = 1.0
    """Of an answer. A proposal has half of it: so a program that was accepted does not fail later by running late."""
    memory_mb: int = 256
    value_bytes: int = 65_536
    """Length of the text of an output, and of a proposed input: what is over it would fill the prompts it comes in."""

    def job(self, program: str, inputs: Sequence[str], deterministic: bool = False, golds: Sequence[str] = ()) -> Job:
        """Return a job within these limits.

        Outputs may be as long as the longest of `golds`, which may come from outside.
        """
        most = max([self.value_bytes, *(len(gold.encode()) for gold in golds)])
        seconds = self.proposal_seconds if deterministic else self.cpu_seconds
        return Job(program, tuple(inputs), deterministic, seconds, self.memory_mb, most)

    @property
    def proposal_seconds(self) -> float:
        """What a proposed program may take."""
        return self.cpu_seconds / 2
