"""What is wrong with a value that a plug-in gave: a phrase such as "None where Prompt was due", or nothing.

Promises: looks at each value once and changes none; a value of the right form costs a few comparisons. Raises what a
plug-in's own class raises when it is looked at. Floor 0, standard library.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, cast

from absolute_zero.checked.plain import is_truth
from absolute_zero.types import Completion, Grade, Identity, Message, Prompt, Proposal, Status, Task

Look = Callable[..., str]
"""From what a call gave, and what it was given, to what is wrong; empty if nothing is."""
_TEXTS: Final[Mapping[type[Any], tuple[str, ...]]] = {
    Grade: ("reason", "detail"),
    Task: ("kind", "payload", "title", "label", "group", "exact", "family", "behaviour"),
    Proposal: ("kind", "payload"),
    Identity: ("exact", "family", "behaviour"),
    Prompt: ("text",),
    Message: ("role", "content"),
    Completion: ("text",),
}
"""Fields that have to be texts, by type."""
_LOOPS: Final = ("id", "step", "references", "trials", "successes")
"""Fields of a task that only the loop fills in."""
RESERVED: Final = ("proposals/", "difficulty/", "rollouts/", "response_tokens/", "reward/")
"""How the names of the loop's own metrics begin."""
_ABOVE: Final = 1e-3
"""A log-probability is at most this: rounding may lift that of a certain token above 0."""


def name_of(value: object) -> str:
    """Return what a value is, in a word: its type, but for `None` and a class."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return "None" if value is None else type(value).__name__


def value(result: object, due: tuple[type[Any], ...]) -> str:
    """Look at a value that has to be one of these types, and at its fields."""
    if not isinstance(result, due):
        return f"{name_of(result)} where {' or '.join(each.__name__ for each in due)} was due"
    for type_, fields in _TEXTS.items():
        if isinstance(result, type_):
            for field in fields:
                if not isinstance(part := getattr(result, field), str):
                    return _field(result, field, part, "a text")
    match result:
        case Grade():
            return _grade(result)
        case Prompt():
            return _prompt(result)
        case Proposal():
            return "" if hashable(result.job) else _field(result, "job", result.job, "a hashable job")
        case Task():
            return _task(result)
        case _:
            return ""


def _shown(part: object) -> str:
    """Return a number as it is, and of all else what it is."""
    return str(part) if isinstance(part, int | float) and abs(part) < 1e15 else name_of(part)


def _field(owner: object, field: str, part: object, due: str) -> str:
    shown = str(part) if isinstance(part, float) else name_of(part)
    article = "an" if isinstance(owner, Identity) else "a"
    return f"{article} {type(owner).__name__} whose {field} is {shown} where {due} was due"


def _grade(grade: Grade) -> str:
    if not isinstance(cast("object", grade.status), Status):
        return _field(grade, "status", grade.status, "a Status")
    if not is_number(grade.score) or not math.isfinite(grade.score):
        return _field(grade, "score", grade.score, "a finite number")
    if grade.status is not Status.PASSED and grade.score:
        return (
            f"a Grade that is {grade.status} with the score {grade.score} where 0 was due, as only what passed has one"
        )
    if not 0 <= grade.score <= 1:
        return f"a Grade whose score is {grade.score} where a number from 0 to 1 was due"
    return ""


def _task(task: Task) -> str:
    for field in _LOOPS:
        if (part := getattr(task, field)) != getattr(_UNTOUCHED, field):
            return f"a Task whose {field} is {_shown(part)} where nothing was due, as the loop fills it in"
    return ""


def _prompt(prompt: Prompt) -> str:
    messages = cast("object", prompt.messages)
    if not isinstance(messages, tuple):
        return _field(prompt, "messages", messages, "a tuple of Message")
    for message in cast("tuple[object, ...]", messages):
        if wrong := value(message, (Message,)):
            return f"a Prompt with {wrong}"
    if messages and prompt.text:
        return "a Prompt with both text and messages where only one was due"
    if not isinstance(cast("object", prompt.opens_thought), bool):
        return _field(prompt, "opens_thought", prompt.opens_thought, "True or False")
    return ""


def is_number(part: object) -> bool:
    """Return whether this is a number that JSON and SQLite take."""
    return isinstance(part, int | float) and not isinstance(part, bool)


def hashable(part: object) -> bool:
    """Return whether a value can be hashed. Raises what its class raises when it is compared, which jobs are."""
    try:
        hash(part)
    except Exception:  # a plug-in's class may raise anything
        return False
    for each in (part, *(cast("tuple[object, ...]", part) if isinstance(part, tuple) else ())):
        bool(each == each)
    return True


_UNTOUCHED: Final = Task("", "")


# --- task types ---------------------------------------------------------------------------------------------


def of_kind(result: object, kind: str, due: tuple[type[Any], ...]) -> str:
    """Look at a task, proposal or identity of a kind; the grade in its place says why there is none."""
    if wrong := value(result, due):
        return wrong
    if isinstance(result, Task | Proposal) and result.kind != kind:
        return f"a {type(result).__name__} of kind {result.kind!r} where {kind!r} was due"
    if isinstance(result, Grade) and result.status is Status.PASSED:
        return f"a Grade that is passed where {due[0].__name__}, or a Grade that says why there is none, was due"
    return ""


def check(result: object) -> str:
    """Look at what `check` gives: a grade, or a job."""
    if isinstance(result, Grade):
        return value(result, (Grade,))
    if result is None or isinstance(result, bool | Status | type) or not hashable(result):
        return f"{name_of(result)} where Grade, or a hashable job, was due"
    return ""


def count_or_none(result: object) -> str:
    """Look at a whole number of 0 or more, or None."""
    if isinstance(result, int) and not isinstance(result, bool):
        return "" if result >= 0 else f"{_shown(result)} where a whole number of 0 or more, or None, was due"
    return "" if result is None else f"{name_of(result)} where a whole number of 0 or more, or None, was due"


def probe(result: object) -> str:
    """Look at a job, or None for none."""
    fits = not isinstance(result, type) and hashable(result)
    return "" if fits else f"{name_of(result)} where a hashable job, or None, was due"


def pairs(result: object) -> str:
    """Look at pairs of texts: label and part."""
    return items(result, _pair)


def _pair(item: object) -> str:
    both = two(item)
    fits = both is not None and all(isinstance(part, str) for part in both)
    return "" if fits else f"{name_of(item)} where a pair of texts was due"


def two(item: object) -> Sequence[object] | None:
    """Return both parts of a pair; None for what is none."""
    both = cast("Sequence[object]", item)
    return both if isinstance(item, tuple | list) and len(both) == 2 else None


# --- sequences ----------------------------------------------------------------------------------------------


def sequence(result: object, count: int | None = None) -> str:
    """Look at what has to be a sequence of this many items."""
    if not isinstance(result, Sequence) or isinstance(result, str | bytes):
        return f"{name_of(result)} where a sequence was due"
    got = len(cast("Sequence[object]", result))
    return "" if count is None or got == count else f"{got} results where {count} were due"


def items(result: object, look: Look) -> str:
    """Look at what has to be a sequence, and at each item."""
    if wrong := sequence(result):
        return wrong
    for item in cast("Sequence[object]", result):
        if wrong := look(item):
            return wrong
    return ""


def text(item: object) -> str:
    """Look at a text."""
    return "" if isinstance(item, str) else f"{name_of(item)} where a text was due"


def word(item: object) -> str:
    """Look at a text for the screen: not empty, and of letters that can be shown."""
    if isinstance(item, str) and not (item and item.isprintable()):
        return f"{item[:40]!r} where letters that can be shown were due"
    return text(item)


def families(result: object) -> str:
    """Look at the families that a row bars: at least one, and none that is unknown."""
    if wrong := items(result, text):
        return wrong
    names = cast("Sequence[str]", result)
    return "" if names and all(names) else f"{'an empty family' if names else 'none'} where a family or more were due"


def example(item: object) -> str:
    """Look at a worked example: a prompt, a task or references, and a response."""
    both = two(item)
    if both is None:
        return f"{name_of(item)} where a pair of question and text was due"
    if isinstance(both[0], list | tuple):
        return tasks(cast("object", both[0]), (), (Task,)) or text(both[1])
    return value(both[0], (Prompt, Task)) or text(both[1])


def tasks(result: object, kinds: Collection[str], due: tuple[type[Any], ...]) -> str:
    """Look at tasks; if any kinds are known, theirs have to be among them."""

    def look(item: Any) -> str:
        if wrong := value(item, due):
            return wrong
        if kinds and item.kind not in kinds:
            return f"a {type(item).__name__} of kind {item.kind!r} where {' or '.join(map(repr, kinds))} was due"
        return ""

    return items(result, look)


def row(result: object, kinds: Collection[str]) -> str:
    """Look at what a row holds: at least one task, or proposal of one."""
    if wrong := tasks(result, kinds, (Task, Proposal)):
        return wrong
    return "" if cast("Sequence[object]", result) else "none where a task or more were due"


def suite(result: object, kinds: Collection[str]) -> str:
    """Look at the tasks of a suite: at least one, and no two alike."""
    if wrong := tasks(result, kinds, (Task,)):
        return wrong
    numbers: dict[tuple[str, str], int] = {}
    for number, task in enumerate(cast("Sequence[Task]", result), 1):
        if (first := numbers.setdefault((task.kind, task.payload), number)) != number:
            return f"the same {task.kind} task twice, as numbers {first} and {number}, where each was due once"
    return "" if numbers else "no tasks where one or more were due"


def outcomes(result: object, jobs: Sequence[object]) -> str:
    """Look at what an executor gives for these jobs."""
    return sequence(result, len(jobs)) or items(result, _outcome)


def _outcome(item: object) -> str:
    for field in ("ok", "lost"):
        if not is_truth(part := getattr(item, field, None)):
            return f"an outcome ({name_of(item)}) whose {field} is {name_of(part)} where True or False was due"
    return ""


def completions(result: object, prompts: Sequence[Prompt], n: int, *_: Any, **__: Any) -> str:
    """Look at what a policy gives for these prompts: n completions of each."""

    def look(row: object) -> str:
        return sequence(row, n) or items(row, _completion)

    return sequence(result, len(prompts)) or items(result, look)


def _completion(item: Any) -> str:
    if wrong := value(item, (Completion,)):
        return wrong
    for field in ("tokens", "logprobs"):
        if not isinstance(part := getattr(item, field), tuple | list):
            return _field(item, field, part, "a tuple")
    if len(item.tokens) != len(item.logprobs):
        return f"a Completion with {len(item.logprobs)} logprobs where {len(item.tokens)}, one a token, were due"
    return _tokens(item.tokens) or _logprobs(item.logprobs)


def _tokens(tokens: Sequence[Any]) -> str:
    for type_ in {*map(type, tokens)} - {int}:
        if not hasattr(type_, "__index__") or issubclass(type_, bool):
            return f"a Completion with a token that is {type_.__name__} where a whole number was due"
    return ""


def _logprobs(logprobs: Sequence[Any]) -> str:
    for type_ in {*map(type, logprobs)} - {float, int}:
        if not hasattr(type_, "__float__") or issubclass(type_, bool):
            return f"a Completion with a logprob that is {type_.__name__} where a number was due"
    if not all(map(math.isfinite, logprobs)) or max(logprobs, default=0) > _ABOVE:
        wrong = next(each for each in logprobs if not (math.isfinite(each) and each <= _ABOVE))
        return f"a Completion with a logprob of {float(wrong):g} where a finite number of 0 or less was due"
    return ""


def metrics(result: object, *_: Any) -> str:
    """Look at numbers by name."""
    if not isinstance(result, Mapping):
        return f"{name_of(result)} where a mapping of names to numbers was due"
    for name, number in cast("Mapping[object, object]", result).items():
        if wrong := word(name):
            return f"{wrong} as the name of a metric"
        if not is_number(number):
            return f"{name!r} = {name_of(number)} where a text = a number was due"
        if not math.isfinite(cast("float", number)):
            return f"{name!r} = {number} where a finite number was due"
        if cast("str", name).startswith(RESERVED):
            return f"{name!r}, which the loop measures itself, where another name was due"
    return ""
