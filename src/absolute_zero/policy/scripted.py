"""A policy that answers from a script: no tensors, for tests, demonstrations and timing of everything else.

`Scripted` is the policy around any script. `Apprentice` is a script that proposes and solves tasks of every kind of the
Python domain, honestly and about straight lines `a * x + b`, and learns from the advantages of its samples: one logit
per kind says how often it answers correctly, and moves by REINFORCE. Whoever trains it for a few hundred steps sees a
learning curve; if a reward, weight or advantage has the wrong sign, it unlearns.

Promises: the text depends on the prompt, its key and what was learned, and at temperature 0 not on the key; `save` and
`load` are exact. No prompt is too long. `Apprentice` reads prompts of the `compact` templates. Standard library only.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol, final

from absolute_zero.keys import Key
from absolute_zero.types import Completion, Prompt, Sample, Sampling, UserError

FILE: Final = "script.json"


class Script(Protocol):
    """What a scripted policy answers, and what it learns from advantages."""

    state: dict[str, float]
    """All that it has learned."""

    def reply(self, prompt: str, random: Random) -> str:
        """Return the response to a prompt (of chat messages: all in one text), drawing from `random`."""
        ...

    def learn(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Learn from one step's samples, and return metrics by name."""
        ...


@final
class Lines:
    """A script without memory: a function of the prompt and of random numbers.

    >>> Lines(lambda prompt, random: "hm</think><answer>1</answer>").reply("", Random(0))
    'hm</think><answer>1</answer>'
    """

    def __init__(self, answer: Callable[[str, Random], str]) -> None:
        self.state = dict[str, float]()
        self._answer = answer

    def reply(self, prompt: str, random: Random) -> str:
        """Return what the function returns."""
        return self._answer(prompt, random)

    def learn(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Learn nothing."""
        return {}


@final
class Scripted:
    """The policy of a script. Its tokens are the bytes of the text, and it is certain of each."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def sample(
        self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """Return `n` replies of the script to each prompt, ended as a sampler would end them: [prompt][rollout]."""
        return [
            [self._complete(prompt.shown, key.at(attempt), sampling) for attempt in range(n)]
            for prompt, key in zip(prompts, keys, strict=True)
        ]

    def _complete(self, prompt: str, key: Key, sampling: Sampling) -> Completion:
        greedy = Key(0).at(prompt)  # a script has no most probable text: it always takes the same
        return _completion(self.script.reply(prompt, (key if sampling.temperature else greedy).draw()), sampling)

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Let the script learn from the samples with weight and tokens, and return its metrics."""
        counted = [sample for sample in samples if sample.weight and sample.completion.tokens]
        return self.script.learn(counted) if counted else {}

    def save(self, folder: Path) -> None:
        """Write what the script has learned as one JSON file."""
        (folder / FILE).write_text(json.dumps(self.script.state), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read what `save` wrote. Raises UserError if the file is missing or something else."""
        try:
            state = json.loads((folder / FILE).read_text(encoding="utf-8"))
            self.script.state = {str(name): float(value) for name, value in state.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{folder / FILE} is not the state of a scripted policy ({error})") from None


def open_scripted(cfg: Any) -> Scripted:
    """Return the policy that the settings call `scripted`: an apprentice at its beginning."""
    return Scripted(Apprentice())


def _completion(text: str, sampling: Sampling) -> Completion:
    ends = [text.find(stop) + len(stop) for stop in sampling.stop if stop in text]
    whole = text[: min(ends)] if ends else text
    tokens = whole.encode("utf-8", "surrogatepass")
    truncated = len(tokens) > sampling.max_tokens
    if truncated:
        tokens = tokens[: sampling.max_tokens]
        whole = tokens.decode("utf-8", "ignore")
    return Completion(whole, tuple(tokens), (0.0,) * len(tokens), truncated)


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
    return "".join(f"```input\n{first + index}\n```\n" for index in range(count)) + "```message\nA straight line.\n```"


def _deduce(prompt: str) -> str:
    [(a, b)], [x] = _LINE.findall(prompt), _INPUT.findall(prompt)
    return str(int(x) * int(a) + int(b))


def _abduce(prompt: str) -> str:
    [(a, b)], [y] = _LINE.findall(prompt), _OUTPUT.findall(prompt)
    return str((int(y) - int(b)) // int(a))


def _induce(prompt: str) -> str:
    (x0, x1), (y0, y1) = (map(int, block.findall(prompt)[:2]) for block in (_INPUT, _OUTPUT))
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
    """Return the answer to a task about a line; a wrong one to any other task."""
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
        """Return an honest proposal; a correct answer with the probability it has learned, else a wrong one.

        Raises UserError for a prompt of other templates.
        """
        part = _part(prompt)
        if part in _PROPOSERS:
            answer = _PROPOSERS[part](prompt, random)
        elif part not in _SOLVERS:
            raise UserError(
                "the scripted policy reads the prompts of templates = compact only: set that, or model.path"
            )
        else:
            answer = _solve(part, prompt) if random.random() < self.skill(part) else _WRONG[part]
        return f"</think><answer>{answer}</answer>"

    def skill(self, part: str) -> float:
        """Return how often it answers correctly, from 0 to 1; parts are named as in `state`, role and kind."""
        return 1 / (1 + math.exp(-self.state[part]))

    def learn(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Take one step up sum(weight * advantage * d log p / d logit) over its solutions, all of them at once."""
        for part in _SOLVERS:
            p, gain = self.skill(part), 0.0
            for sample in samples:
                if _part(sample.prompt.shown) == part:
                    wrong = f"<answer>{_WRONG[part]}<" in sample.completion.text
                    gain += sample.weight * sample.advantage * (-p if wrong else 1 - p)
            self.state[part] += self.rate * gain
        return {f"skill/{part.replace(' ', '/')}": self.skill(part) for part in _SOLVERS}


def _part(prompt: str) -> str:
    """Return role and kind, as the first line of a compact prompt has them."""
    return " ".join(prompt.split(None, 2)[:2])
