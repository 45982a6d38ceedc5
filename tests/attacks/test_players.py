"""Proposers that play the game instead of making tasks: none fills a buffer, and none lives on what it got in.

Each player knows the rules and the prompts, has a sandbox in front of it like everybody, and plays for dozens of
rounds. What is counted is what the gate let in: a small number for each kind, however long they play.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest

from absolute_zero import text
from absolute_zero.buffer import Buffer
from absolute_zero.config import Config
from absolute_zero.domains.python import ZERO, read_payload
from absolute_zero.domains.python.payload import ABDUCTION, DEDUCTION, INDUCTION, KINDS
from absolute_zero.executor import Sandbox
from absolute_zero.policy.scripted import Lines
from absolute_zero.selfplay import step
from absolute_zero.training import seed
from absolute_zero.types import Grade, Role, Validation
from absolute_zero.values import canonical
from worlds import components, empty_buffer, watched

ROUNDS = 24
Value = object
Play = Callable[[int, str, Random], tuple[str, str]]
"""From the number of the proposal, the prompt and a generator: a program and an input."""
Inputs = Callable[[int, str], str]
"""From a number and a program: one of the inputs of an induction proposal."""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2) as made:
        yield made


def config(batch: int = 1, **more: object) -> Config:
    return Config.model_validate(
        {
            "templates": "compact",
            "propose": {"batch": batch},
            "python": {"inputs": 4},
            "solve": {"n_difficulty": 4, "reuse_difficulty": True},
            "sandbox": {"cpu_seconds": 0.5},
            **more,
        }
    )


# --- pieces to build proposals from -------------------------------------------------------------------------


def pick(random: Random, some: Sequence[str]) -> str:
    return some[int(random.random() * len(some))]


def number(random: Random, size: int = 1000) -> int:
    return int(random.random() * size)


def nested(random: Random, depth: int = 4) -> Value:
    """A value of a type that nobody has seen before."""
    atom: list[Value] = [number(random), "ab"[: number(random, 3)], 0.5, True, None, b"x", (1, "a")]
    value = atom[number(random, len(atom))]
    for _ in range(number(random, depth)):
        value = [[value], (value, 1), {"k": value}, [value, "s"], {1: value}, (value,), [value] * 2][number(random, 7)]
    return value


def renamed(program: str, random: Random) -> str:
    """The same program with other names for its variables, all of which have the form `v_`."""
    names = sorted(set(re.findall(r"\b\w_\b", program)))
    fresh = {name: f"n{place}{number(random)}" for place, name in enumerate(names)}
    return re.sub(r"\b\w_\b", lambda found: fresh[found[0]], program)


def padded(program: str, random: Random) -> str:
    """The same function, written longer: all that a text can be stuffed with."""
    head, body = program.split("\n    ", 1)
    *lines, last = body.split("\n    ")
    result = last.removeprefix("return ")
    for _ in range(1 + number(random, 3)):
        result = pick(random, [f"({result})", f"[{result}][0]", f"{result} if True else {number(random)}",
                               f"(lambda q_: q_)({result})", f"({result}, 1)[0]"])  # fmt: skip
    junk = [
        f"d_ = {number(random)}",
        f"if False:\n        return {number(random)}",
        f"for e_ in range({number(random, 5)}):\n        pass",
        f"'''{number(random)}'''",
        f"e_ = [{number(random)}, {number(random)}]",
        f"assert {number(random)} >= 0",
        f"while False:\n        d_ = {number(random)}",
    ]
    stuffed = [*lines, *(pick(random, junk) for _ in range(1 + number(random, 3)))]
    helper = pick(random, ["", f"def h_(x_):\n    return x_ * {number(random)}\n", f"K_ = {number(random)}\n"])
    return renamed(f"{helper}{head}\n    " + "\n    ".join([*stuffed, f"return {result}"]), random)


# --- the players --------------------------------------------------------------------------------------------


def identities(place: int, prompt: str, random: Random) -> tuple[str, str]:
    bodies = ["return x_", "y_ = x_\n    return y_", "return (x_ or x_)", "return [x_][0]", "return [*[x_]].pop()"]
    program = padded(f"def f(x_):\n    {pick(random, bodies)}", random)
    return program, canonical(nested(random))


def almost_identities(place: int, prompt: str, random: Random) -> tuple[str, str]:
    bodies = ["return x_ + 0", "return x_ * 1", "return -(-x_)", "return float(x_)", "return x_ * 1.0",
              f"return x_ if x_ != {number(random)} else {number(random)}", "return int(x_ + 0)"]  # fmt: skip
    return padded(f"def f(x_):\n    {pick(random, bodies)}", random), str(number(random))


def constants(place: int, prompt: str, random: Random) -> tuple[str, str]:
    k = number(random)
    numeric = [f"x_ * 0 + {k}", "x_ - x_", "max(min(x_, 0), 0)", f"{k} if x_ == x_ else x_", "x_ * 0", "x_ * 0.0",
               "0 * x_ if x_ > 3 else 0.0 * x_", "(x_ > 0) * 0"]  # fmt: skip
    general = ["len([x_]) - len([x_])", f"{k} if [x_] else 1", f"[x_, {k}][1]", f"(x_ is x_) + {k}", "[x_][1:]"]
    if random.random() < 0.5:
        return padded(f"def f(x_):\n    return {pick(random, numeric)}", random), pick(random, ["3", "-2.5", "True"])
    return padded(f"def f(x_):\n    return {pick(random, general)}", random), canonical(nested(random))


def constants_but_once(place: int, prompt: str, random: Random) -> tuple[str, str]:
    """The gate tries some inputs: so the own one is the only one with another value, or with a value."""
    k, own = number(random), 100 + number(random)
    bodies = [f"{k} if x_ != {own} else {k + 1}", f"{{{own}: {k}}}[x_]", f"{{{own}: {k}}}.get(x_, {k + 3})",
              f"{k} if x_ == {own} else x_ // 0", f"{k} // (x_ == {own})"]  # fmt: skip
    return padded(f"def f(x_):\n    return {pick(random, bodies)}", random), str(own)


def copies(place: int, prompt: str, random: Random) -> tuple[str, str]:
    """What it is shown, with other names."""
    programs = re.findall(r"```python\n(.*?)\n```", prompt, re.DOTALL)
    inputs = re.findall(r"```input\n(.*?)\n```", prompt, re.DOTALL)
    shown = place % len(programs)
    program = re.sub(r"\bx\b", pick(random, ["y", "z", "total", "x"]), programs[shown])
    return f"# {number(random)}\n{program}", f" {inputs[shown]} # {number(random)}"


def variants(place: int, prompt: str, random: Random) -> tuple[str, str]:
    """One idea in ever other words: dead code, helpers, statements in another order, `+0`, `*1`, double negation."""
    a, b = pick(random, ["x_ * x_", "x_ ** 2", "x_ * x_ + 0", "-(-x_ * x_)"]), pick(random, ["3 * x_", "x_ * 3 * 1"])
    lines = [f"a_ = {a}", f"b_ = {b}"]
    lines = lines if random.random() < 0.5 else lines[::-1]
    result = pick(random, ["a_ - b_ + 7", "7 - (b_ - a_)", "-(-(a_ - b_ + 7))", "a_ + 7 - b_"])
    program = "def f(x_):\n    " + "\n    ".join([*lines, f"return {result}"])
    return padded(program, random), str(number(random))


def variants_with_luggage(place: int, prompt: str, random: Random) -> tuple[str, str]:
    """The same with a parameter that does nothing, of an ever new type."""
    program, given = variants(place, prompt, random)
    return re.sub(r"def f\((\w+)\)", r"def f(\1, w)", program), f"{given}, {canonical(nested(random))}"


def variants_on_any_type(place: int, prompt: str, random: Random) -> tuple[str, str]:
    """The same with a function that takes whatever it is given, and ever new types."""
    bodies = ["[x_, str(x_)[::-1]]", "[*[x_], str(x_)[::-1]]", "[x_] + [str(x_)[::-1]]"]
    return padded(f"def f(x_):\n    return {pick(random, bodies)}", random), canonical(nested(random))


def one_program(place: int, prompt: str, random: Random) -> tuple[str, str]:
    return renamed("def f(x_):\n    return [x_, str(x_)[::-1]]", random), canonical(nested(random))


def variants_far_out(place: int, prompt: str, random: Random) -> tuple[str, str]:
    """The same where no probe goes: only inputs near the own one give a value."""
    program, _ = variants(place, prompt, random)
    far = re.sub(r"def f\((\w+)\):\n", r"def f(\1):\n    assert \1 > 100000\n", program)
    return far, str(100_010 + int(random.random() * 10**6))


def few_results_with_luggage(place: int, prompt: str, random: Random) -> tuple[str, str]:
    """The same with four results only, and a parameter that does nothing, of an ever new type."""
    program, given = variants_with_luggage(place, prompt, random)
    return re.sub(r"return (.*)$", r"return (\1) % 4", program), given


def number_inputs(place: int, program: str) -> str:
    return str(37 * place - 11)


def any_inputs(place: int, program: str) -> str:
    return canonical([number(Random(place)), "a" * place])


PLAYERS: dict[str, tuple[Play, Inputs, int, int]] = {
    # Tasks it gets in at most: deduction and abduction each; induction, three of them about the zero triplet.
    "identities": (identities, any_inputs, 3, 3),
    "almost identities": (almost_identities, number_inputs, 3, 3),
    "constants": (constants, number_inputs, 0, 3),
    "constants but once": (constants_but_once, number_inputs, 3, 6),
    "copies": (copies, number_inputs, 0, 3),
    "variants": (variants, number_inputs, 3, 6),
    "variants far out": (variants_far_out, lambda n, program: f"{37 * n}, 'a'", 3, 6),
    "few results with luggage": (few_results_with_luggage, lambda n, program: f"{37 * n}, 'a'", 3, 6),
    "variants with luggage": (variants_with_luggage, lambda n, program: f"{37 * n}, 'a'", 3, 6),
    "variants on any type": (variants_on_any_type, any_inputs, 3, 6),
    "one program": (one_program, any_inputs, 3, 6),
}


@dataclass
class Game:
    """A player in both roles. Its solver remembers what its proposer made, and is right as often as `right` says."""

    play: Play
    inputs: Inputs
    right: float = 1.0
    made: Iterator[int] = field(default_factory=count)
    programs: dict[str, str] = field(default_factory=dict[str, str])
    given: dict[str, list[str]] = field(default_factory=lambda: {read_payload(ZERO.payload).program: ["1"]})

    def say(self, prompt: str, random: Random) -> str:
        part = " ".join(prompt.split(None, 2)[:2])
        return text.render_response("", getattr(self, part.replace(" ", "_"))(prompt, random), opened=True)

    def propose_deduction(self, prompt: str, random: Random) -> str:
        program, given = self.play(next(self.made), prompt, random)
        self.given.setdefault(program, []).append(given)
        return text.render_program_and_input(program, given)

    propose_abduction = propose_deduction

    def propose_induction(self, prompt: str, random: Random) -> str:
        place, program = next(self.made), block(prompt, "python")
        self.programs[f"Case {place}."] = program
        inputs = [self.inputs(4 * place + item, program) for item in range(4)]
        return text.render_inputs_and_message(inputs, f"Case {place}.")

    def solve_deduction(self, prompt: str, random: Random) -> str:
        right = called(block(prompt, "python"), block(prompt, "input"))
        return text.render_output(right if random.random() < self.right else "'?'")

    def solve_abduction(self, prompt: str, random: Random) -> str:
        program, output = block(prompt, "python"), block(prompt, "output")
        right = next(given for given in self.given[program] if called(program, given) == output)
        return text.render_input(right if random.random() < self.right else "'?', '?', '?'")

    def solve_induction(self, prompt: str, random: Random) -> str:
        right = self.programs[block(prompt, "message")]
        return text.render_program(right if random.random() < self.right else "def f(*x):\n    return '?'")


def block(prompt: str, label: str) -> str:
    return re.findall(rf"```{label}\n(.*?)\n```", prompt, re.DOTALL)[0]


def called(program: str, given: str) -> str:
    """What one of the programs above gives; our own process will do for these."""
    names: dict[str, Any] = {}
    exec(program, names)
    return canonical(eval(f"f({given})", names))


def rounds(sandbox: Sandbox, game: Game, cfg: Config, number_of: int = ROUNDS) -> tuple[Buffer, list[Validation]]:
    """What the gate made of it, round by round."""
    parts = components(watched(sandbox, Lines(game.say)), cfg)
    buffer, validations = empty_buffer(cfg), list[Validation]()
    for index in range(number_of):
        validations += seed(index - number_of, parts, buffer, cfg).validations
    return buffer, validations


@pytest.mark.parametrize("name", PLAYERS)
def test_a_player_gets_few_tasks_in_however_long_it_plays(sandbox: Sandbox, name: str) -> None:
    play, inputs, most, most_induction = PLAYERS[name]
    cfg = config()
    buffer, validations = rounds(sandbox, Game(play, inputs), cfg)
    reasons = Counter(v.result.reason if isinstance(v.result, Grade) else "accepted" for v in validations)
    assert len(validations) == ROUNDS * cfg.propose.batch * len(KINDS)
    assert sum(v.valid for v in validations) > len(validations) // 2, reasons  # it does play
    sizes = {kind: buffer.size(kind) for kind in KINDS}
    assert sizes[DEDUCTION] <= most, (sizes, reasons)
    assert sizes[ABDUCTION] <= most, (sizes, reasons)
    assert sizes[INDUCTION] <= most_induction, (sizes, reasons)


# --- what it earns ------------------------------------------------------------------------------------------


def everything(place: int, prompt: str, random: Random) -> tuple[str, str]:
    """All of these by turns; the same type of input at every turn, as its solver has to be able to answer."""
    plays = (almost_identities, constants_but_once, variants, copies)
    return plays[place // 2 % len(plays)](place, prompt, random)


@pytest.mark.parametrize("right", [0.0, 0.5, 1.0])
def test_a_player_earns_what_its_few_tasks_allow(sandbox: Sandbox, right: float) -> None:
    """Three cells of three, and what passes the gate is paid once: at most 3/4 with four rollouts, and nothing if its
    own solver always fails or always succeeds. The rest is worth nothing, or costs."""
    cfg = config()
    game = Game(everything, number_inputs, right)
    parts, buffer = components(watched(sandbox, Lines(game.say)), cfg), empty_buffer(cfg)
    earned: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number_ in range(1, ROUNDS + 1):
        for rollout in step(number_, parts, buffer, {}, cfg).rollouts:
            if rollout.role is Role.PROPOSE and rollout.reward is not None:
                earned[rollout.kind].append(rollout.reward)
    for kind in KINDS:
        assert len(earned[kind]) == ROUNDS * cfg.propose.batch
        gains = [reward for reward in earned[kind] if reward > 0]
        assert buffer.size(kind) <= (12 if kind == INDUCTION else 9)
        assert len(gains) <= buffer.size(kind)
        assert max(gains, default=0) <= 0.75
        assert not gains or right == 0.5
    assert sum(len([r for r in some if r > 0]) for some in earned.values()) > 0 or right != 0.5
    assert sum(earned[DEDUCTION][ROUNDS // 2 :]) < 0  # nothing new is left, and copies cost


# --- and what honest ones get -------------------------------------------------------------------------------

HONEST: tuple[tuple[str, str], ...] = (
    ("return sum(x)", "[1, 2, 3]"),
    ("return sum(n for n in x if n % 2)", "[1, 2, 3]"),
    ("return max(x) - min(x)", "[4, 9, 2]"),
    ("return sorted(x)[::-1]", "[4, 9, 2]"),
    ("return sorted(set(x))", "[4, 9, 4]"),
    ("return x == x[::-1]", "'abcba'"),
    ("return len(x.split())", "'one two three'"),
    ("return ''.join(chr(ord(c) + 1) for c in x)", "'hal'"),
    ("return x.upper().replace('A', '@')", "'banana'"),
    ("return {c: x.count(c) for c in x}", "'banana'"),
    ("return [c for c in x if c not in 'aeiou']", "'banana'"),
    ("return int(x, 2)", "'10110'"),
    ("return x.count('(') - x.count(')')", "'(()'"),
    ("return bin(x).count('1')", "77"),
    ("return x % 7 == 0", "21"),
    ("return all(x % d for d in range(2, x)) and x > 1", "31"),
    ("return str(x)[::-1]", "1234"),
    ("return [d for d in range(1, x + 1) if x % d == 0]", "28"),
    ("return x * (x + 1) // 2", "12"),
    ("return x['age'] * 12 + len(x['name'])", "{'name': 'Ann', 'age': 30}"),
    ("return sorted(x, key=x.get)", "{'b': 2, 'a': 3, 'c': 1}"),
    ("return sum(p['price'] * p['count'] for p in x)", "[{'price': 3, 'count': 2}, {'price': 5, 'count': 1}]"),
    ("return [list(row) for row in zip(*x)]", "[[1, 2], [3, 4]]"),
    ("return sum(row[n] for n, row in enumerate(x) if n < len(row))", "[[1, 2], [3, 4]]"),
    ("return x[0] * x[1] - x[2]", "(3, 4, 5)"),
    ("return round(x * 9 / 5 + 32, 1)", "36.6"),
    ("return [a for a, b in zip(x, x[1:]) if a < b]", "[3, 1, 4, 1, 5]"),
    ("n = 0\n    while x != 1 and n < 50:\n        x, n = (3 * x + 1 if x % 2 else x // 2), n + 1\n    return n", "27"),
    ("return 'target' in x and x.index('target')", "'the target is here'"),
    ("return [k for k, v in x.items() if v > 2]", "{'b': 2, 'a': 3, 'c': 1}"),
)  # fmt: skip


def honest(place: int, prompt: str, random: Random) -> tuple[str, str]:
    body, given = HONEST[place // 2 % len(HONEST)]
    return f"def f(x):\n    {body}", given


def test_honest_tasks_all_get_in(sandbox: Sandbox) -> None:
    """The same gate, before a proposer that has thirty ideas."""
    cfg = config(kinds=["deduction", "abduction"])
    buffer, validations = rounds(sandbox, Game(honest, number_inputs), cfg, len(HONEST))
    rejected = [(v.result, v.proposal.completion.text) for v in validations if isinstance(v.result, Grade)]
    assert not rejected
    assert buffer.size(DEDUCTION) == buffer.size(ABDUCTION) == len(HONEST)
