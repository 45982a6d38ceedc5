"""Fitting a form to a model and a domain: of the ways to ask, which gives valid proposals and right answers.

Ways are compared by halving: all get a few responses of each kind and role, the better half twice as many, until one is
left. It then solves what it proposed, and a kind with easier settings (`TaskType.easier`) is proposed under those too.
All is asked as in training (`selfplay`); nothing is learned or stored. Whoever stops half-way has what was measured.

Promises: what a way answers depends on the seed and the settings, not on the other ways. Chosen by what is valid and
right; what is only well formed decides between equals. Writes nothing. Floor 4.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast, final

from absolute_zero import selfplay
from absolute_zero.buffer import Buffer
from absolute_zero.components import Timed, domain_of, open_form
from absolute_zero.config import Config
from absolute_zero.evals.jointly import ask_jointly
from absolute_zero.evals.responses import Response, counted
from absolute_zero.evals.suites import first
from absolute_zero.forms import Slot
from absolute_zero.keys import Key
from absolute_zero.ports import Components, Policy
from absolute_zero.types import ProposalRollout, Role, Rollout, Task, UserError

Settings = Mapping[str, Any]
"""Values by key, such as `{"form.examples": 2}`."""

FORMS: Final[Sequence[Settings]] = (
    {"form.template": "chat", "form.examples": 2, "form.opening": "thought", "form.tags": True},
    {"form.template": "chat", "form.examples": 2, "form.opening": "none", "form.tags": False},
    {"form.template": "text", "form.examples": 2, "form.opening": "thought", "form.tags": True},
    {"form.template": "chat", "form.examples": 1, "form.opening": "thought", "form.tags": True},
    {"form.template": "chat", "form.examples": 0, "form.opening": "none", "form.tags": False},
)
"""The ways that are compared, the likeliest first; all are read in the natural form, which reads the strict one, too.
They are few, as reading their prompts is most of the work of a short comparison on a CPU. A model without a chat
template is asked in plain text instead."""
FIRST: Final = 4
"""In the first round a way gets one part in so many of the responses that the last one gets in all."""
ENOUGH: Final = 0.25
"""Where so many proposals of a kind become tasks, its settings are left as they are."""
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
    proposals: Sequence[ProposalRollout] = ()
    """The last ones."""
    lost: int = 0
    """Responses that the machine failed to grade."""

    def score(self, slots: Iterable[Slot]) -> float:
        """Return the mean share of valid proposals and right answers over kinds and roles, and a little for good form;
        where there was nothing to answer, the share is 0."""
        parts = [self.of(*slot) for slot in slots]
        shares = [smoothed(part, "good") + smoothed(part, "well_formed") / 100 if part else 0.0 for part in parts]
        return sum(shares) / max(1, len(shares))

    @property
    def tokens(self) -> int:
        """Tokens of all responses."""
        return sum(response.tokens for responses in self.responses.values() for response in responses)

    def of(self, kind: str, role: Role) -> Sequence[Response]:
        """Return the responses of a kind and role."""
        return self.responses.get((kind, role), ())

    def note(self, slot: Slot, responses: Sequence[Response]) -> None:
        """Add responses to what is known."""
        kept = counted(responses)
        self.lost += len(responses) - len(kept)
        self.responses.setdefault(slot, []).extend(kept)

    def propose(self, n: int, key: Key, policy: Policy) -> list[ProposalRollout]:
        """Ask for n proposals of each kind."""
        cfg = self.cfg.model_copy(update={"propose": self.cfg.propose.model_copy(update={"batch": n})})
        return selfplay.propose(self.parts._replace(policy=policy), self.buffer, cfg, key)

    def take_proposals(self, proposals: Sequence[ProposalRollout]) -> None:
        """Validate proposals, and add them to what is known."""
        self.proposals = proposals
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
        self.load, self._parts = load, self._timed.parts
        self._responses, self._key = responses, Key(seed).at("fitting")
        self._tasks = {
            kind: [own[index] for index in self._key.at("tasks", kind).choose(len(own), responses)]
            for kind, own in tasks.items()
        }
        self._refusal = UserError("there is no way to ask: give some")
        """Why the last way that did not open did not."""
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
        kinds = list(self.ways[0].parts.task_types)
        # Of a kind without tasks of its own each way answers what it proposed: that compares nothing.
        slots = [(kind, role) for kind in kinds for role in Role if role is Role.PROPOSE or self._tasks.get(kind)]
        self.ways.sort(key=lambda way: (-way.rounds, -way.score(slots)))

    def _round(self, ways: Sequence[Way], size: int, start: int, number: int) -> Iterator[str]:
        """Ask all ways for so many more proposals and answers."""
        before, key = sum(way.tokens for way in ways), self._key.at("round", number)
        words = f"{len(ways)} ways to ask" if len(ways) > 1 else describe(ways[0])
        self._timed.lap("sample")
        propose_jointly(ways, size, key, self._parts.policy)
        yield self._asked(size * sum(len(way.parts.task_types) for way in ways), words)
        solve_jointly(ways, [self._next(way, start, size) for way in ways], key, self._parts.policy)
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
        name, size = domain_of(best.cfg).name, self._responses
        proposals = best.of(kind, Role.PROPOSE)
        if sum(response.accepted for response in proposals) >= ENOUGH * len(proposals):
            choices = ()
        ways: list[Way] = []
        for settings in choices:
            way = self._open({**best.settings, **{f"{name}.{key}": value for key, value in settings.items()}})
            if way is not None and way.cfg not in [best.cfg, *(other.cfg for other in ways)]:
                # The kinds that it is shown have to be there; only its own are asked for.
                way.buffer.add([task for tasks in best.accepted.values() for task in tasks if task.kind != kind])
                way.parts = way.parts._replace(task_types={kind: way.parts.task_types[kind]})
                ways.append(way)
        propose_jointly(ways, size, self._key.at("easier", kind), self._parts.policy)
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
        return halving + difficulty + easier * self._responses

    def _open_all(self, forms: Sequence[Settings]) -> Iterator[Way]:
        """Yield the ways that differ, of a model that may have no chat template and a domain without examples.

        Raises UserError, that of the last way, if there is none.
        """
        seen: set[str] = set()
        plain = getattr(self._parts.policy, "chat", None) is None
        for settings in forms:
            chat = settings.get("form.template") == "chat"
            way = self._open(
                {"form.reading": "natural", **settings, **({"form.template": "text"} if plain and chat else {})}
            )
            if way is None:
                continue
            same = way.cfg.form.model_copy(update={"examples": _shown(way)}).model_dump_json()
            if same not in seen:
                seen.add(same)
                yield way
        if not seen:
            raise self._refusal

    def _open(self, settings: Settings) -> Way | None:
        """Return a way to ask; None where these settings do not go with those that are fixed."""
        try:
            cfg = self.load(settings)
            domain = domain_of(cfg)
            known = {task_type.kind: task_type for task_type in domain.task_types(cfg)}
            form = open_form(cfg, self._parts.policy, domain, known)
        except UserError as error:
            self._refusal = error
            return None
        parts = self._parts._replace(task_types={kind: known[kind] for kind in cfg.kinds}, form=form)
        return Way(settings, cfg, parts, Buffer(cfg, parts.task_types, parts.seeds, parts.held_out))


def propose_jointly(ways: Sequence[Way], n: int, key: Key, policy: Policy) -> None:
    """Let all ways propose n tasks of each of their kinds."""
    askers = [partial(way.propose, n, key) for way in ways]
    for way, proposals in zip(ways, ask_jointly(policy, askers), strict=True):
        way.take_proposals(proposals)


def solve_jointly(ways: Sequence[Way], tasks: Sequence[Sequence[Task]], key: Key, policy: Policy) -> None:
    """Let each way answer its tasks, once."""
    askers = [partial(way.solve, own, 1, key) for way, own in zip(ways, tasks, strict=True)]
    for way, rollouts in zip(ways, ask_jointly(policy, askers), strict=True):
        way.take_solutions(rollouts)


def rounds(ways: int, responses: int) -> list[tuple[int, int]]:
    """Return how many ways are left in each round of halving, and how many responses each then gets of each slot.

    >>> rounds(5, 16), rounds(1, 3)
    ([(5, 4), (3, 4), (2, 8)], [(1, 3)])
    """
    plan: list[tuple[int, int]] = []
    left: int = ways
    drawn: int = 0
    size: int = responses if ways == 1 else max(1, responses // FIRST)
    while drawn < responses:
        plan.append((left, size))
        drawn, left = drawn + size, (left + 1) // 2
        size = responses - drawn if left == 1 else min(drawn, responses - drawn)
    return plan


def easier_of(task_type: Any) -> Sequence[Settings]:
    """Return the easier settings of a task type, if it has any. Raises UserError for what is none."""
    easier: Any = getattr(task_type, "easier", ())
    if not isinstance(easier, Sequence) or not all(isinstance(it, Mapping) for it in cast("Sequence[Any]", easier)):
        wrong = f"task type {task_type.kind!r}: easier is {easier!r:.60}"
        raise UserError(f"{wrong}: give a sequence of settings, such as ({{'rows': 4}},)")
    return cast("Sequence[Settings]", easier)


def _shown(way: Way) -> int:
    """Return how many worked examples there are before a prompt."""
    return max((len(examples) for examples in way.parts.form.examples.values()), default=0)


def describe(way: Way) -> str:
    """Return a way to ask in words."""
    form, shown = way.cfg.form, _shown(way)
    template = {"chat": "chat template", "text": "plain text", "auto": "own template"}[form.template]
    examples = "no example" if not shown else "1 example" if shown == 1 else f"{shown} examples"
    opening = {"none": "", "thought": ", thought opened" if form.tags else "", "fence": ", block opened"}[form.opening]
    return f"{template}, {examples}{opening}{'' if form.tags else ', no tags'}"
