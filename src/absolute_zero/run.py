"""A run on disk: its folder, its lock, its checkpoints, and how it goes on after anything (paper section 4.1).

    runs/NAME/config.json       the settings, resolved
              run.db            everything that happened (`absolute_zero.store`)
              checkpoints/N/    the policy after step N, a Hugging Face folder
              lock              held while a process works here
    runs/latest                 the newest run

Promises: whatever is killed when, `resume` finds a whole checkpoint and a store that ends with it, and the run goes on
as if nothing had happened. A checkpoint is written aside, synced with its folder, renamed, and named with its digest
in the transaction of its step. Never writes into a folder that another process works in, or goes on with a run of
another version of Python, whose programs may give other values. Knows nothing of signals or screens. Floor 5.
"""

import os
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final, Self, final

from absolute_zero import selfplay
from absolute_zero.buffer import Buffer, held_out
from absolute_zero.config import Config
from absolute_zero.disk import digest_of, explained, locked, sync, sync_folder, write
from absolute_zero.evals.triplets import suite_files
from absolute_zero.executor import Sandbox
from absolute_zero.keys import Key
from absolute_zero.ports import Components, Policy
from absolute_zero.store import Checkpoint, StepExtras, Store
from absolute_zero.tasks import make_tasks
from absolute_zero.types import Completion, Job, Outcome, Sample, Sampling, Step, UserError

CONFIG, DATABASE, CHECKPOINTS, LATEST = "config.json", "run.db", "checkpoints", "latest"
REMEDY = "bring it back from a copy"
EMBEDDED, SCRIPTED = "embedded", "scripted"
"""Models that are no paths."""
WEIGHTS: Final = Path(str(files("absolute_zero"))) / "embedded" / "weights"
"""The model in the package, a Hugging Face folder."""
PYTHON: Final = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""What the sandbox runs: the interpreter of this process."""
KEPT: Final = 2
"""Checkpoints that stay: the newest, and the one before in case the newest is damaged."""


@final
class Run:
    """An open run. Make one with `begin` or `resume`, as a context manager."""

    def __init__(self, folder: Path, cfg: Config, store: Store, never: Set[str], stack: ExitStack) -> None:
        self.folder, self.cfg, self.store = folder, cfg, store
        self.never = never
        """Digests of the programs that never enter a buffer: those of the settings, and of the suites."""
        self._stack = stack

    @classmethod
    def begin(cls, cfg: Config, root: Path, name: str | None = None) -> Self:
        """A new folder under `root`: `name`, or the next number. Raises UserError if it is there, or cannot be made,
        and for held-out files that cannot be read. Relative paths in the settings are taken from here, for good."""
        cfg = _anchored(cfg)
        never = _never(cfg)
        with explained(root):
            root.mkdir(parents=True, exist_ok=True)
            folder = _new(root, name)
            (folder / CHECKPOINTS).mkdir()
            write(folder / CONFIG, cfg.model_dump_json(indent=2) + "\n")
            _point(root / LATEST, folder.name)
        return cls._open(folder, cfg, never)

    @classmethod
    def resume(cls, folder: Path) -> Self:
        """The run in this folder. Raises UserError if there is none, it is damaged, or somebody works in it."""
        folder = resolve(folder)
        cfg = settings_of(folder)
        return cls._open(folder, cfg, _never(cfg))

    @classmethod
    def _open(cls, folder: Path, cfg: Config, never: Set[str]) -> Self:
        with ExitStack() as stack:
            stack.enter_context(locked(folder))
            store = stack.enter_context(Store.open(folder / DATABASE, cfg.store.rollouts))
            if store.last_step() is None and any((folder / CHECKPOINTS).glob("*")):  # a new run would delete them
                raise UserError(f"{folder / DATABASE} is missing or empty, and checkpoints are not: {REMEDY}")
            python = store.run("python")
            if python is None:
                store.set_run("python", PYTHON)
            elif python != PYTHON:  # what a program gives may differ: its tasks were made by the other
                raise UserError(f"{folder} was played on Python {python}, and this is {PYTHON}: go on with the former")
            return cls(folder, cfg, store, never, stack.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- checkpoints ----------------------------------------------------------------------------------------

    def save(self, policy: Policy, done: Step) -> Checkpoint:
        """Write what the policy is after this step; the result belongs into the transaction of the step."""
        place = self.folder / CHECKPOINTS / str(done.number)
        aside = place.with_name(f".{done.number}")
        with explained(place):
            for old in (aside, place):  # left by a process that was killed before its step was stored
                shutil.rmtree(old, ignore_errors=True)
            aside.mkdir()
            policy.save(aside)
            digest = sync(aside)
            aside.rename(place)
            sync_folder(place.parent)
        return Checkpoint(digest, f"{CHECKPOINTS}/{place.name}")

    def restore(self, policy: Policy, say: Callable[[str], object] = lambda _: None) -> int | None:
        """Bring policy and store to the newest whole checkpoint; its step, or None where the run is at its beginning.

        Rows of later steps are forgotten, and will be made again. Before the first checkpoint seeding is kept, as it
        changes no weights. Says what it passes over, and what is made again. Raises UserError, and forgets nothing,
        where no checkpoint is whole that was written.
        """
        written, last = self.store.checkpoints(), self.store.last_step()
        for step, checkpoint in written:
            place = self.folder / checkpoint.folder
            if _whole(place, checkpoint.digest):
                if step != written[0][0]:
                    say(f"{self.folder / written[0][1].folder} is missing or damaged")
                if last is not None and last > step:
                    say(f"going on after step {step}, the last that is saved: steps up to {last} are made again")
                policy.load(place)
                self.store.rewind(step)
                return step
        if written:
            place = self.folder / written[0][1].folder
            raise UserError(f"{place} is missing or damaged, as is every other checkpoint: {REMEDY}")
        if last is not None and last > 0:
            say(f"no step is saved yet: steps up to {last} are made again")
        self.store.rewind(0)
        return None

    def prune(self) -> None:
        """Delete checkpoints that are neither among the newest nor named in the store any more."""
        keep = {checkpoint.folder for _, checkpoint in self.store.checkpoints()[:KEPT]}
        for place in (self.folder / CHECKPOINTS).iterdir():
            if f"{CHECKPOINTS}/{place.name}" not in keep:
                shutil.rmtree(place, ignore_errors=True)


def resolve(folder: Path) -> Path:
    """The run that a link like `latest` stands for now: another run may take the link at any moment."""
    return folder.parent / folder.readlink() if os.path.islink(folder) else folder


def settings_of(folder: Path) -> Config:
    """What a run was begun with. Raises UserError if the folder holds no run, or one of another version."""
    try:
        return Config.model_validate_json((folder / CONFIG).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{folder} is no run folder ({CONFIG}: {error.strerror}): name one under runs/") from None
    except ValueError:
        remedy = "open it with the version that wrote it, or bring the file back from a copy"
        raise UserError(f"{folder / CONFIG} is damaged, or of another version: {remedy}") from None


def newest(folder: Path) -> tuple[int, Path]:
    """Step and folder of the newest whole checkpoint, whoever works in the run. Raises UserError if there is none."""
    with Store.read(folder / DATABASE) as store:
        for step, checkpoint in store.checkpoints():
            if _whole(folder / checkpoint.folder, checkpoint.digest):
                return step, folder / checkpoint.folder
    raise UserError(f"{folder} has no whole checkpoint yet: wait for one, or name a model's folder")


def load_buffer(folder: Path, cfg: Config) -> Buffer:
    """What a run has accepted so far, whoever works in it."""
    with Store.read(folder / DATABASE) as store:
        return Buffer.fold(store.entries(), cfg)


# --- a run from one end to the other ------------------------------------------------------------------------


def play(
    run: Run,
    world: Components,
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], object] = lambda _: None,
) -> Iterator[Step]:
    """Train from where the run stands to its last step, or to the first step after which `stopping` says so.

    Saves the policy as often as the settings say, after the last step, and before it stops. Seconds by part and
    tokens go to the store's clocks. `say` is told, in a line, of what was lost on disk and is made again.
    """
    run.restore(world.policy, say)
    cfg, saved, timed = run.cfg, set[int](), Timed(world)

    def keep(done: Step) -> StepExtras:
        base = _base_rates(done, world, cfg)
        due = done.number == cfg.steps or (cfg.checkpoint_every and done.number % cfg.checkpoint_every == 0)
        checkpoint = None
        if done.number > 0 and (due or stopping()):
            saved.add(done.number)
            checkpoint = run.save(world.policy, done)
        return StepExtras(checkpoint, base, timed.clocks(done))

    for done in selfplay.train(timed.world, run.store, cfg, run.never, keep):
        if done.number in saved:
            run.prune()
        yield done
        if stopping() and (done.number < 1 or done.number in saved):  # seeding changes no weights
            return


def _base_rates(done: Step, world: Components, cfg: Config) -> dict[str, float]:
    """How often the model that the run began with solves this step's new tasks (ALGORITHM.md section 7)."""
    if done.number < 1 or not cfg.evals.base_every or done.number % cfg.evals.base_every or not done.entries:
        return {}
    first = world._replace(policy=open_policy(cfg))
    key = Key(cfg.seed).at("base", done.number)
    tries = selfplay.solve(done.entries, cfg.solve.trials, first, cfg.sampling.drawing, key)
    tried = [selfplay.tried(entry, some) for entry, some in zip(done.entries, tries, strict=True)]
    rates = {kind: [e.successes / e.trials for e in tried if e.problem.kind is kind and e.trials] for kind in cfg.kinds}
    return {f"solve_rate/base/{kind}": sum(some) / len(some) for kind, some in rates.items() if some}


@final
class Timed:
    """A world whose parts are timed: seconds in the policy and in the executor, and in everything."""

    def __init__(self, world: Components) -> None:
        self._policy, self._executor = world.policy, world.executor
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._begun = time.perf_counter()
        self.world = Components(policy=self, executor=self, tasks=world.tasks)

    def clocks(self, done: Step) -> dict[str, float]:
        """Seconds by part since the last call, with the tokens of this step: sampled, and given to the policy to learn
        from, those of advantage 0 among them."""
        now = time.perf_counter()
        spent = {f"seconds/{part}": seconds for part, seconds in self._seconds.items()}
        spent["seconds"] = now - self._begun
        spent["tokens/sampled"] = 0.0 + sum(len(rollout.completion.tokens) for rollout in done.rollouts)
        spent["tokens/trained"] = 0.0 + sum(
            len(rollout.completion.tokens) for rollout in done.rollouts if rollout.weight
        )
        self._seconds.clear()
        self._begun = now
        return spent

    @contextmanager
    def _timing(self, part: str) -> Generator[None]:
        begun = time.perf_counter()
        yield
        self._seconds[part] += time.perf_counter() - begun

    def sample(
        self, prompts: Sequence[str], tries: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """The policy's."""
        with self._timing("sample"):
            return self._policy.sample(prompts, tries, sampling, keys)

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """The policy's."""
        with self._timing("update"):
            return self._policy.update(samples)

    def save(self, folder: Path) -> None:
        """The policy's."""
        self._policy.save(folder)

    def load(self, folder: Path) -> None:
        """The policy's."""
        self._policy.load(folder)

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """The executor's."""
        with self._timing("execute"):
            return self._executor.run(jobs)


# --- parts --------------------------------------------------------------------------------------------------


@contextmanager
def open_components(cfg: Config) -> Generator[Components]:
    """The policy, sandbox and tasks that the settings name; the sandbox is closed at the end."""
    policy = open_policy(cfg)
    with Sandbox(cfg.sandbox.workers or None, cfg.sandbox.minimum_level) as sandbox:
        yield Components(policy, sandbox, make_tasks(cfg))


def open_policy(cfg: Config) -> Policy:
    """The policy that `model.path` names: `embedded` is the model in the package, and `scripted` the apprentice of
    straight lines, which needs no torch."""
    if cfg.model.path == SCRIPTED:
        from absolute_zero.policy.scripted import Apprentice, Scripted

        return Scripted(Apprentice())
    from absolute_zero.policy.local import LocalPolicy

    if cfg.model.path != EMBEDDED:
        return LocalPolicy.open(cfg.model.path, cfg)
    return LocalPolicy.open(WEIGHTS, cfg)


# --- files --------------------------------------------------------------------------------------------------


def _never(cfg: Config) -> Set[str]:
    return _of_the_suites() | held_out(cfg.buffer.held_out)


@cache
def _of_the_suites() -> Set[str]:
    return held_out(map(str, suite_files()))


def _anchored(cfg: Config) -> Config:
    """The settings with files and folders by their whole paths: a run goes on from wherever it is resumed."""
    model = cfg.model
    if model.path not in (EMBEDDED, SCRIPTED) and os.path.isdir(model.path):
        model = model.model_copy(update={"path": str(Path(model.path).resolve())})
    held = tuple(str(Path(path).resolve()) for path in cfg.buffer.held_out)
    return cfg.model_copy(update={"model": model, "buffer": cfg.buffer.model_copy(update={"held_out": held})})


def _new(root: Path, name: str | None) -> Path:
    if name is not None:
        if name in ("", ".", "..", LATEST) or Path(name).name != name:
            raise UserError(f"--name {name!r} cannot be a folder of its own: give one plain word")
        try:
            (root / name).mkdir()
        except FileExistsError:
            raise UserError(f"{root / name} is there already: resume it with --resume, or use another --name") from None
        return root / name
    number = max((int(path.name) for path in root.iterdir() if path.name.isdecimal()), default=0)
    while True:
        number += 1
        try:
            (root / f"{number:03}").mkdir()
        except FileExistsError:
            continue
        return root / f"{number:03}"


def _point(link: Path, target: str) -> None:
    """Make `link` point there in one move; where links are not to be had, there is none."""
    aside = link.with_name(f".{link.name}.{os.getpid()}")
    try:
        aside.symlink_to(target)
        aside.replace(link)
    except OSError:
        aside.unlink(missing_ok=True)


def _whole(folder: Path, digest: str) -> bool:
    try:
        return folder.is_dir() and digest_of(folder) == digest
    except OSError:
        return False
