"""Fitting a form to a model and a domain: of the ways to ask, which gives valid proposals and right answers.

Ways are compared by halving: all get a few responses of each kind and role, the better half twice as many, until one is
left. It then solves what it proposed, and a kind with easier settings (`TaskType.easier`) is proposed under those too.
All is asked as in training (`selfplay`); nothing is learned or stored. Whoever stops half-way has what was measured.

Promises: what a way answers depends on the seed and the settings, not on the other ways. Chosen by what is valid and
right; what is only well formed decides between equals. Writes nothing. Floor 4.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast, final

from absolute_zero import selfplay
from absolute_zero.buffer import Buffer
from absolute_zero.components import Timed, domain_of, open_form
from absolute_zero.config import Config
from absolute_zero.evals.jointly import ask_jointly
from absolute_zero.evals.responses import Response, counted, share
from absolute_zero.evals.suites import first
from absolute_zero.forms import Slot
from absolute_zero.keys import Key
from absolute_zero.ports import Components, Policy
from absolute_zero.types import ProposalRollout, Role, Rollout, Task, UserError

Settings = Mapping[str, Any]
"""Values by key, such as `{"form.examples": 2}`."""

FORMS: Final[Sequence[Settings]] = (
    {"form.template": "chat", "form.examples": 2, "form.opening": "thought", "form.tags": True},
    {"form.template": "chat", "form.examples": 2, "form.opening": "none", "form.tags": True},
    {"form.template": "text", "form.examples": 2, "form.opening": "thought", "form.tags": True},
    {"form.template": "chat", "form.examples": 1, "form.opening": "thought", "form.tags": True},
    {"form.template": "chat", "form.examples": 2, "form.opening": "none", "form.tags": False},
    {"form.template": "chat", "form.examples": 0, "form.opening": "none", "form.tags": False},
    {"form.template": "text", "form.examples": 1, "form.opening": "thought", "form.tags": True},
    {"form.template": "text", "form.examples": 0, "form.opening": "thought", "form.tags": True},
)
"""The ways that are compared, the likeliest first; all are read in the natural form, which reads the strict one."""
FIRST: Final = 8
"""In the first round a way gets one part in so many of the responses that the last one gets in all."""
TASKS: Final = 8
"""Accepted tasks of a kind whose difficulty is measured, at most."""


@final
@dataclass(slots=True)
class Way:
    """One way to ask, and how its responses fared."""

    settings: Settings
    """Over those of the recipe."""
    cfg: Config
    parts: Components
    buffer: Buffer
    responses: dict[Slot, list[Response]] = field(default_factory=dict[Slot, list[Response]])
    accepted: dict[str, list[Task]] = field(default_factory=dict[str, list[Task]])
    """By kind."""
    solved: list[Task] = field(default_factory=list[Task])
    """Some of these with their outcomes, once difficulty was measured."""
    rollouts: Sequence[Rollout] = ()
    """The last answers: to these, or before to other tasks."""
    rounds: int = 0
    """Rounds that it has been through."""
    speed: float = math.nan
    """Tokens sampled a second, in the last of them."""

    @property
    def score(self) -> float:
        """The mean share of valid proposals and right answers over kinds and roles, and a little for good form."""
        shares = [smoothed(part, "good") + smoothed(part, "well_formed") / 100 for part in self.responses.values()]
        return sum(shares) / len(shares) if shares else -math.inf

    @property
    def tokens(self) -> int:
        """Tokens of all responses."""
        return sum(response.tokens for responses in self.responses.values() for response in responses)

    def note(self, slot: Slot, responses: Sequence[Response]) -> None:
        """Add responses to what is known."""
        self.responses.setdefault(slot, []).extend(counted(responses))

    def propose(self, n: int, key: Key, policy: Policy) -> list[ProposalRollout]:
        """Ask for n proposals of each kind."""
        cfg = self.cfg.model_copy(update={"propose": self.cfg.propose.model_copy(update={"batch": n})})
        return selfplay.propose(self.parts._replace(policy=policy), self.buffer, cfg, key)

    def take_proposals(self, proposals: Sequence[ProposalRollout]) -> None:
        """Validate proposals, and add them to what is known."""
        validations = selfplay.validate(1, proposals, self.parts, self.buffer, self.cfg)
        self.buffer.add([validation.task for validation in validations if validation.task])
        for kind in self.parts.task_types:
            own = [validation for validation in validations if validation.proposal.kind == kind]
            self.note((kind, Role.PROPOSE), [Response.of_validation(validation) for validation in own])
            self.accepted.setdefault(kind, []).extend(v.task for v in own if v.task)

    def solve(self, tasks: Sequence[Task], n: int, key: Key, policy: Policy) -> list[Rollout]:
        """Ask for n answers to each task."""
        parts = self.parts._replace(policy=policy)
        return selfplay.solve(tasks, n, parts, self.cfg.sampling.drawing, key)

    def take_solutions(self, rollouts: Sequence[Rollout]) -> None:
        """Add answers to what is known."""
        self.rollouts = rollouts
        for rollout in rollouts:
            self.note((rollout.kind, Role.SOLVE), [Response.of_rollout(rollout)])


def smoothed(responses: Sequence[Response], of: str) -> float:
    """Return a share that is never quite 0 or 1: half a response more of either."""
    return (sum(getattr(response, of) for response in responses) + 0.5) / (len(responses) + 1)


@final
class Fitting:
    """The comparison of all ways. `steps` measures, and yields after each batch how many responses there are."""

    def __init__(
        self,
        load: Callable[[Settings], Config],
        parts: Components,
        tasks: Mapping[str, Sequence[Task]],
        responses: int,
        seed: int,
        forms: Sequence[Settings] = FORMS,
    ) -> None:
        """`load` gives the settings with others over them; `tasks` are those to answer, by kind: of a kind without
        any, a way answers its own proposals. The way that is left gets `responses` of each kind and role."""
        self._timed = Timed(parts)
        self._load, self._parts = load, self._timed.parts
        self._responses, self._key = responses, Key(seed).at("fitting")
        self._tasks = {
            kind: [own[index] for index in self._key.at("tasks", kind).choose(len(own), responses)]
            for kind, own in tasks.items()
        }
        self.ways = list(self._open_all(forms))
        """The best first, as far as is known."""
        self.easier: dict[str, list[Way]] = {}
        """By kind: proposals under its easier settings."""
        self._rounds = rounds(len(self.ways), responses)
        self.asked, self.total = 0, self._work()

    def steps(self) -> Iterator[str]:
        """Measure, batch after batch; yield after each what was asked."""
        start = 0
        for number, (left, size) in enumerate(self._rounds):
            yield from self._round(self.ways[:left], size, start, number)
            start += size
            self.rank()
        best = self.ways[0]
        yield from self._measure_difficulty(best)
        for kind, task_type in best.parts.task_types.items():
            yield from self._try_easier(best, kind, easier_of(task_type))
        self.total = self.asked

    def rank(self) -> None:
        """Put the ways in order: those that were given more responses first, as they were ahead; then by score."""
        self.ways.sort(key=lambda way: (-way.rounds, -way.score))

    def _round(self, ways: Sequence[Way], size: int, start: int, number: int) -> Iterator[str]:
        """Ask all ways for so many more proposals and answers."""
        before, key = sum(way.tokens for way in ways), self._key.at("round", number)
        words = f"{len(ways)} ways to ask" if len(ways) > 1 else describe(ways[0].cfg)
        self._timed.lap("sample")
        askers = [partial(way.propose, size, key) for way in ways]
        for way, proposals in zip(ways, ask_jointly(self._parts.policy, askers), strict=True):
            way.take_proposals(proposals)
        yield self._asked(size * sum(len(way.parts.task_types) for way in ways), words)
        askers = [partial(way.solve, self._next(way, start, size), 1, key) for way in ways]
        for way, rollouts in zip(ways, ask_jointly(self._parts.policy, askers), strict=True):
            way.take_solutions(rollouts)
        speed = (sum(way.tokens for way in ways) - before) / max(1e-9, self._timed.lap("sample"))
        for way in ways:
            way.speed, way.rounds = speed, way.rounds + 1
        yield self._asked(sum(len(way.rollouts) for way in ways), words)

    def _next(self, way: Way, start: int, size: int) -> list[Task]:
        """Return the next tasks of each kind to answer, over and over where there are too few."""
        pools = [self._tasks.get(kind) or way.accepted.get(kind, ()) for kind in way.parts.task_types]
        return [pool[(start + i) % len(pool)] for pool in pools if pool for i in range(size)]

    def _measure_difficulty(self, best: Way) -> Iterator[str]:
        """Let the way that is left solve some of what it proposed, as often as training does."""
        tasks = first((task for tasks in best.accepted.values() for task in tasks), TASKS)
        rollouts = best.solve(tasks, best.cfg.solve.n_difficulty, self._key.at("difficulty"), self._parts.policy)
        best.solved, best.rollouts = selfplay.with_outcomes(tasks, rollouts), rollouts or best.rollouts
        yield self._asked(len(rollouts), "solving what it proposed")

    def _try_easier(self, best: Way, kind: str, choices: Sequence[Settings]) -> Iterator[str]:
        """Propose a kind under other settings of its domain."""
        name, size = domain_of(best.cfg).name, max(1, self._responses // 2)
        ways: list[Way] = []
        for settings in choices:
            way = self._open({**best.settings, **{f"{name}.{key}": value for key, value in settings.items()}})
            if way is not None:
                # The kinds that it is shown have to be there; only its own are asked for.
                way.buffer.add([task for tasks in best.accepted.values() for task in tasks if task.kind != kind])
                way.parts = way.parts._replace(task_types={kind: way.parts.task_types[kind]})
                ways.append(way)
        askers = [partial(way.propose, size, self._key.at("easier", kind)) for way in ways]
        for way, proposals in zip(ways, ask_jointly(self._parts.policy, askers), strict=True):
            way.take_proposals(proposals)
        if ways:
            self.easier[kind] = ways
            yield self._asked(size * len(ways), f"{kind} with other settings")

    def _asked(self, responses: int, words: str) -> str:
        self.asked += responses
        self.total = max(self.total, self.asked)
        return words

    def _work(self) -> int:
        """Return about how many responses all of this takes."""
        task_types = self.ways[0].parts.task_types
        halving = sum(left * size for left, size in self._rounds) * len(task_types) * len(Role)
        easier = sum(len(easier_of(task_type)) for task_type in task_types.values())
        difficulty = len(task_types) * min(TASKS, self._responses // 2) * self.ways[0].cfg.solve.n_difficulty
        return halving + difficulty + easier * max(1, self._responses // 2)

    def _open_all(self, forms: Sequence[Settings]) -> Iterator[Way]:
        """Yield the ways that differ, of a model that may have no chat template and a domain without examples."""
        seen: set[str] = set()
        for settings in forms:
            if settings.get("form.template") == "chat" and getattr(self._parts.policy, "chat", None) is None:
                continue
            way = self._open({"form.reading": "natural", **settings})
            if way is None:
                continue
            shown = [len(examples) for examples in way.parts.form.examples.values()]
            same = (way.cfg.form.model_copy(update={"examples": max(shown, default=0)})).model_dump_json()
            if same not in seen:
                seen.add(same)
                yield way

    def _open(self, settings: Settings) -> Way | None:
        """Return a way to ask; None where these settings do not go with those that are fixed."""
        try:
            cfg = self._load(settings)
            domain = domain_of(cfg)
            known = {task_type.kind: task_type for task_type in domain.task_types(cfg)}
            form = open_form(cfg, self._parts.policy, domain, known)
        except UserError:
            return None
        parts = self._parts._replace(task_types={kind: known[kind] for kind in cfg.kinds}, form=form)
        return Way(settings, cfg, parts, Buffer(cfg, parts.task_types, parts.seeds, parts.held_out))


def rounds(ways: int, responses: int) -> list[tuple[int, int]]:
    """Return how many ways are left in each round of halving, and how many responses each then gets of each slot.

    >>> rounds(8, 32), rounds(1, 3)
    ([(8, 4), (4, 4), (2, 8), (1, 16)], [(1, 3)])
    """
    plan: list[tuple[int, int]] = []
    left: int = ways
    drawn: int = 0
    size: int = responses if ways == 1 else max(1, responses // FIRST)
    while drawn < responses:
        plan.append((left, size))
        drawn, left = drawn + size, max(1, left // 2)
        size = responses - drawn if left == 1 else min(drawn, responses - drawn)
    return plan


def easier_of(task_type: Any) -> Sequence[Settings]:
    """Return the easier settings of a task type, if it has any. Raises UserError for what is none."""
    easier: Any = getattr(task_type, "easier", ())
    if not isinstance(easier, Sequence) or not all(isinstance(it, Mapping) for it in cast("Sequence[Any]", easier)):
        wrong = f"task type {task_type.kind!r}: easier is {easier!r:.60}"
        raise UserError(f"{wrong}: give a sequence of settings, such as ({{'rows': 4}},)")
    return cast("Sequence[Settings]", easier)


def describe(cfg: Config) -> str:
    """Return a way to ask in words."""
    form = cfg.form
    template = {"chat": "chat template", "text": "plain text", "auto": "own template"}[form.template]
    examples = ("no example", "1 example")[form.examples] if form.examples < 2 else f"{form.examples} examples"
    opening = {"none": "", "thought": ", thought opened", "fence": ", block opened"}[form.opening]
    return f"{template}, {examples}{opening}{'' if form.tags else ', no tags'}"


def rates(way: Way) -> dict[str, Any]:
    """Return the shares of a way by kind and role, as records have them."""
    return {
        f"{role}/{kind}": {
            "n": len(responses),
            **{of: [round(value, 4) for value in share(responses, of)] for of in ("well_formed", "good", "strict")},
        }
        for (kind, role), responses in way.responses.items()
    }
