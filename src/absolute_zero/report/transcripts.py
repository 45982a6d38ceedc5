"""Tasks with every response to them, word for word.

Promises: which tasks are shown follows from a rule that the page states, not from taste; texts are whole (long ones
are folded); whatever a model wrote is text (`markup`). Reads the texts of the steps it shows, and of no others. What a
task looks like is up to its domain (`texts`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from absolute_zero.forms import told_apart
from absolute_zero.report.charts import short
from absolute_zero.report.figures import AcceptedTask, Figures
from absolute_zero.report.markup import Markup, Part, block, brief, empty, join, tag
from absolute_zero.report.sections import colour, counted, note, title
from absolute_zero.report.texts import Parts, TaskTexts
from absolute_zero.store import Store, StoredRollout
from absolute_zero.text import Answer
from absolute_zero.types import Role, Status, Task

TASKS: Final = 20
DOTS: Final = {Status.PASSED: "◐", Status.FAILED: "○", Status.MALFORMED: "✕", Status.MASKED: "·"}
WORDS: Final = {Status.PASSED: "partly correct", Status.FAILED: "wrong"}
"""What a status means for a solution that is not correct in full; others are called by their names."""
ANSWER: Final = "answer"
"""Label of the gold answer among the texts of a task."""
RULE: Final = (
    "Chosen by rule: an equal number for each kind, and of each kind one from each of as many equal stretches of its"
    " tasks with difficulty rollouts, in the order they came: the first whose texts are kept, and among those the first"
    " learnable one, where there is one."
)


class _View(NamedTuple):
    """How a task is shown."""

    colour: str
    texts: Parts
    later: tuple[int, int]
    """Rollouts of later steps, and how many of them succeeded."""


def choose(tasks: Iterable[AcceptedTask], written: set[int], count: int = TASKS) -> list[AcceptedTask]:
    """Return the tasks to show, by `RULE`, in the order they came. Kinds that appear first get what is left over."""
    pools: dict[str, list[AcceptedTask]] = {}
    for task in tasks:
        if task.step >= 1 and task.trials:
            pools.setdefault(task.kind, []).append(task)
    quotas = Counter[str]()
    while count > quotas.total() and any(len(pool) > quotas[kind] for kind, pool in pools.items()):
        for kind in pools:
            if quotas.total() < count and len(pools[kind]) > quotas[kind]:
                quotas[kind] += 1
    chosen: list[AcceptedTask] = []
    for kind, pool in pools.items():
        if quotas[kind]:
            edges = [len(pool) * part // quotas[kind] for part in range(quotas[kind] + 1)]
            for start, end in pairwise(edges):
                chosen.append(min(pool[start:end], key=lambda it: (it.id not in written, not it.learnable, it.id)))
    return sorted(chosen, key=lambda task: task.id)


def transcripts(store: Store, figures: Figures, texts: TaskTexts) -> Markup:
    """Return the tasks, folded, with their proposals and solutions."""
    ordered = sorted(figures.tasks, key=lambda task: figures.colours.get(task.kind, 0))
    chosen = choose(ordered, figures.written)
    if not chosen:
        return empty(
            "No accepted task has difficulty rollouts yet." if figures.steps else "No training step is stored yet."
        )
    later = _later(store, {task.id: task.step for task in chosen})
    details: list[Markup] = []
    step, rollouts = 0, list[StoredRollout]()
    for row in chosen:
        if row.step != step:
            step, rollouts = row.step, store.rollouts(row.step)
        task = next(iter(store.tasks(after=row.id - 1)))
        own = [stored for stored in rollouts if stored.rollout.task == task.id]
        view = _View(colour(figures, task.kind), texts.parts(task), later.get(task.id, (0, 0)))
        details.append(_task(task, own, view, unfolded=not details))
    rule = note(RULE + ("" if figures.written else " This run keeps no texts of responses."))
    return join((rule, note(texts.note) if texts.note else "", *details))


def _later(store: Store, steps: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """Return (rollouts, successes) of tasks in the steps after their own, which `steps` has by id."""
    totals: dict[int, tuple[int, int]] = {}
    for step, task, trials, successes in store.outcomes(after=min(steps.values())):
        if step > steps.get(task, step):
            practised, solved = totals.get(task, (0, 0))
            totals[task] = (practised + trials, solved + successes)
    return totals


# --- one task -----------------------------------------------------------------------------------------------


def _task(task: Task, rollouts: Sequence[StoredRollout], view: _View, unfolded: bool) -> Markup:
    proposals = [stored for stored in rollouts if stored.rollout.role is Role.PROPOSE]
    solutions = [stored for stored in rollouts if stored.rollout.role is Role.SOLVE]
    first = min((stored.rollout.item for stored in solutions), default=0)  # difficulty is numbered before practice
    difficulty = [stored for stored in solutions if stored.rollout.item == first]
    practice = [stored for stored in solutions if stored.rollout.item != first]
    summary = [
        tag("span", title(task.kind), class_=f"{view.colour} kind"),
        tag("span", *map(_dot, difficulty), class_="dots", aria_hidden="true"),
        f" solved by {task.successes} of {task.trials}",
        tag("small", f" step {task.step}, task {task.id}"),
        tag("code", _glance(task, view)),
    ]
    sides = [
        tag("section", tag("h4", "The task"), *_texts(view.texts)),
        *(_proposal(stored, task) for stored in proposals),
    ]
    content: list[Part] = [tag("div", *sides, class_="sides")]
    if difficulty:
        content += [tag("h4", f"Difficulty: the rollouts of the solver of step {task.step}"), _prompt(difficulty)]
        content += _solutions(difficulty)
    if practice:
        content += [tag("h4", "Practice in the same step"), *_solutions(practice)]
    practised, solved = view.later
    if practised:
        content.append(tag("p", f"Practised again in later steps: {solved:,} of {practised:,} rollouts were correct."))
    class_ = f"task {view.colour}"
    return tag("details", tag("summary", *summary), *content, class_=class_, open="" if unfolded else None)


def _dot(stored: StoredRollout) -> Markup:
    grade = stored.rollout.grade
    return tag("span", "●" if grade.correct else DOTS.get(grade.status, "·"), class_=f"p-{grade.status}")


def _glance(task: Task, view: _View) -> str:
    """Return the task in a line: its title, or the text that begins with it and says more."""
    content = next((content for _, content in view.texts if content.startswith(task.title)), task.title)
    lines = [line.strip() for line in content[:400].splitlines() if line.strip()]
    return brief("; ".join(lines).replace(":; ", ": "), 64)


def _texts(parts: Parts) -> Iterator[Markup]:
    """Yield the texts of a task, those in a row that have the same label as one."""
    for label, group in groupby(parts, key=lambda part: part[0]):
        contents = [content for _, content in group]
        name = f"{label} ({len(contents)})" if len(contents) > 1 else label
        yield block(name, "\n".join(contents), ANSWER if label == ANSWER else "")


def _proposal(stored: StoredRollout, task: Task) -> Markup:
    references = ", ".join(f"task {id_}" if id_ > 0 else "a seed" for id_ in task.references)
    parts: list[Part] = [tag("h4", "The proposal"), tag("p", _earned(stored), class_="earned")]
    parts.append(tag("p", f"Its prompt showed {references or 'no references'}.", class_="earned"))
    if stored.has_texts:
        parts += [block("prompt", stored.rollout.prompt.shown, fold=True), *_response(stored)]
    else:
        parts.append(empty("Its texts are not kept in this run."))
    return tag("section", *parts)


def _prompt(rollouts: Sequence[StoredRollout]) -> Markup:
    """Return the prompt, which all rollouts share."""
    if not rollouts[0].has_texts:
        return empty("The prompt is not kept in this run.")
    return block("prompt", rollouts[0].rollout.prompt.shown, fold=True)


def _solutions(rollouts: Sequence[StoredRollout]) -> list[Markup]:
    """Return each different response with what it came to, and which rollouts gave it."""
    groups: dict[object, list[StoredRollout]] = {}
    for index, stored in enumerate(rollouts):
        it = stored.rollout
        same = (it.completion.text, it.grade, it.reward, it.advantage, it.weight, stored.n_tokens)
        groups.setdefault(same if stored.has_texts else index, []).append(stored)
    return [_solution(group) for group in groups.values()]


def _solution(group: Sequence[StoredRollout]) -> Markup:
    stored = group[0]
    numbers = ", ".join(str(each.rollout.attempt + 1) for each in group)
    name = f" {'rollout' if len(group) == 1 else 'rollouts'} {numbers}: "
    parts = _response(stored) if stored.has_texts else [empty("Its text is not kept in this run.")]
    summary = tag("summary", _dot(stored), name, _earned(stored), tag("code", brief(_answer(stored), 80)))
    return tag("details", summary, *parts, class_="solution")


def _earned(stored: StoredRollout) -> str:
    """Return status, reason, and what came of it, in a line."""
    it = stored.rollout
    grade = it.grade
    status = str(grade.status)
    if it.role is Role.SOLVE:
        status = "correct" if grade.correct else WORDS.get(grade.status, status)
    why = grade.reason.replace("_", " ")
    why = f"{why}: {grade.detail}" if grade.detail else why
    why = f" ({brief(why, 160)})" if why and why != status else ""
    reward = "not in the batch" if it.reward is None else f"reward {_signed(it.reward)}"
    trained = f", advantage {_signed(it.advantage)}, weight {short(it.weight)}" if it.weight else ", not trained on"
    trained = "" if it.reward is None else trained
    length = f"{counted(stored.n_tokens, 'token')}{', truncated' if it.completion.truncated else ''}"
    return f"{status}{why}, {reward}{trained}, {length}"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")


def _split(stored: StoredRollout) -> Answer | None:
    """Return thought and answer, if they can be told apart."""
    rollout = stored.rollout
    return None if rollout.grade.status is Status.MALFORMED else told_apart(rollout.prompt, rollout.completion)


def _answer(stored: StoredRollout) -> str:
    """Return the answer in a line, without the fence around it."""
    parts = _split(stored)
    if parts is None:
        return brief(" ".join(stored.rollout.completion.text[:400].split()), 80)
    lines = [line for line in parts.text.splitlines() if not line.lstrip().startswith(("```", "~~~"))]
    return " ".join(" ".join(lines)[:400].split())


def _response(stored: StoredRollout) -> list[Markup]:
    parts = _split(stored)
    detail = stored.rollout.grade.detail
    more = [block("detail of the grade", detail)] if len(detail) > 160 else []
    if parts is None:
        return [*more, block("response, as it came", stored.rollout.completion.text, "answer")]
    thought = [block("thought", parts.thought, "thought")] if parts.thought.strip() else []
    return [*more, *thought, block("answer", parts.text, "answer")]
