"""What a fitting comes to: which kinds can start, under which settings, and what a step then costs on this machine.

Promises: pure but for `time_update`, after which the model is another. Times are estimates from what was measured: a
step's responses by their mean lengths, at the speed of the last round; evaluations are not in them. Floor 4.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, final

from absolute_zero.config import Config, from_json
from absolute_zero.evals.fitting import Fitting, Settings, Way, smoothed
from absolute_zero.evals.responses import Response, failures, mean_tokens, share
from absolute_zero.training import REMEDIES
from absolute_zero.types import Role, Rollout, Sample, UserError

MOSTLY: Final = 0.9
"""Where so much of what is good is strict as well, the strict form is read."""
TIMED: Final = 16
"""Responses whose update is timed, at most; a quarter of them are proposals, whose update before it warms up."""


@final
@dataclass(frozen=True, slots=True)
class Advice:
    """How to train this model on this domain."""

    cfg: Config
    """Whole settings, with the kinds that can start; with all of them if none can."""
    ways: Mapping[str, Way]
    """Those kinds, each with the way whose proposals speak for it."""
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


def advise(fitting: Fitting, whole: bool = True) -> Advice:
    """Return what to train with, by the way that is ahead and the easier settings of its kinds.

    A kind none of whose proposals became a task is left out, unless the measuring is not `whole`.
    """
    best = fitting.ways[0]
    settings = dict(best.settings)
    ways: dict[str, Way] = {}
    left_out: dict[str, str] = {}
    for kind, task_type in best.parts.task_types.items():
        way = _easiest(kind, best, fitting.easier.get(kind, ()))
        responses = way.of(kind, Role.PROPOSE)
        if task_type.sources and not {*task_type.sources} & {*best.parts.task_types} - {*left_out}:
            left_out[kind] = "no kind that it is shown can start"
        elif whole and not any(response.accepted for response in responses):
            left_out[kind] = _none_accepted(responses, way)
        else:
            ways[kind] = way
            settings |= {key: value for key, value in way.settings.items() if key not in settings}
    return Advice(_settings(fitting, settings, best, list(ways)), ways, left_out)


def _easiest(kind: str, best: Way, easier: Sequence[Way]) -> Way:
    """Return the way whose proposals of a kind become tasks most often."""
    return max((best, *easier), key=lambda way: share(way.of(kind, Role.PROPOSE), "accepted").value)


def _none_accepted(responses: Sequence[Response], way: Way) -> str:
    if not responses:
        return f"the machine failed on all of its proposals ({way.lost}): look at the executor"
    reasons = failures(responses)
    text = f"0 of {len(responses)} proposals became tasks"
    text += f" ({', '.join(f'{reason} {count}' for reason, count, _ in reasons)})" if reasons else ""
    remedy = REMEDIES.get(reasons[0][0]) if reasons else None
    return f"{text}; {remedy}" if remedy else text


def _settings(fitting: Fitting, settings: Settings, best: Way, kinds: Sequence[str]) -> Config:
    """Return the whole settings; read strictly where nearly all that is good is strict, and where that may be set."""
    good = [response for responses in best.responses.values() for response in responses if response.good]
    strict = best.cfg.form.tags and good and sum(response.strict for response in good) >= MOSTLY * len(good)
    try:
        cfg = fitting.load({**settings, "form.reading": "strict"} if strict else settings)
    except UserError:  # it does not go with what the user set
        cfg = fitting.load(settings)
    if not kinds or tuple(kinds) == cfg.kinds:
        return cfg
    return from_json(cfg.model_copy(update={"kinds": tuple(kinds)}).model_dump_json(), "these settings")


# --- cost ---------------------------------------------------------------------------------------------------


def time_update(way: Way) -> float:
    """Return the seconds that an update takes for each token of a response, of proposals and solutions as they came.

    It is the second one, and learns nothing worth having: the model is not to be asked afterwards.
    """
    few = TIMED // 4
    proposals = [(it.prompt, it.completion) for it in way.proposals[:: max(1, len(way.proposals) // few)]][:few]
    asked = [*proposals, *((it.prompt, it.completion) for it in _mixed(way.rollouts))]
    samples = [
        Sample(prompt, completion, 1.0 if number % 2 else -1.0)
        for number, (prompt, completion) in enumerate(asked)
        if completion.tokens
    ][:TIMED]
    way.parts.policy.update(samples[:few])
    since = time.perf_counter()
    way.parts.policy.update(samples)
    return (time.perf_counter() - since) / max(1, sum(len(sample.completion.tokens) for sample in samples))


def _mixed(rollouts: Iterable[Rollout]) -> Iterator[Rollout]:
    """Yield the answers task by task, the first task of each kind first."""
    tasks: dict[str, dict[int, list[Rollout]]] = {}
    for rollout in rollouts:
        tasks.setdefault(rollout.kind, {}).setdefault(rollout.item, []).append(rollout)
    for layer in zip_longest(*(own.values() for own in tasks.values()), fillvalue=()):
        for answers in layer:
            yield from answers


def cost_of(advice: Advice, best: Way, update: float) -> Cost:
    """Return what a step costs under the settings, with `update` seconds for each token that is trained on."""
    cfg = advice.cfg
    batch, solve, wanted = cfg.propose.batch, cfg.solve, cfg.propose.batch * cfg.seeding.factor
    responses = tokens = trained = round_ = rounds = 0.0
    for kind, way in advice.ways.items():
        proposals, solutions = way.of(kind, Role.PROPOSE), best.of(kind, Role.SOLVE)
        rate = smoothed(proposals, "accepted")
        difficulty = batch * rate * solve.n_difficulty
        practice = batch * (1 - rate if solve.reuse_difficulty else 1) * solve.n_practice
        learned = practice + (difficulty if solve.reuse_difficulty else 0)
        responses += batch + difficulty + practice
        tokens += batch * mean_tokens(proposals) + (difficulty + practice) * mean_tokens(solutions)
        trained += batch * mean_tokens(proposals) + learned * mean_tokens(solutions)
        # Every kind is asked for until none is short.
        round_ += batch * mean_tokens(proposals)
        rounds = max(rounds, min(cfg.seeding.rounds, wanted / (batch * rate)))
    return Cost(responses, tokens, tokens / best.speed, trained * update, rounds * round_ / best.speed)
