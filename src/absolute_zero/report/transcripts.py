"""Some tasks with everything that was said about them, word for word.

Promises: which tasks are shown follows from a rule that the page states, not from taste; texts are whole (long ones
are folded); whatever a model wrote is text (`markup`). Reads the texts of the steps it shows, and of no others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from absolute_zero import text
from absolute_zero.report.charts import short
from absolute_zero.report.figures import Born, Figures
from absolute_zero.report.markup import Markup, Part, block, brief, empty, join, tag
from absolute_zero.report.sections import counted
from absolute_zero.store import Store, StoredRollout
from absolute_zero.types import Entry, Kind, Role, Status

TASKS: Final = 20
PIPS: Final = {Status.PASSED: "◐", Status.FAILED: "○", Status.MALFORMED: "✕", Status.MASKED: "·"}
WORDS: Final = {Status.PASSED: "partly right", Status.FAILED: "wrong", Status.MALFORMED: "broken form"}
"""What a standing means for an answer that is not right in full; others are called by their names."""
RULE: Final = (
    "Chosen by rule: an equal number for each kind, and of each kind one from each of as many equal stretches of its"
    " tried tasks, in the order they came: the first whose texts are kept, and of those one that some trials solved and"
    " some did not, where there is one."
)


def choose(born: Iterable[Born], written: set[int], count: int = TASKS) -> list[Born]:
    """The tasks to show, by `RULE`, in the order they came."""
    pools: dict[Kind, list[Born]] = {}
    for task in born:
        if task.step >= 1 and task.trials:
            pools.setdefault(task.kind, []).append(task)
    quotas = Counter[Kind]()
    while count > quotas.total() and any(len(pool) > quotas[kind] for kind, pool in pools.items()):
        for kind in sorted(pools, key=list(Kind).index):
            if quotas.total() < count and len(pools[kind]) > quotas[kind]:
                quotas[kind] += 1
    chosen: list[Born] = []
    for kind, pool in pools.items():
        edges = [len(pool) * at // quotas[kind] for at in range(quotas[kind] + 1)]
        for start, end in pairwise(edges):
            chosen.append(min(pool[start:end], key=lambda it: (it.id not in written, not it.between, it.id)))
    return sorted(chosen, key=lambda task: task.id)


def transcripts(store: Store, figures: Figures) -> Markup:
    """The tasks, folded, with their proposals and tries."""
    chosen = choose(figures.born, figures.written)
    if not chosen:
        return empty("No training step is stored yet." if not figures.steps else "No accepted task was tried yet.")
    later = _later(store, {task.id: task.step for task in chosen})
    shown: list[Markup] = []
    step, responses = 0, list[StoredRollout]()
    for task in chosen:
        if task.step != step:
            step, responses = task.step, store.rollouts(task.step)
        entry = next(store.entries(after=task.id - 1))
        own = [kept for kept in responses if kept.rollout.entry == task.id]
        shown.append(_task(entry, own, later.get(task.id, (0, 0)), unfolded=not shown))
    rule = tag("p", RULE + ("" if figures.written else " This run keeps no texts of responses."), class_="note")
    return join((rule, *shown))


def _later(store: Store, born: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """(tries, successes) of some tasks in the steps after that of their birth."""
    found: dict[int, tuple[int, int]] = {}
    for step, entry, trials, successes in store.tries(after=min(born.values())):
        if step > born.get(entry, step):
            tried, solved = found.get(entry, (0, 0))
            found[entry] = (tried + trials, solved + successes)
    return found


# --- one task -----------------------------------------------------------------------------------------------


def _task(entry: Entry, responses: Sequence[StoredRollout], later: tuple[int, int], unfolded: bool) -> Markup:
    proposals = [kept for kept in responses if kept.rollout.role is Role.PROPOSE]
    tries = [kept for kept in responses if kept.rollout.role is Role.SOLVE]
    asked = min((kept.rollout.item for kept in tries), default=0)  # trials are numbered before practice
    trials = [kept for kept in tries if kept.rollout.item == asked]
    practice = [kept for kept in tries if kept.rollout.item != asked]
    kind = entry.problem.kind
    said = [
        tag("span", str(kind), class_=f"k-{kind} kind"),
        tag("span", *map(_pip, trials), class_="pips", aria_hidden="true"),
        f" solved by {entry.successes} of {entry.trials}",
        tag("small", f" step {entry.step}, task {entry.id}"),
        tag("code", _glance(entry)),
    ]
    sides = [_problem(entry), *(_proposal(kept, entry) for kept in proposals)]
    parts: list[Part] = [tag("div", *sides, class_="sides")]
    if trials:
        parts += [tag("h4", f"Trials: what the solver of step {entry.step} answered"), _asked(trials)]
        parts += _tries(trials)
    if practice:
        parts += [tag("h4", "Practice in the same step"), *_tries(practice)]
    if later[0]:
        parts.append(tag("p", f"Practised again in later steps: {later[1]:,} of {later[0]:,} tries were right."))
    return tag("details", tag("summary", *said), *parts, class_=f"task k-{kind}", open="" if unfolded else None)


def _pip(kept: StoredRollout) -> Markup:
    judged = kept.rollout.grade
    return tag("span", "●" if judged.right else PIPS.get(judged.status, "·"), class_=f"p-{judged.status}")


def _glance(entry: Entry) -> str:
    """The program in a line, without its head."""
    lines = [line.strip() for line in entry.problem.program.splitlines() if line.strip()]
    body = "; ".join(lines[1:] or lines).replace(":; ", ": ")
    return brief(body, 64)


def _problem(entry: Entry) -> Markup:
    problem = entry.problem
    parts: list[Part] = [tag("h4", "The task"), block("program", problem.program)]
    if problem.message:
        parts.append(block("message", problem.message))
    if len(problem.pairs) == 1:
        [(given, output)] = problem.pairs
        parts += [block("input", given), block("output", output)]
    else:
        half = len(problem.pairs) // 2
        for label, pairs in (("pairs shown", problem.pairs[:half]), ("pairs hidden", problem.pairs[half:])):
            parts.append(block(label, "\n".join(f"{given}  →  {output}" for given, output in pairs)))
    return tag("section", *parts)


def _proposal(kept: StoredRollout, entry: Entry) -> Markup:
    shown = ", ".join(str(id_) if id_ else "the zero triplet" for id_ in entry.references)
    parts: list[Part] = [tag("h4", "The proposal"), tag("p", _earned(kept), class_="earned")]
    parts.append(tag("p", f"Its prompt showed: {shown or 'no references'}.", class_="earned"))
    if kept.whole:
        parts += [block("prompt", kept.rollout.prompt, fold=True), *_response(kept)]
    else:
        parts.append(empty("Its texts are not kept in this run."))
    return tag("section", *parts)


def _asked(tries: Sequence[StoredRollout]) -> Markup:
    """The prompt, which all tries share."""
    if not tries[0].whole:
        return empty("The prompt is not kept in this run.")
    return block("prompt", tries[0].rollout.prompt, fold=True)


def _tries(tries: Sequence[StoredRollout]) -> list[Markup]:
    """Each different answer with what it came to, and which tries gave it."""
    groups: dict[object, list[StoredRollout]] = {}
    for place, kept in enumerate(tries):
        it = kept.rollout
        same = (it.completion.text, it.grade, it.reward, it.advantage, it.weight, kept.tokens)
        groups.setdefault(same if kept.whole else place, []).append(kept)
    return [_try(group) for group in groups.values()]


def _try(group: Sequence[StoredRollout]) -> Markup:
    kept = group[0]
    numbers = ", ".join(str(each.rollout.attempt + 1) for each in group)
    name = f" {'try' if len(group) == 1 else 'tries'} {numbers}: "
    parts = _response(kept) if kept.whole else [empty("Its text is not kept in this run.")]
    summary = tag("summary", _pip(kept), name, _earned(kept), tag("code", brief(_answer(kept), 80)))
    return tag("details", summary, *parts, class_="try")


def _earned(kept: StoredRollout) -> str:
    """Standing, reason, and what came of it, in a line."""
    it = kept.rollout
    judged = it.grade
    status = str(judged.status)
    if it.role is Role.SOLVE:
        status = "right" if judged.right else WORDS.get(judged.status, status)
    why = judged.reason.replace("_", " ")
    why = f"{why}: {judged.detail}" if judged.detail else why
    why = f" ({brief(why, 160)})" if why and why != status else ""
    paid = "left the batch" if it.reward is None else f"reward {_signed(it.reward)}"
    learned = f", advantage {_signed(it.advantage)}, weight {short(it.weight)}" if it.weight else ", not learned from"
    return (
        f"{status}{why}, {paid}{learned}, {counted(kept.tokens, 'token')}{', cut' if it.completion.truncated else ''}"
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\u2212")


def _parts(kept: StoredRollout) -> text.Answer | None:
    """Thought and answer, if they can be told apart as the run told them apart."""
    parts = text.thought_and_answer(kept.rollout.completion.text, opened=kept.rollout.prompt.endswith(text.THINK))
    return parts if isinstance(parts, text.Answer) and not kept.rollout.completion.truncated else None


def _answer(kept: StoredRollout) -> str:
    """The answer in a line, without the fence around it."""
    parts = _parts(kept)
    if parts is None:
        return brief(" ".join(kept.rollout.completion.text[:400].split()), 80)
    lines = [line for line in parts.text.splitlines() if not line.lstrip().startswith(("```", "~~~"))]
    return " ".join(" ".join(lines)[:400].split())


def _response(kept: StoredRollout) -> list[Markup]:
    parts = _parts(kept)
    detail = kept.rollout.grade.detail
    more = [block("what was said of it", detail)] if len(detail) > 160 else []
    if parts is None:
        return [*more, block("response, as it came", kept.rollout.completion.text, "answer")]
    thought = [block("thought", parts.thought, "thought")] if parts.thought.strip() else []
    return [*more, *thought, block("answer", parts.text, "answer")]
