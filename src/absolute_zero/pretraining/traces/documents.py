"""Documents: a prompt as self-play will pose it, a thought, and an answer. What the embedded model is trained on.

Thoughts are built so that each next token is easy, given what stands before. Deduction runs the program line by line.
Abduction undoes the program where it can be undone, then runs it on candidate inputs; induction runs candidate
programs on the examples in the same way. After each attempt stand the output that is wanted, and `no` or `yes`. The
candidates that come to nothing are part of the text but not of the lesson (`Piece.learn`): a model learns what to try
next, not to try wrongly. A few thoughts of abduction and induction are in vain: after some candidates the last one is
the answer, for a response that never ends is worth less than one that is wrong.
Proposals are planned in a few words: the types of the input and the output, and the lines.

Promises: document n of a seed is a function of (seed, n) and of what is held out; every answer is right, but for the
few that are given in vain, after a `no`; no program of the held-out set occurs in any of them, those in prompts and
thoughts among them. Prompts are those of `absolute_zero.domains.python`.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, final

from absolute_zero import text
from absolute_zero.config import Config
from absolute_zero.domains.python import DOMAIN
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, Payload
from absolute_zero.keys import Key
from absolute_zero.ports import TaskType
from absolute_zero.pretraining.grammar.author import write_program
from absolute_zero.pretraining.grammar.dice import Dice, Table
from absolute_zero.pretraining.grammar.program import Program
from absolute_zero.pretraining.grammar.variants import near_arguments, near_program
from absolute_zero.pretraining.traces.backward import undo
from absolute_zero.pretraining.traces.cases import DULL, Case, Pair, find_case, pair, telling, written
from absolute_zero.pretraining.traces.pieces import length
from absolute_zero.types import Role

THOUGHT: Final = 120
"""Longest thought, in tokens as `pieces` counts them; twice that with candidate programs, or in vain."""
DOCUMENT: Final = 300
"""Longest document."""
POOL: Final = 20_000
"""References are drawn from this many cases, which are drawn once for each seed."""
IDENTITY: Final = Payload("def f(x):\n    return x", (("1", "1"),))
"""The zero triplet, from which self-play starts (paper section 3.3)."""

Maker = Callable[[Dice, int, "Course", list[str]], "Document | None"]
"""From dice, the seed of references, the course, and a list for the programs that occur, to a document or nothing."""
HeldOut = Callable[[str], bool]
"""Whether a program's text may not occur."""


@final
@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a response, and whether it is to be learned."""

    text: str
    learn: bool = True


@final
@dataclass(frozen=True, slots=True)
class Document:
    """One prompt with one response. `payload` is what a solution is judged by; a proposal's is what it proposes."""

    role: Role
    kind: str
    prompt: str
    pieces: tuple[Piece, ...]
    payload: Payload

    @property
    def response(self) -> str:
        """The pieces, put together."""
        return "".join(piece.text for piece in self.pieces)


@final
@dataclass(frozen=True, slots=True)
class Course:
    """What documents are drawn from beside the grammar."""

    forms: Table[tuple[Role, str]]
    """How often each form occurs."""
    far: float
    """Of the wrong candidates of induction, those that are a program of their own instead of a near miss."""
    vain: float
    """The share of solutions of abduction and induction whose thought finds no right candidate, and whose answer is the
    last one, wrong. It is the share before documents that are too long are dropped, as more of these are: with 0.15,
    12 % of the documents of abduction and 9 % of those of induction are such."""

    def in_vain(self, dice: Dice) -> bool:
        """Return whether the next solution is in vain. Rolls no die where none is, so that EXAM stays as it is."""
        return self.vain > 0 and dice.often(self.vain)


EXAM: Final = Course(Table([
    ((Role.SOLVE, DEDUCTION), 28), ((Role.SOLVE, ABDUCTION), 21), ((Role.SOLVE, INDUCTION), 25),
    ((Role.PROPOSE, DEDUCTION), 8), ((Role.PROPOSE, ABDUCTION), 8), ((Role.PROPOSE, INDUCTION), 10),
]), far=0.0, vain=0.0)  # fmt: skip
"""What the held-out suites are drawn with: to change it changes them."""
LESSONS: Final = Course(Table([
    ((Role.SOLVE, DEDUCTION), 20), ((Role.SOLVE, ABDUCTION), 24), ((Role.SOLVE, INDUCTION), 33),
    ((Role.PROPOSE, DEDUCTION), 8), ((Role.PROPOSE, ABDUCTION), 7), ((Role.PROPOSE, INDUCTION), 8),
]), far=0.5, vain=0.15)  # fmt: skip
"""What pretraining reads."""
_REFERENCES: Final = Table([(0, 12.0), (1, 42.0), (2, 26.0), (3, 20.0)])
_MEETINGS: Final = 40
_INPUTS: Final = Table([(4, 7.0), (6, 86.0), (8, 7.0)])
_TYPES: Final = {"ints": "list", "strs": "list", "pair": "tuple", "table": "dict", "size": "int", "char": "str"}


@lru_cache
def task_types(inputs: int) -> dict[str, TaskType]:
    """Return the task types whose prompts documents have, with this many inputs in induction."""
    cfg = Config.model_validate({"templates": "compact", "python": {"inputs": inputs}})
    return {task_type.kind: task_type for task_type in DOMAIN.task_types(cfg)}


def document(seed: int, number: int, held_out: HeldOut | None = None, course: Course = LESSONS) -> tuple[Document, int]:
    """Return document `number`, and how many candidates for it were dropped because of a program that is held out.

    Raises RuntimeError where the grammar gives nothing that is not held out.
    """
    key = Key(seed).at("document", number)
    dropped = 0
    for attempt in range(1_000_000):
        dice = Dice(key.at(attempt))
        role, kind = Dice(key).weighed(course.forms)
        programs: list[str] = []
        candidate = _MAKERS[role, kind](dice, seed, course, programs)
        if candidate is None:
            continue
        if held_out is not None and any(map(held_out, programs)):
            dropped += 1
            continue
        if length(candidate.prompt) + length(candidate.response) <= DOCUMENT:
            return candidate, dropped
    raise RuntimeError("the grammar gives nothing that is not held out: hold out less")


def documents(seed: int, course: Course = LESSONS) -> Iterator[Document]:
    """Yield documents 0, 1, ... without end."""
    for number in itertools.count():
        yield document(seed, number, course=course)[0]


# --- solving ------------------------------------------------------------------------------------------------


def _solved(kind: str, payload: Payload, thought: Sequence[Piece], answer: str) -> Document:
    task_type = task_types(len(payload.pairs) if kind == INDUCTION else 6)[kind]
    pieces = (*thought, Piece(f"{text.THOUGHT}{text.ANSWER}{answer}{text.ANSWERED}"))
    return Document(Role.SOLVE, kind, task_type.solve_prompt(payload.task(kind)).text, pieces, payload)


def _deduce(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
    case = find_case(dice)
    example = telling(case, dice)
    programs.append(case.text)
    done = case.program.run(example.arguments, traced=True)
    assert done is not None
    steps = done[1].strip()
    if length(steps) > THOUGHT:
        return None
    payload = Payload(case.text, ((example.input, example.output),))
    return _solved(DEDUCTION, payload, [Piece(steps)], example.output)


def _gave_up(kind: str, payload: Payload, attempts: Sequence[Sequence[Piece]], answer: str) -> Document | None:
    """Return attempts in vain with an answer after them; None where they are too long."""
    *thought, last = [piece for attempt in attempts for piece in attempt]
    if _length([*thought, last]) > 2 * THOUGHT:
        return None
    return _solved(kind, payload, [*thought, Piece(last.text.removesuffix("\n"))], answer)


def _length(thought: Sequence[Piece]) -> int:
    return length("".join(piece.text for piece in thought))


def _check(program: Program, arguments: Sequence[Any], wanted: str) -> tuple[str, str, bool]:
    """Return an attempt: what is chosen (the arguments, on the first line), what follows, and whether it is right."""
    done = program.run(arguments, traced=True)
    assert done is not None
    right = written([done[0]]) == wanted
    chosen, broken, rest = done[1].strip().partition("\n")
    return chosen, f"{broken}{rest} ? {wanted} {'yes' if right else 'no'}", right


def _abduce(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
    case = find_case(dice)
    example = telling(case, dice)
    if example.output in DULL and dice.often(0.5):
        return None
    programs.append(case.text)
    if course.in_vain(dice):
        return _abduce_in_vain(case, example, dice)
    program = case.program
    thought: list[Piece] = []
    undone = undo(program, example.arguments, example.value, dice)
    if undone is not None:
        back = pair(program, undone[1])
        if back is not None and back.output == example.output:
            thought.append(Piece(f"{undone[0]}\n"))
            example = back
    if not thought:
        for _, attempt in _wrong_inputs(program, example, dice, dice.pick((0, 0, 1, 1, 2))):
            thought += attempt
    chosen, rest, _ = _check(program, example.arguments, example.output)
    thought.append(Piece(chosen + rest))
    if _length(thought) > THOUGHT:
        return None
    payload = Payload(case.text, ((example.input, example.output),))
    return _solved(ABDUCTION, payload, thought, example.input)


def _abduce_in_vain(case: Case, example: Pair, dice: Dice) -> Document | None:
    """Return three to five candidates, all of them wrong, the last of which is the answer; None for too few."""
    wanted = dice.pick((3, 4, 4, 5))
    attempts: dict[Piece, tuple[str, Sequence[Piece]]] = {}  # by what is chosen: nothing twice
    for input_, attempt in _wrong_inputs(case.program, example, dice, _MEETINGS):
        attempts.setdefault(attempt[0], (input_, attempt))
        if len(attempts) == wanted:
            payload = Payload(case.text, ((example.input, example.output),))
            return _gave_up(ABDUCTION, payload, [attempt for _, attempt in attempts.values()], input_)
    return None


def _wrong_inputs(program: Program, example: Pair, dice: Dice, draws: int) -> Iterator[tuple[str, Sequence[Piece]]]:
    """Yield at most this many near misses, none of them right: the input's text, and the attempt."""
    for _ in range(draws):
        missed = pair(program, near_arguments(example.arguments, program.sorts, dice))
        if missed is not None and missed.output != example.output:
            chosen, rest, _ = _check(program, missed.arguments, example.output)
            yield missed.input, (Piece(chosen, learn=False), Piece(f"{rest}\n"))


def _induce(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
    count = dice.weighed(_INPUTS)
    case = find_case(dice, wanted=count, distinct=3)
    programs.append(case.text)
    shown = case.pairs[: count // 2]
    if course.in_vain(dice):
        return _induce_in_vain(case, shown, dice, course, programs)
    thought: list[Piece] = []
    room = THOUGHT - 2 * length(case.text)
    for program, attempt in _wrong_programs(
        case, shown, dice, course, dice.pick((0, 0, 0, 1, 1, 2)) if room > 30 else 0
    ):
        programs.append(program)
        thought += attempt
    thought.append(Piece(f"{case.text}\n"))
    checks = ["".join(_check(case.program, example.arguments, example.output)[:2]) for example in shown[:2]]
    both = "\n".join(checks)
    thought.append(Piece(both if length(both) < 70 or dice.often(0.2) else checks[0]))
    if _length(thought) > 2 * THOUGHT:
        return None
    return _solved(INDUCTION, _induction(case, dice), thought, text.render_program(case.text))


def _induce_in_vain(
    case: Case, shown: Sequence[Pair], dice: Dice, course: Course, programs: list[str]
) -> Document | None:
    """Return two or three candidates, all of them wrong, the last of which is the answer; None for too few."""
    wanted = dice.pick((2, 2, 3))
    attempts = list(_wrong_programs(case, shown, dice, course, 2 * wanted))[:wanted]
    programs += [program for program, _ in attempts]
    if len(attempts) < wanted:
        return None
    answer = text.render_program(attempts[-1][0])
    return _gave_up(INDUCTION, _induction(case, dice), [attempt for _, attempt in attempts], answer)


def _induction(case: Case, dice: Dice) -> Payload:
    pairs = tuple((example.input, example.output) for example in case.pairs)
    return Payload(case.text, pairs, _message(case, dice))


def _wrong_programs(
    case: Case, shown: Sequence[Pair], dice: Dice, course: Course, draws: int
) -> Iterator[tuple[str, Sequence[Piece]]]:
    """Yield at most this many other programs, all of them candidates: the text, and the attempt."""
    for _ in range(draws):
        far = course.far > 0 and dice.often(course.far)
        missed = _missed(case, shown, _far_program(case, dice) if far else near_program(case.program, dice))
        if missed is not None:
            program, checks = missed
            yield program, (Piece(program, learn=False), Piece(f"\n{checks}\n"))


def _far_program(case: Case, dice: Dice) -> Program | None:
    """Return a program of its own with the same types of arguments and value; None if none is met soon."""
    example = case.pairs[0]
    for _ in range(_MEETINGS):
        program = write_program(dice)
        if program.sorts == case.program.sorts:
            done = program.run(example.arguments)
            if done is not None and type(done[0]) is type(example.value):
                return program
    return None


def _missed(case: Case, shown: Sequence[Pair], program: Program | None) -> tuple[str, str] | None:
    """Return a program, and the checks up to the shown pair that it misses; None if it cannot be a candidate."""
    if program is None:
        return None
    checks: list[str] = []
    for example in shown:
        if program.run(example.arguments) is None:
            return None
        chosen, rest, right = _check(program, example.arguments, example.output)
        checks.append(chosen + rest)
        if not right:
            return program.write(), "\n".join(checks)
    return None


def _message(case: Case, dice: Dice) -> str:
    """Return what the program is about, in a few words: operations of it in their order, or what it gives."""
    phrases = case.program.phrases()
    kept = phrases if dice.often(0.5) else [phrase for phrase in phrases if dice.often(0.6)]
    message = ""
    for phrase in kept:
        longer = f"{message}, {phrase}" if message else phrase
        if len(longer.split()) > 8:
            break
        message = longer
    kind = type(case.pairs[0].value).__name__
    if not message or dice.often(0.15):
        return f"gives {'an' if kind == 'int' else 'a'} {kind}"
    return message


# --- proposing ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=POOL)
def _reference(seed: int, number: int) -> Payload:
    dice = Dice(Key(seed).at("reference", number))
    case = find_case(dice)
    example = telling(case, dice)
    return Payload(case.text, ((example.input, example.output),))


def _references(dice: Dice, seed: int) -> list[Payload]:
    """Return up to three past triplets; as the only one, often that from which self-play starts."""
    count = dice.weighed(_REFERENCES)
    if count == 1 and dice.often(0.4):
        return [IDENTITY]
    return [_reference(seed, dice.below(POOL)) for _ in range(count)]


def _plan(case: Case, example: Pair) -> str:
    """Return a few words that settle what the program will be."""
    sorts = ", ".join(_TYPES.get(sort, sort) for sort in case.program.sorts)
    return f"{sorts} -> {type(example.value).__name__} {case.text.count(chr(10)) + 1}"


def _propose_triplet(kind: str) -> Maker:
    def propose(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
        references = _references(dice, seed)
        case = find_case(dice)
        example = telling(case, dice)
        programs += [case.text, *(reference.program for reference in references if reference is not IDENTITY)]
        if any(reference.program == case.text for reference in references) or case.text == IDENTITY.program:
            return None
        answer = text.render_program_and_input(case.text, example.input)
        pieces = (Piece(text.render_response(_plan(case, example), answer, opened=True)),)
        payload = Payload(case.text, ((example.input, example.output),))
        prompt = task_types(6)[kind].propose_prompt([reference.task(kind) for reference in references])
        return Document(Role.PROPOSE, kind, prompt.text, pieces, payload)

    return propose


def _propose_inputs(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
    count = dice.weighed(_INPUTS)
    case = find_case(dice, wanted=count, distinct=3)
    programs.append(case.text)
    message = _message(case, dice)
    answer = text.render_inputs_and_message([example.input for example in case.pairs], message)
    pieces = (Piece(text.render_response("", answer, opened=True)),)
    payload = Payload(case.text, tuple((example.input, example.output) for example in case.pairs), message)
    shown = Payload(case.text, payload.pairs[:1]).task(DEDUCTION)
    prompt = task_types(count)[INDUCTION].propose_prompt([shown])
    return Document(Role.PROPOSE, INDUCTION, prompt.text, pieces, payload)


_MAKERS: Final[dict[tuple[Role, str], Maker]] = {
    (Role.SOLVE, DEDUCTION): _deduce,
    (Role.SOLVE, ABDUCTION): _abduce,
    (Role.SOLVE, INDUCTION): _induce,
    (Role.PROPOSE, DEDUCTION): _propose_triplet(DEDUCTION),
    (Role.PROPOSE, ABDUCTION): _propose_triplet(ABDUCTION),
    (Role.PROPOSE, INDUCTION): _propose_inputs,
}
