"""A run on disk: its folder, its lock, its checkpoints, and how it is resumed after anything (paper section 4.1).

    runs/NAME/config.json       the settings, resolved
              run.db            everything that happened (`absolute_zero.store`)
              result.json       what it came to, once it is at its end
              report.html       the page that shows it (`absolute_zero.report`)
              checkpoints/N/    the policy after step N, a Hugging Face folder
              lock              held while a process works here
    runs/latest                 the newest run

Promises: whatever is killed when, `resume` finds a whole checkpoint and a store that ends with it, and the run is as
if nothing had happened. A checkpoint is written aside, synced with its folder, renamed, and named with its digest in
the transaction of its step. Never writes into a folder that another process works in, or resumes a run of
another version of Python, whose programs may give other values. Knows nothing of signals or screens. Floor 5.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, cast, final

from absolute_zero import plugins, training
from absolute_zero.buffer import Buffer
from absolute_zero.components import EMBEDDED, Timed, open_components
from absolute_zero.config import Config, from_json, literal, load
from absolute_zero.disk import digest_of, explain_failures, locked, sync, sync_folder, write
from absolute_zero.evals.runs import base_metrics, result_of
from absolute_zero.executor import rank
from absolute_zero.machine import commit
from absolute_zero.ports import Components, Policy
from absolute_zero.store import Checkpoint, StepExtras, Store, migrate_config
from absolute_zero.types import Step, UserError

CONFIG, DATABASE, RESULT, REPORT = "config.json", "run.db", "result.json", "report.html"
CHECKPOINTS, LATEST = "checkpoints", "latest"
REMEDY = "bring it back from a copy"
PYTHON: Final = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""The interpreter of this process: what a domain's executor decides may depend on it."""
KEPT: Final = 2
"""Checkpoints that stay: the newest, and the one before in case the newest is damaged."""


@final
class Run:
    """An open run. Make one with `begin` or `resume`, as a context manager."""

    def __init__(self, folder: Path, cfg: Config, store: Store, stack: ExitStack) -> None:
        self.folder, self.cfg, self.store = folder, cfg, store
        self._stack = stack

    @classmethod
    def begin(cls, cfg: Config, root: Path, name: str | None = None) -> Self:
        """Make a new folder under `root`: `name`, or the next number. Relative paths in the settings are taken from
        here, for good. Raises UserError if it is there, or cannot be made."""
        cfg = anchored(cfg)
        with explain_failures(root):
            root.mkdir(parents=True, exist_ok=True)
            folder = _new(root, name)
            (folder / CHECKPOINTS).mkdir()
            write(folder / CONFIG, cfg.model_dump_json(indent=2) + "\n")
            _point(root / LATEST, folder.name)
        return cls._open(folder, cfg)

    @classmethod
    def resume(cls, folder: Path) -> Self:
        """Open the run in this folder. Raises UserError if there is none, it is damaged, or somebody works in it."""
        folder = resolve(folder)
        return cls._open(folder, settings_of(folder))

    @classmethod
    def _open(cls, folder: Path, cfg: Config) -> Self:
        with ExitStack() as stack:
            stack.enter_context(locked(folder))
            _refuse_other_python(folder)  # before anything is migrated
            store = stack.enter_context(Store.open(folder / DATABASE, cfg.store.rollouts))
            if store.last_step() is None and any((folder / CHECKPOINTS).glob("*")):  # a new run would delete them
                raise UserError(f"{folder / DATABASE} is missing or empty, and checkpoints are not: {REMEDY}")
            if store.get_fact("python") is None:
                store.set_fact("python", PYTHON)
            if _stored_settings(folder) != json.loads(cfg.model_dump_json()):  # of an older version
                write(folder / CONFIG, cfg.model_dump_json(indent=2) + "\n")
            return cls(folder, cfg, store, stack.pop_all())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- what it comes to -----------------------------------------------------------------------------------

    def note_machine(self, level: str) -> None:
        """Store the commit that the run was begun with, and the lowest level of isolation that it ever had."""
        if self.store.get_fact("commit") is None:
            self.store.set_fact("commit", commit())
        self.store.set_fact("sandbox", min(self.store.get_fact("sandbox") or level, level, key=rank))

    def write_result(self) -> dict[str, object]:
        """Write what the run came to (`evals.runs.result_of`) as `result.json`, and return it."""
        result = result_of(self.store, self.cfg)
        with explain_failures(self.folder):
            write(self.folder / RESULT, json.dumps(result, indent=2) + "\n")
        return result

    # --- checkpoints ----------------------------------------------------------------------------------------

    def save(self, policy: Policy, step: Step) -> Checkpoint:
        """Write what the policy is after this step; the result belongs into the transaction of the step."""
        target = self.folder / CHECKPOINTS / str(step.number)
        aside = target.with_name(f".{step.number}")
        with explain_failures(target):
            for old in (aside, target):  # left by a process that was killed before its step was stored
                shutil.rmtree(old, ignore_errors=True)
            aside.mkdir()
            policy.save(aside)
            digest = sync(aside)
            aside.rename(target)
            sync_folder(target.parent)
        return Checkpoint(digest, f"{CHECKPOINTS}/{target.name}")

    def restore(self, policy: Policy, say: Callable[[str], object] = lambda _: None) -> int | None:
        """Bring policy and store to the newest whole checkpoint; return its step, or None at the beginning of a run.

        Rows of later steps are forgotten, and will be made again. Before the first checkpoint seeding is kept, as it
        changes no weights. Says what it passes over, and what is made again. Raises UserError, and forgets nothing,
        where no checkpoint is whole that was written.
        """
        written, last = self.store.checkpoints(), self.store.last_step()
        for step, checkpoint in written:
            saved = self.folder / checkpoint.folder
            if _whole(saved, checkpoint.digest):
                if step != written[0][0]:
                    say(f"{self.folder / written[0][1].folder} is missing or damaged")
                if last is not None and last > step:
                    say(f"resuming after step {step}, the last that is saved: steps up to {last} are made again")
                policy.load(saved)
                self.store.rewind(step)
                return step
        if written:
            newest_ = self.folder / written[0][1].folder
            raise UserError(f"{newest_} is missing or damaged, as is every other checkpoint: {REMEDY}")
        if last is not None and last > 0:
            say(f"no step is saved yet: steps up to {last} are made again")
        self.store.rewind(0)
        return None

    def prune(self) -> None:
        """Delete checkpoints that are neither among the newest nor named in the store any more."""
        keep = {checkpoint.folder for _, checkpoint in self.store.checkpoints()[:KEPT]}
        for path in (self.folder / CHECKPOINTS).iterdir():
            if f"{CHECKPOINTS}/{path.name}" not in keep:
                shutil.rmtree(path, ignore_errors=True)


def resolve(folder: Path) -> Path:
    """Return the run that a link like `latest` stands for now: another run may take the link at any moment."""
    return folder.parent / folder.readlink() if os.path.islink(folder) else folder


def settings_of(folder: Path) -> Config:
    """Return what a run was begun with. Raises UserError if the folder holds no run, or one of another version."""
    try:
        return from_json(json.dumps(migrate_config(_stored_settings(folder))), str(folder / CONFIG))
    except OSError as error:
        raise UserError(f"{folder} is not a run folder ({CONFIG}: {error.strerror}): name one under runs/") from None
    except (ValueError, AttributeError, TypeError):
        remedy = "open it with the version that wrote it, or bring the file back from a copy"
        raise UserError(f"{folder / CONFIG} is damaged, or of another version: {remedy}") from None


def _refuse_other_python(folder: Path) -> None:
    """Raise UserError for a run of another Python, where a program may give other values than it gave its tasks."""
    try:
        with Store.read(folder / DATABASE) as store:
            python = store.get_fact("python")
    except UserError:  # there is none yet, or what is wrong with it is said when it is opened
        return
    if python not in (None, PYTHON):
        raise UserError(f"{folder} was played on Python {python}, and this is {PYTHON}: resume it with the former")


def _stored_settings(folder: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads((folder / CONFIG).read_text(encoding="utf-8")))


def newest(folder: Path) -> tuple[int, Path]:
    """Return step and folder of the newest whole checkpoint, whoever works in the run. Raises UserError for none."""
    with Store.read(folder / DATABASE) as store:
        for step, checkpoint in store.checkpoints():
            if _whole(folder / checkpoint.folder, checkpoint.digest):
                return step, folder / checkpoint.folder
    raise UserError(f"{folder} has no whole checkpoint yet: wait for one, or name a model's folder")


def load_buffer(folder: Path, cfg: Config, parts: Components) -> Buffer:
    """Return what a run has accepted so far, whoever works in it."""
    with Store.read(folder / DATABASE) as store:
        return Buffer.fold(store.tasks(), cfg, parts.task_types, parts.seeds, parts.held_out)


def default_recipe(source: str) -> str:
    """Return the recipe of a model that is named without one: `laptop` has the language of the model in the package."""
    return "laptop" if source == EMBEDDED or plugins.is_named("policies", source) else "coder-0.5b-lora"


class OpenModel(NamedTuple):
    """A model that can be asked."""

    cfg: Config
    parts: Components
    buffer: Buffer
    """Of a run: what it has accepted. Else empty, but for the seeds."""
    name: str


@contextmanager
def open_model(
    source: str,
    recipe: str | None = None,
    settings: Sequence[str] = (),
    say: Callable[[str], object] = lambda _: None,
) -> Generator[OpenModel]:
    """Open the newest checkpoint of a run's folder, which may be at work, or the model of a path, under a recipe's
    settings (`default_recipe`'s for None) and `KEY=VALUE` over them. No adapter is added, as nothing is trained. `say`
    is told, in a line, what is odd about a model.

    Raises UserError for a recipe or settings beside a run, which has its own, and for a run without a checkpoint.
    """
    folder = resolve(Path(source))
    if not os.path.exists(folder / DATABASE):
        cfg = load(recipe or default_recipe(source), [*settings, f"model.path={literal(source)}"])
        cfg = cfg.model_copy(update={"lora": cfg.lora.model_copy(update={"rank": 0})})
        with open_components(cfg, say) as parts:
            yield OpenModel(cfg, parts, Buffer(cfg, parts.task_types, parts.seeds, parts.held_out), source)
        return
    if settings or recipe:
        wrong = "give no recipe and no KEY=VALUE beside it, or name a model's folder"
        raise UserError(f"{source} is a run and has its own settings: {wrong}")
    cfg = settings_of(folder)
    step, checkpoint = newest(folder)
    with open_components(cfg) as parts:
        buffer = load_buffer(folder, cfg, parts)
        parts.policy.load(checkpoint)
        yield OpenModel(cfg, parts, buffer, f"{source} at step {step}")


# --- a run from one end to the other ------------------------------------------------------------------------


def play(
    run: Run,
    parts: Components,
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], object] = lambda _: None,
) -> Iterator[Step]:
    """Train from where the run stands to its last step, or to the first step after which `stopping` says so.

    Saves the policy as often as the settings say, after the last step, and before it stops. Seconds by part and
    tokens go to the store's clocks. `say` is told, in a line, of what was lost on disk and is made again.
    """
    run.restore(parts.policy, say)
    cfg, saved, timed, every = run.cfg, set[int](), Timed(parts), run.cfg.checkpoints.every

    def before_commit(step: Step) -> StepExtras:
        base = base_metrics(step, parts, cfg)
        due = step.number == cfg.steps or (every and step.number % every == 0)
        checkpoint = None
        if step.number > 0 and (due or stopping()):
            saved.add(step.number)
            checkpoint = run.save(parts.policy, step)
        return StepExtras(checkpoint, base, timed.clocks(step))

    for step in training.train(timed.parts, run.store, cfg, before_commit):
        if step.number in saved:
            run.prune()
        yield step
        if stopping() and (step.number < 1 or step.number in saved):  # seeding changes no weights
            return


# --- files --------------------------------------------------------------------------------------------------


def anchored(cfg: Config) -> Config:
    """Return the settings with files and folders by their whole paths: a run is resumed from wherever somebody is."""
    model, templates = cfg.model, cfg.templates
    if model.path != EMBEDDED and not plugins.is_named("policies", model.path) and os.path.isdir(model.path):
        model = model.model_copy(update={"path": str(Path(model.path).resolve())})
    if not plugins.is_named("templates", templates):
        templates = str(Path(templates).resolve())
    held = tuple(str(Path(path).resolve()) for path in cfg.buffer.held_out)
    buffer = cfg.buffer.model_copy(update={"held_out": held})
    return cfg.model_copy(update={"model": model, "templates": templates, "buffer": buffer})


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
