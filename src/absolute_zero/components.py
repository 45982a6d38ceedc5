"""From settings to parts: opens what they name, and checks what comes from outside.

Promises: whatever a plug-in lacks, raises or gets wrong is a UserError of one line; what is open is closed.
Reads no files but the model in the package and held-out tasks, and knows no steps. Floor 4.
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, final

from absolute_zero import checked, plugins
from absolute_zero.config import Config
from absolute_zero.disk import read_rows
from absolute_zero.forms import Example, Form, Slot
from absolute_zero.keys import Key
from absolute_zero.ports import Components, Domain, Estimator, Executor, Policy, RewardTerm, TaskType
from absolute_zero.rewards import check_scales
from absolute_zero.text import Answer, thought_and_answer
from absolute_zero.types import Completion, Identity, Prompt, Role, Sample, Sampling, Step, Task, UserError

EMBEDDED: Final = "embedded"
"""The name of the model in the package."""
WEIGHTS: Final = Path(str(files("absolute_zero"))) / "pretraining" / "weights"
"""Where it lies, a Hugging Face folder."""


@final
class Timed:
    """Components whose parts are timed: seconds in the policy and in the executor, and in everything."""

    def __init__(self, parts: Components) -> None:
        self._policy, self._executor = parts.policy, parts.executor
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._since = time.perf_counter()
        self.chat = getattr(parts.policy, "chat", None)
        self.parts = parts._replace(policy=self, executor=self)

    def lap(self, part: str) -> float:
        """Return the seconds in `sample`, `update` or `execute` since this was last asked, or since `clocks`."""
        return self._seconds.pop(part, 0.0)

    def clocks(self, step: Step) -> dict[str, float]:
        """Return seconds by part since the last call, with the tokens of this step: sampled, and given to the policy to
        learn from, those of advantage 0 among them."""
        now = time.perf_counter()
        clocks = {f"time/{part}": seconds for part, seconds in self._seconds.items()}
        clocks["time/step"] = now - self._since
        clocks["tokens/sampled"] = 0.0 + sum(len(rollout.completion.tokens) for rollout in step.rollouts)
        clocks["tokens/trained"] = 0.0 + sum(
            len(rollout.completion.tokens) for rollout in step.rollouts if rollout.weight
        )
        self._seconds.clear()
        self._since = now
        return clocks

    @contextmanager
    def _timing(self, part: str) -> Generator[None]:
        since = time.perf_counter()
        yield
        self._seconds[part] += time.perf_counter() - since

    def sample(
        self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """Sample from the policy."""
        with self._timing("sample"):
            return self._policy.sample(prompts, n, sampling, keys)

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Update the policy."""
        with self._timing("update"):
            return self._policy.update(samples)

    def save(self, folder: Path) -> None:
        """Save the policy."""
        self._policy.save(folder)

    def load(self, folder: Path) -> None:
        """Load the policy."""
        self._policy.load(folder)

    def run(self, jobs: Sequence[Any]) -> Sequence[Any]:
        """Run jobs in the executor."""
        with self._timing("execute"):
            return self._executor.run(jobs)

    def close(self) -> None:
        """Close the executor."""
        self._executor.close()


# --- parts --------------------------------------------------------------------------------------------------


def domain_of(cfg: Config) -> Domain:
    """Return the domain that the settings name."""
    return plugins.load("domains", cfg.domain)


def _nothing(line: str) -> None:
    """Say nothing."""


@contextmanager
def open_components(cfg: Config, say: Callable[[str], object] = _nothing) -> Generator[Components]:
    """Open the parts that the settings name: policy, executor, task types, plug-ins; the executor is closed at the end.

    Raises UserError, naming what is wrong, for parts that are not there or do not fit. What is worth knowing of them
    and no error goes to `say`, a line each.
    """
    domain = domain_of(cfg)
    known = {task_type.kind: task_type for task_type in domain.task_types(cfg)}
    _check_domain(cfg, domain, known)
    held_out = held_out_families(domain, cfg.buffer.held_out)
    estimators = _load_estimators(cfg)
    terms = [(_load_term(name), weight) for name, weight in cfg.reward.terms.items()]
    scales = check_scales(plugins.load("rewards", cfg.reward.scale), cfg.reward.scale)
    policy = open_policy(cfg, say)
    form = open_form(cfg, policy, domain, known)
    executor: Executor = domain.open_executor(cfg)
    if wrong := plugins.lacks(executor, plugins.EXECUTOR):
        raise UserError(f"domain {cfg.domain!r} opens no executor: {wrong}")
    try:
        task_types = {kind: known[kind] for kind in cfg.kinds}
        yield Components(policy, executor, task_types, held_out, domain.seeds(), estimators, terms, scales, form)
    except BaseException:
        with suppress(Exception):  # the first error is the one to tell
            executor.close()
        raise
    executor.close()


def _check_domain(cfg: Config, domain: Domain, known: Mapping[str, TaskType]) -> None:
    """Raise UserError if kinds that the domain had are gone, or a held-out task is of another family than its identity:
    tasks like it would then be trained on. Where only a probe could say what that is, nothing is looked at."""
    for kind in cfg.kinds:
        if kind not in known:
            raise UserError(f"domain {cfg.domain!r}: task_types gave {kind!r} before, and now does not: fix it")
    if cfg.domain in plugins.BUILT_IN["domains"]:
        return
    unprobed = set(known)
    for suite, tasks in domain.suites().items():
        for number, task in enumerate(tasks, 1):
            if not task.family or task.kind not in unprobed:
                continue
            task_type = known[task.kind]
            if task_type.probe(task, Key(cfg.seed).at("probe", task.kind)) is not None:
                unprobed.discard(task.kind)
                continue
            identity = task_type.identity(task, None)
            if isinstance(identity, Identity) and identity.family != task.family:
                raise UserError(
                    f"domain {cfg.domain!r}: suites gave a Task of kind {task.kind!r} and family"
                    f" {task.family!r} where its identity gives {identity.family!r} (suite {suite!r}, number {number}):"
                    " fix it, or tasks like it are trained on"
                )


def open_form(cfg: Config, policy: Policy, domain: Domain, task_types: Mapping[str, TaskType]) -> Form:
    """Return how this model is asked and read, with the domain's worked examples. Raises UserError for a chat template
    that is asked for and not there, and for a worked example that is not in strict form."""
    settings, chat = cfg.form, getattr(policy, "chat", None)
    if settings.template == "chat" and chat is None:
        raise UserError(f'model {cfg.model.path!r} has no chat template: set form.template to "text" or "auto"')
    slots = [(kind, role) for kind in cfg.kinds for role in Role]
    labels = {slot: tuple(getattr(task_types[slot[0]], "labels", {}).get(slot[1], ())) for slot in slots}
    examples: dict[Slot, list[Example]] = {}
    for kind, role in slots if settings.examples else ():
        worked = domain.worked_examples(kind, role, cfg)[: settings.examples]
        examples[kind, role] = [worked_example(task_types[kind], role, *pair) for pair in worked]
    return Form(
        settings.reading,
        None if settings.template == "text" else chat,
        settings.tags,
        settings.opening,
        settings.system,
        [*settings.think, *settings.answer],
        examples,
        labels,
        settings.strict_by,
    )


def worked_example(task_type: TaskType, role: Role, question: Any, response: str) -> Example:
    """Return a worked example of a domain; the question is a prompt, a task, or the references of a proposal.

    Raises UserError for a response that is not in strict form.
    """
    prompt = question
    if isinstance(question, Task):
        prompt = task_type.solve_prompt(question)
    elif not isinstance(question, Prompt):
        prompt = task_type.propose_prompt(question)
    opened = prompt.opens_thought and isinstance(question, Prompt)  # a response to a task is whole
    parts = thought_and_answer(response, opened)
    if not isinstance(parts, Answer):
        raise UserError(f"a worked example of {task_type.kind} ({role}) is not in strict form ({parts}): fix it")
    return Example(prompt, parts.thought, parts.text)


def held_out_families(domain: Domain, paths: Iterable[str]) -> frozenset[str]:
    """Return the families that no buffer accepts: those of the domain's suites, and those that the rows of these JSONL
    files bar.

    Raises UserError with the file and line of what cannot be read.
    """
    families = {task.family for tasks in domain.suites().values() for task in tasks}
    for path in paths:
        for where, row in read_rows(Path(path), "held-out tasks"):
            try:
                families.update(domain.held_out(row))
            except UserError as error:
                raise UserError(f"{where}: {error}") from None
    return frozenset(families - {""})


def _load_estimators(cfg: Config) -> Mapping[str, Estimator]:
    """Return the plug-ins among the estimators. Raises UserError for one that compares rollouts where there is one."""
    strange = {cfg.estimator.propose, cfg.estimator.solve} - {*plugins.BUILT_IN["estimators"]}
    estimators = {
        name: checked.estimator(plugins.load("estimators", name), f"estimator {name!r}") for name in sorted(strange)
    }
    solutions = cfg.solve.n_difficulty if cfg.solve.reuse_difficulty else cfg.solve.n_practice
    for role, name, n in (("propose", cfg.estimator.propose, 1), ("solve", cfg.estimator.solve, solutions)):
        if name in strange and getattr(estimators[name], "per_prompt", False) and min(n, cfg.solve.n_practice) < 2:
            raise UserError(
                f"estimator.{role} = {name!r} compares the rollouts of a prompt: use another one for proposals, and"
                " for solutions set solve.n_practice (and solve.n_difficulty, if reused) to 2 or more"
            )
    return estimators


def _load_term(name: str) -> RewardTerm:
    term = plugins.load("rewards", name)
    if not callable(term):
        raise UserError(f"reward.terms: {name!r} is a table of scales, and no term: give it as reward.scale")
    return checked.reward_term(term, f"reward term {name!r}")


def open_policy(cfg: Config, say: Callable[[str], object] = _nothing) -> Policy:
    """Open the policy that `model.path` names: `embedded` is the model in the package; a policy plug-in, such as
    `scripted`, opens itself; all else is a model's folder or its name on the hub."""
    if plugins.is_named("policies", cfg.model.path):
        label = f"policy {cfg.model.path!r}"
        policy = checked.call(label, plugins.load("policies", cfg.model.path), cfg)
        if wrong := plugins.lacks(policy, plugins.POLICY):
            raise UserError(f"{label} opens no policy: {wrong}")
        return policy if cfg.model.path in plugins.BUILT_IN["policies"] else checked.policy(policy, label)
    named = cfg.model.path != EMBEDDED and not os.path.exists(cfg.model.path)
    if named and (module := plugins.module_named(cfg.model.path)):
        raise UserError(f"model.path = {cfg.model.path!r} is a module: name its function, such as {module}:open_policy")
    from absolute_zero.policy.local import LocalPolicy

    return LocalPolicy.open(WEIGHTS if cfg.model.path == EMBEDDED else cfg.model.path, cfg, say)
