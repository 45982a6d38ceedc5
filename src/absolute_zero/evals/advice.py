"""What a fitting comes to: which kinds can start, under which settings, and what a step then costs on this machine.

Promises: pure but for `time_update`, after which the model is another. Times are estimates from what was measured: a
step's responses by their mean lengths, at the speed of the last round. Floor 4.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from absolute_zero.config import Config
from absolute_zero.evals.fitting import Fitting, Way, smoothed
from absolute_zero.evals.responses import Response, failures, mean_tokens, share
from absolute_zero.training import REMEDIES
from absolute_zero.types import Role, Sample

MOSTLY = 0.9
"""Where so much of what is good is strict as well, the strict form is read."""
TIMED = 24
"""Responses whose update is timed, at most."""


@final
@dataclass(frozen=True, slots=True)
class Advice:
    """How to train this model on this domain."""

    settings: Mapping[str, Any]
    """Over those that were given."""
    kinds: Sequence[str]
    """Those that can start."""
    left_out: Mapping[str, str]
    """The other kinds, each with why not."""


@final
@dataclass(frozen=True, slots=True)
class Cost:
    """What a step takes, in responses, tokens and seconds."""

    responses: float
    tokens: float
    sampling: float
    """Seconds, as are the next two."""
    update: float
    seeding: float
    """All of it, before the first step."""

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return self.sampling + self.update


def advise(fitting: Fitting) -> Advice:
    """Return what to train with, by the way that is ahead and the easier settings of its kinds."""
    best = fitting.ways[0]
    settings = dict(best.settings)
    kinds: list[str] = []
    left_out: dict[str, str] = {}
    for kind, task_type in best.parts.task_types.items():
        way = max((best, *fitting.easier.get(kind, ())), key=lambda it: smoothed(_proposals(it, kind), "good"))
        responses = _proposals(way, kind)
        rounds, accepted = best.cfg.seeding.rounds, sum(response.accepted for response in responses)
        if task_type.sources and not {*task_type.sources} - {*left_out}:
            left_out[kind] = "no kind that it is shown can start"
        elif accepted * rounds < len(responses) or not accepted:
            left_out[kind] = _too_few(responses, accepted)
        else:
            kinds.append(kind)
            settings |= {key: value for key, value in way.settings.items() if key not in settings}
    if settings.get("form.tags", True) and _mostly_strict(best):
        settings["form.reading"] = "strict"
    return Advice(settings, kinds, left_out)


def _proposals(way: Way, kind: str) -> Sequence[Response]:
    return way.responses.get((kind, Role.PROPOSE), ())


def _too_few(responses: Sequence[Response], accepted: int) -> str:
    reasons = failures(responses)
    text = f"{accepted} of {len(responses)} proposals became tasks"
    text += f" ({', '.join(f'{reason} {count}' for reason, count, _ in reasons)})" if reasons else ""
    remedy = REMEDIES.get(reasons[0][0]) if reasons else None
    return f"{text}; {remedy}" if remedy else text


def _mostly_strict(way: Way) -> bool:
    good = [response for responses in way.responses.values() for response in responses if response.good]
    return bool(good) and sum(response.strict for response in good) >= MOSTLY * len(good)


# --- cost ---------------------------------------------------------------------------------------------------


def time_update(way: Way) -> float:
    """Return the seconds that an update takes for each token of a response. It is the second one, and learns nothing
    worth having: the model is not to be asked afterwards."""
    samples = [
        Sample(rollout.prompt, rollout.completion, 1.0 if number % 2 else -1.0)
        for number, rollout in enumerate(way.rollouts[: TIMED + TIMED // 4])
        if rollout.completion.tokens
    ]
    first, rest = samples[: TIMED // 4], samples[TIMED // 4 :]
    way.parts.policy.update(first)
    since = time.perf_counter()
    way.parts.policy.update(rest or first)
    seconds = time.perf_counter() - since
    return seconds / max(1, sum(len(sample.completion.tokens) for sample in rest or first))


def cost_of(way: Way, cfg: Config, kinds: Sequence[str], update: float) -> Cost:
    """Return what a step costs under these settings, with `update` seconds for each token that is trained on."""
    batch, solve = cfg.propose.batch, cfg.solve
    responses = tokens = trained = seeding = 0.0
    for kind in kinds:
        proposals, solutions = _proposals(way, kind), way.responses.get((kind, Role.SOLVE), ())
        rate = share(proposals, "accepted").value if proposals else 0.0
        difficulty = batch * rate * solve.n_difficulty
        practice = batch * (1 - rate if solve.reuse_difficulty else 1) * solve.n_practice
        learned = practice + (difficulty if solve.reuse_difficulty else 0)
        responses += batch + difficulty + practice
        tokens += batch * mean_tokens(proposals) + (difficulty + practice) * mean_tokens(solutions)
        trained += batch * mean_tokens(proposals) + learned * mean_tokens(solutions)
        rounds = min(cfg.seeding.rounds, math.ceil(cfg.seeding.factor / rate) if rate else cfg.seeding.rounds)
        seeding += rounds * batch * mean_tokens(proposals)
    return Cost(responses, tokens, tokens / way.speed, trained * update, seeding / way.speed)
