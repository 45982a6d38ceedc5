"""Documents: a prompt as self-play will pose it, a thought, and an answer. What the embedded model is trained on.

Thoughts are built so that each next token is easy, given what stands before. Deduction runs the program line by line.
Abduction undoes the program where it can be undone, then runs it on candidate inputs; induction runs candidate
programs on the examples in the same way. After each trial stand the output that is wanted, and `no` or `yes`. The
candidates that come to nothing are part of the text but not of the lesson (`Piece.learn`): a model learns what to try
next, not to try wrongly. A few thoughts of abduction and induction are in vain: after some candidates the last one is
the answer, for a response that never ends is worth less than one that is wrong.
Proposals are planned in a few words: the types of the input and the output, and the lines.

Promises: document n of a seed is a function of (seed, n) and of what is held out; every answer is right, but for the
few that are given in vain, after a `no`; no program of the held-out set occurs in any of them, those in prompts and
thoughts among them. Prompts are those of `absolute_zero.tasks`.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, final

from absolute_zero import text
from absolute_zero.config import Config, Propose
from absolute_zero.embedded.author import write_program
from absolute_zero.embedded.backward import undo
from absolute_zero.embedded.cases import DULL, Case, Pair, find_case, pair, telling, written
from absolute_zero.embedded.dice import Dice, Table
from absolute_zero.embedded.pieces import length
from absolute_zero.embedded.program import Program
from absolute_zero.embedded.variants import near_arguments, near_program
from absolute_zero.keys import Key
from absolute_zero.ports import Task
from absolute_zero.tasks import make_tasks
from absolute_zero.types import Kind, Problem, Role, Triplet

THOUGHT: Final = 120
"""Longest thought, in tokens as `pieces` counts them; twice that with candidate programs, or in vain."""
DOCUMENT: Final = 300
"""Longest document."""
POOL: Final = 20_000
"""References are drawn from so many cases, which are drawn once for each seed."""
IDENTITY: Final = Triplet("def f(x):\n    return x", "1", "1")
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
    """One prompt with one response. `problem` is what a solution is judged by; a proposal's is what it proposes."""

    role: Role
    kind: Kind
    prompt: str
    pieces: tuple[Piece, ...]
    problem: Problem

    @property
    def response(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@final
@dataclass(frozen=True, slots=True)
class Course:
    """What documents are drawn from beside the grammar."""

    forms: Table[tuple[Role, Kind]]
    """How often each form occurs."""
    far: float
    """Of the wrong candidates of induction, those that are a program of their own instead of a near miss."""
    vain: float
    """Of the solutions of abduction and induction, those that try in vain and end with the last candidate. Of the
    drafts: as they are longer than others, more of them are dropped, and 12 % and 9 % of the documents are left."""

    def in_vain(self, dice: Dice) -> bool:
        """Whether the next solution comes to nothing. Rolls no die where none does, so that EXAM stays as it is."""
        return self.vain > 0 and dice.often(self.vain)


EXAM: Final = Course(Table([
    ((Role.SOLVE, Kind.DEDUCTION), 28), ((Role.SOLVE, Kind.ABDUCTION), 21), ((Role.SOLVE, Kind.INDUCTION), 25),
    ((Role.PROPOSE, Kind.DEDUCTION), 8), ((Role.PROPOSE, Kind.ABDUCTION), 8), ((Role.PROPOSE, Kind.INDUCTION), 10),
]), far=0.0, vain=0.0)  # fmt: skip
"""What the held-out suites are drawn with: to change it changes them."""
LESSONS: Final = Course(Table([
    ((Role.SOLVE, Kind.DEDUCTION), 20), ((Role.SOLVE, Kind.ABDUCTION), 24), ((Role.SOLVE, Kind.INDUCTION), 33),
    ((Role.PROPOSE, Kind.DEDUCTION), 8), ((Role.PROPOSE, Kind.ABDUCTION), 7), ((Role.PROPOSE, Kind.INDUCTION), 8),
]), far=0.5, vain=0.15)  # fmt: skip
"""What pretraining reads."""
_REFERENCES: Final = Table([(0, 12.0), (1, 42.0), (2, 26.0), (3, 20.0)])
_MEETINGS: Final = 40
_INPUTS: Final = Table([(4, 7.0), (6, 86.0), (8, 7.0)])
_TYPES: Final = {"ints": "list", "strs": "list", "pair": "tuple", "table": "dict", "size": "int", "char": "str"}


@lru_cache
def _tasks(inputs: int) -> dict[Kind, Task]:
    return dict(make_tasks(Config(templates="compact", propose=Propose(inputs=inputs))))


def document(seed: int, number: int, held_out: HeldOut | None = None, course: Course = LESSONS) -> tuple[Document, int]:
    """Document `number`, and how many drafts of it were dropped because they held a program that is held out."""
    key = Key(seed).at("document", number)
    dropped = 0
    for attempt in range(1_000_000):
        dice = Dice(key.at(attempt))
        role, kind = Dice(key).weighed(course.forms)
        programs: list[str] = []
        made = _MAKERS[role, kind](dice, seed, course, programs)
        if made is None:
            continue
        if held_out is not None and any(map(held_out, programs)):
            dropped += 1
            continue
        if length(made.prompt) + length(made.response) <= DOCUMENT:
            return made, dropped
    raise RuntimeError("the grammar gives nothing that is not held out: hold out less")


def documents(seed: int, course: Course = LESSONS) -> Iterator[Document]:
    """Documents 0, 1, ... without end."""
    for number in itertools.count():
        yield document(seed, number, course=course)[0]


# --- solving ------------------------------------------------------------------------------------------------


def _solved(kind: Kind, problem: Problem, thought: Sequence[Piece], answer: str) -> Document:
    task = _tasks(len(problem.pairs) if kind is Kind.INDUCTION else 6)[kind]
    pieces = (*thought, Piece(f"{text.THOUGHT}{text.ANSWER}{answer}{text.ANSWERED}"))
    return Document(Role.SOLVE, kind, task.pose(problem), pieces, problem)


def _deduce(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
    case = find_case(dice)
    one = telling(case, dice)
    programs.append(case.text)
    done = case.program.run(one.arguments, traced=True)
    assert done is not None
    steps = done[1].strip()
    if length(steps) > THOUGHT:
        return None
    problem = Problem(Kind.DEDUCTION, case.text, ((one.given, one.output),))
    return _solved(Kind.DEDUCTION, problem, [Piece(steps)], one.output)


def _gave_up(kind: Kind, problem: Problem, trials: Sequence[Sequence[Piece]], answer: str) -> Document | None:
    """Trials in vain with an answer after them, unless they are too long."""
    *thought, last = [piece for tried in trials for piece in tried]
    if _length([*thought, last]) > 2 * THOUGHT:
        return None
    return _solved(kind, problem, [*thought, Piece(last.text.removesuffix("\n"))], answer)


def _length(thought: Sequence[Piece]) -> int:
    return length("".join(piece.text for piece in thought))


def _tried(program: Program, arguments: Sequence[Any], wanted: str) -> tuple[str, str, bool]:
    """A trial: what is chosen (the arguments, on the first line), what follows from it, and whether it is right."""
    done = program.run(arguments, traced=True)
    assert done is not None
    right = written([done[0]]) == wanted
    chosen, broken, rest = done[1].strip().partition("\n")
    return chosen, f"{broken}{rest} ? {wanted} {'yes' if right else 'no'}", right


def _abduce(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
    case = find_case(dice)
    one = telling(case, dice)
    if one.output in DULL and dice.often(0.5):
        return None
    programs.append(case.text)
    if course.in_vain(dice):
        return _abduce_in_vain(case, one, dice)
    program = case.program
    thought: list[Piece] = []
    undone = undo(program, one.arguments, one.value, dice)
    if undone is not None:
        back = pair(program, undone[1])
        if back is not None and back.output == one.output:
            thought.append(Piece(f"{undone[0]}\n"))
            one = back
    if not thought:
        for _, tried in _wrong_inputs(program, one, dice, dice.pick((0, 0, 1, 1, 2))):
            thought += tried
    chosen, rest, _ = _tried(program, one.arguments, one.output)
    thought.append(Piece(chosen + rest))
    if _length(thought) > THOUGHT:
        return None
    problem = Problem(Kind.ABDUCTION, case.text, ((one.given, one.output),))
    return _solved(Kind.ABDUCTION, problem, thought, one.given)


def _abduce_in_vain(case: Case, one: Pair, dice: Dice) -> Document | None:
    """Three to five candidates, all of them wrong, the last of which is the answer."""
    wanted = dice.pick((3, 4, 4, 5))
    found: dict[Piece, tuple[str, Sequence[Piece]]] = {}  # by what is chosen: nothing twice
    for given, tried in _wrong_inputs(case.program, one, dice, _MEETINGS):
        found.setdefault(tried[0], (given, tried))
        if len(found) == wanted:
            problem = Problem(Kind.ABDUCTION, case.text, ((one.given, one.output),))
            return _gave_up(Kind.ABDUCTION, problem, [tried for _, tried in found.values()], given)
    return None


def _wrong_inputs(program: Program, one: Pair, dice: Dice, draws: int) -> Iterator[tuple[str, Sequence[Piece]]]:
    """So many near misses, but for those that are none: the input's text, and the trial."""
    for _ in range(draws):
        missed = pair(program, near_arguments(one.arguments, program.sorts, dice))
        if missed is not None and missed.output != one.output:
            chosen, rest, _ = _tried(program, missed.arguments, one.output)
            yield missed.given, (Piece(chosen, learn=False), Piece(f"{rest}\n"))


def _induce(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
    count = dice.weighed(_INPUTS)
    case = find_case(dice, wanted=count, distinct=3)
    programs.append(case.text)
    shown = case.pairs[: count // 2]
    if course.in_vain(dice):
        return _induce_in_vain(case, shown, dice, course, programs)
    thought: list[Piece] = []
    room = THOUGHT - 2 * length(case.text)
    for program, tried in _wrong_programs(case, shown, dice, course, dice.pick((0, 0, 0, 1, 1, 2)) if room > 30 else 0):
        programs.append(program)
        thought += tried
    thought.append(Piece(f"{case.text}\n"))
    checks = ["".join(_tried(case.program, one.arguments, one.output)[:2]) for one in shown[:2]]
    both = "\n".join(checks)
    thought.append(Piece(both if length(both) < 70 or dice.often(0.2) else checks[0]))
    if _length(thought) > 2 * THOUGHT:
        return None
    return _solved(Kind.INDUCTION, _induction(case, dice), thought, text.render_program(case.text))


def _induce_in_vain(
    case: Case, shown: Sequence[Pair], dice: Dice, course: Course, programs: list[str]
) -> Document | None:
    """Two or three candidates, all of them wrong, the last of which is the answer."""
    wanted = dice.pick((2, 2, 3))
    found = list(_wrong_programs(case, shown, dice, course, 2 * wanted))[:wanted]
    programs += [program for program, _ in found]
    if len(found) < wanted:
        return None
    answer = text.render_program(found[-1][0])
    return _gave_up(Kind.INDUCTION, _induction(case, dice), [tried for _, tried in found], answer)


def _induction(case: Case, dice: Dice) -> Problem:
    pairs = tuple((one.given, one.output) for one in case.pairs)
    return Problem(Kind.INDUCTION, case.text, pairs, _message(case, dice))


def _wrong_programs(
    case: Case, shown: Sequence[Pair], dice: Dice, course: Course, draws: int
) -> Iterator[tuple[str, Sequence[Piece]]]:
    """So many other programs, but for those that are no candidates: the text, and the trial."""
    for _ in range(draws):
        far = course.far > 0 and dice.often(course.far)
        missed = _missed(case, shown, _far_program(case, dice) if far else near_program(case.program, dice))
        if missed is not None:
            program, checks = missed
            yield program, (Piece(program, learn=False), Piece(f"\n{checks}\n"))


def _far_program(case: Case, dice: Dice) -> Program | None:
    """A program of its own that takes the same arguments to a value of the same type; None if none is met soon."""
    one = case.pairs[0]
    for _ in range(_MEETINGS):
        program = write_program(dice)
        if program.sorts == case.program.sorts:
            done = program.run(one.arguments)
            if done is not None and type(done[0]) is type(one.value):
                return program
    return None


def _missed(case: Case, shown: Sequence[Pair], program: Program | None) -> tuple[str, str] | None:
    """A program, and the checks up to the first shown pair that it does not give; None if it cannot be a candidate."""
    if program is None:
        return None
    checks: list[str] = []
    for one in shown:
        if program.run(one.arguments) is None:
            return None
        chosen, rest, right = _tried(program, one.arguments, one.output)
        checks.append(chosen + rest)
        if not right:
            return program.write(), "\n".join(checks)
    return None


def _message(case: Case, dice: Dice) -> str:
    """What the program is about, in a few words: some of its operations in their order, or what it gives."""
    phrases = case.program.phrases()
    kept = phrases if dice.often(0.5) else [phrase for phrase in phrases if dice.often(0.6)]
    said = ""
    for phrase in kept:
        longer = f"{said}, {phrase}" if said else phrase
        if len(longer.split()) > 8:
            break
        said = longer
    kind = type(case.pairs[0].value).__name__
    if not said or dice.often(0.15):
        return f"gives {'an' if kind == 'int' else 'a'} {kind}"
    return said


# --- proposing ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=POOL)
def _reference(seed: int, number: int) -> Triplet:
    dice = Dice(Key(seed).at("reference", number))
    case = find_case(dice)
    one = telling(case, dice)
    return Triplet(case.text, one.given, one.output)


def _references(dice: Dice, seed: int) -> list[Triplet]:
    """Up to three past triplets; as the only one, often that from which self-play starts."""
    count = dice.weighed(_REFERENCES)
    if count == 1 and dice.often(0.4):
        return [IDENTITY]
    return [_reference(seed, dice.below(POOL)) for _ in range(count)]


def _plan(case: Case, one: Pair) -> str:
    """A few words that settle what the program will be."""
    sorts = ", ".join(_TYPES.get(sort, sort) for sort in case.program.sorts)
    return f"{sorts} -> {type(one.value).__name__} {case.text.count(chr(10)) + 1}"


def _propose_triplet(kind: Kind) -> Maker:
    def propose(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
        references = _references(dice, seed)
        case = find_case(dice)
        one = telling(case, dice)
        programs += [case.text, *(reference.program for reference in references if reference is not IDENTITY)]
        if any(reference.program == case.text for reference in references) or case.text == IDENTITY.program:
            return None
        answer = text.render_program_and_input(case.text, one.given)
        pieces = (Piece(text.render_response(_plan(case, one), answer, opened=True)),)
        problem = Problem(kind, case.text, ((one.given, one.output),))
        return Document(Role.PROPOSE, kind, _tasks(6)[kind].ask(references), pieces, problem)

    return propose


def _propose_inputs(dice: Dice, seed: int, course: Course, programs: list[str]) -> Document | None:
    count = dice.weighed(_INPUTS)
    case = find_case(dice, wanted=count, distinct=3)
    programs.append(case.text)
    message = _message(case, dice)
    answer = text.render_inputs_and_message([one.given for one in case.pairs], message)
    pieces = (Piece(text.render_response("", answer, opened=True)),)
    problem = Problem(Kind.INDUCTION, case.text, tuple((one.given, one.output) for one in case.pairs), message)
    shown = Triplet(case.text, case.pairs[0].given, case.pairs[0].output)
    return Document(Role.PROPOSE, Kind.INDUCTION, _tasks(count)[Kind.INDUCTION].ask([shown]), pieces, problem)


_MAKERS: Final[dict[tuple[Role, Kind], Maker]] = {
    (Role.SOLVE, Kind.DEDUCTION): _deduce,
    (Role.SOLVE, Kind.ABDUCTION): _abduce,
    (Role.SOLVE, Kind.INDUCTION): _induce,
    (Role.PROPOSE, Kind.DEDUCTION): _propose_triplet(Kind.DEDUCTION),
    (Role.PROPOSE, Kind.ABDUCTION): _propose_triplet(Kind.ABDUCTION),
    (Role.PROPOSE, Kind.INDUCTION): _propose_inputs,
}
