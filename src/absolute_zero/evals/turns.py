"""A turn of the game, as in training, with nothing learned and nothing stored: what `azr play` shows.

A model proposes a task of each kind; it is validated, and what is accepted is solved by the same model, as often as a
new task is in training, and pays its proposer. Floor 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from absolute_zero import selfplay
from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.evals.suites import require_played
from absolute_zero.keys import Key
from absolute_zero.ports import Components
from absolute_zero.types import Grade, Rollout, Sampling, Task


@final
@dataclass(frozen=True, slots=True)
class Turn:
    """A proposal and what came of it."""

    proposal: Rollout
    """With its reward."""
    result: Task | Grade
    """The accepted task with its outcome, or why there is none."""
    solutions: Sequence[Rollout] = ()
    """Of the accepted task."""


def propose_and_solve(
    kinds: Sequence[str], parts: Components, buffer: Buffer, cfg: Config, sampling: Sampling, key: Key
) -> list[Turn]:
    """Return a turn of each kind. Raises UserError for a kind that is not played."""
    parts = parts._replace(task_types={kind: require_played(kind, parts) for kind in kinds})
    cfg = _one_each(cfg, sampling)
    validations = selfplay.validate(1, selfplay.propose(parts, buffer, cfg, key), parts, buffer, cfg)
    accepted = [validation.task for validation in validations if validation.task]
    solutions = selfplay.solve(accepted, cfg.solve.n_difficulty, parts, sampling, key)
    fresh = {task.id: task for task in selfplay.with_outcomes(accepted, solutions)}
    proposals = selfplay.reward_proposals(validations, list(fresh.values()), cfg)
    turns: list[Turn] = []
    for validation, proposal in zip(
        validations, selfplay.compute_rewards(proposals, list(fresh.values()), 1, parts, cfg), strict=True
    ):
        result = validation.result if isinstance(validation.result, Grade) else fresh[proposal.task]
        turns.append(Turn(proposal, result, [s for s in solutions if proposal.task and s.task == proposal.task]))
    return turns


def _one_each(cfg: Config, sampling: Sampling) -> Config:
    """Return settings that propose one task of a kind, sampled like this."""
    section = cfg.sampling.model_copy(update={"temperature": sampling.temperature, "top_p": sampling.top_p})
    return cfg.model_copy(update={"propose": cfg.propose.model_copy(update={"batch": 1}), "sampling": section})
