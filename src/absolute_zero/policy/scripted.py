"""A policy that answers from a script: no tensors, for tests, demonstrations and timing of everything else.

`Scripted` is the policy around any script. `Apprentice` is a script that plays all six parts honestly in a small
world, straight lines `a * x + b`, and learns with the advantages that the story gives it: one logit per kind says how
often it answers right, and moves by REINFORCE. Whoever trains it for a few hundred steps sees a learning curve; if a
reward, weight or advantage has the wrong sign, it unlearns.

Promises: the text depends on prompt, chance and what was learned; `save` and `load` are exact. `Apprentice` reads the
prompts of the `compact` set. Standard library only.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final, Protocol, final

from absolute_zero.keys import Key
from absolute_zero.types import Completion, Sample, Sampling, UserError

FILE: Final = "script.json"


class Script(Protocol):
    """What a scripted policy says, and what it makes of advantages."""

    state: dict[str, float]
    """All that it has learned."""

    def reply(self, prompt: str, random: Random) -> str:
        """The response to a prompt."""
        ...

    def learn(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Take in one step's samples."""
        ...


@final
class Lines:
    """A script without memory: a function of prompt and chance.

    >>> Lines(lambda prompt, random: "hm</think><answer>1</answer>").reply("", Random(0))
    'hm</think><answer>1</answer>'
    """

    def __init__(self, say: Callable[[str, Random], str]) -> None:
        self.state = dict[str, float]()
        self._say = say

    def reply(self, prompt: str, random: Random) -> str:
        """What the function says."""
        return self._say(prompt, random)

    def learn(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Nothing."""
        return {}


@final
class Scripted:
    """The policy of a script. Its tokens are the bytes of the text, and it is certain of each."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def sample(
        self, prompts: Sequence[str], tries: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """What the script replies to each prompt, cut as a sampler would cut it."""
        return [
            [_completion(self.script.reply(prompt, key.at(t).draw()), sampling) for t in range(tries)]
            for prompt, key in zip(prompts, keys, strict=True)
        ]

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Let the script learn."""
        return self.script.learn(samples) if samples else {}

    def save(self, folder: Path) -> None:
        """One JSON file."""
        (folder / FILE).write_text(json.dumps(self.script.state), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Raises UserError if the file is missing or not what `save` writes."""
        try:
            state = json.loads((folder / FILE).read_text(encoding="utf-8"))
            self.script.state = {str(name): float(value) for name, value in state.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{folder / FILE} is not the state of a scripted policy ({error})") from None


def _completion(text: str, sampling: Sampling) -> Completion:
    ends = [text.find(stop) + len(stop) for stop in sampling.stop if stop in text]
    whole = text[: min(ends)] if ends else text
    tokens = whole.encode("utf-8", "surrogatepass")
    cut = len(tokens) > sampling.max_tokens
    if cut:
        tokens = tokens[: sampling.max_tokens]
        whole = tokens.decode("utf-8", "ignore")
    return Completion(whole, tuple(tokens), (0.0,) * len(tokens), cut)


# --- an apprentice of straight lines ------------------------------------------------------------------------

_LINE: Final = re.compile(r"return x \* (-?\d+) \+ (-?\d+)")
_INPUT: Final = re.compile(r"```input\n(-?\d+)\n```")
_OUTPUT: Final = re.compile(r"```output\n(-?\d+)\n```")


def _below(random: Random, size: int) -> int:
    return int(random.random() * size)


def _program(a: int, b: int) -> str:
    return f"```python\ndef f(x):\n    return x * {a} + {b}\n```"


def _propose_line(prompt: str, random: Random) -> str:
    a, b, x = 2 + _below(random, 300), 1 + _below(random, 300), _below(random, 100)
    return f"{_program(a, b)}\n```input\n{x}\n```"


def _propose_inputs(prompt: str, random: Random) -> str:
    first, count = _below(random, 50), int(prompt.split(None, 3)[2])
    return "".join(f"```input\n{first + place}\n```\n" for place in range(count)) + "```message\nA straight line.\n```"


def _deduce(prompt: str) -> str:
    [(a, b)], [x] = _LINE.findall(prompt), _INPUT.findall(prompt)
    return str(int(x) * int(a) + int(b))


def _abduce(prompt: str) -> str:
    [(a, b)], [y] = _LINE.findall(prompt), _OUTPUT.findall(prompt)
    return str((int(y) - int(b)) // int(a))


def _induce(prompt: str) -> str:
    (x0, x1), (y0, y1) = (map(int, found.findall(prompt)[:2]) for found in (_INPUT, _OUTPUT))
    a = (y1 - y0) // (x1 - x0)
    return _program(a, y0 - a * x0)


_PROPOSERS: Final[Mapping[str, Callable[[str, Random], str]]] = {
    "propose deduction": _propose_line,
    "propose abduction": _propose_line,
    "propose induction": _propose_inputs,
}
_SOLVERS: Final[Mapping[str, Callable[[str], str]]] = {
    "solve deduction": _deduce,
    "solve abduction": _abduce,
    "solve induction": _induce,
}
_WRONG: Final = {"solve deduction": "'?'", "solve abduction": "'?'", "solve induction": _program(0, 0)}


def _solve(part: str, prompt: str) -> str:
    """The answer to a task about a line; a wrong one to any other task."""
    try:
        return _SOLVERS[part](prompt)
    except (ValueError, ZeroDivisionError):
        return _WRONG[part]


@final
class Apprentice:
    """Proposes lines, and solves them as often as it has learned to. `rate` is its learning rate."""

    def __init__(self, rate: float = 0.05) -> None:
        self.rate = rate
        self.state: dict[str, float] = dict.fromkeys(_SOLVERS, -1.0)

    def reply(self, prompt: str, random: Random) -> str:
        """An honest proposal; a right answer with the probability it has learned, else a wrong one."""
        part = _part(prompt)
        if part in _PROPOSERS:
            answer = _PROPOSERS[part](prompt, random)
        else:
            answer = _solve(part, prompt) if random.random() < self.skill(part) else _WRONG[part]
        return f"</think><answer>{answer}</answer>"

    def skill(self, part: str) -> float:
        """How often it answers right, from 0 to 1; parts are named as in `state`."""
        return 1 / (1 + math.exp(-self.state[part]))

    def learn(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """One step up sum(weight * advantage * d log p / d logit) over its solutions, all of them at once."""
        for part in _SOLVERS:
            p, gain = self.skill(part), 0.0
            for sample in samples:
                if _part(sample.prompt) == part:
                    wrong = f"<answer>{_WRONG[part]}<" in sample.completion.text
                    gain += sample.weight * sample.advantage * (-p if wrong else 1 - p)
            self.state[part] += self.rate * gain
        return {f"skill {part}": self.skill(part) for part in _SOLVERS}


def _part(prompt: str) -> str:
    """Role and kind, as the first line of a compact prompt has them."""
    return " ".join(prompt.split(None, 2)[:2])
