"""Between text and tokens: prompts in, completions out, and where a completion has to stop.

Promises: a prompt gets what the tokenizer puts in front of a text (a BOS token) exactly once, and nothing after it;
a completion's text shows special tokens such as tags, but not the end-of-text token; a stop string is found however
it lies across tokens. Does not know chat templates: a prompt is the whole text.
"""
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

UNFINISHED = "\ufffd"
"""What a tokenizer shows for the first bytes of a character whose other bytes are missing."""


@dataclass(frozen=True, slots=True)
class Stops:
    """When a completion ends: at one of `ends`, or where one of `strings` is complete."""

    ends: frozenset[int]
    strings: tuple[str, ...]
    completing: frozenset[int]
    """Tokens with which a stop string can become complete; after any other one nobody needs to look at the text."""
    window: int
    """A stop string lies within so many tokens."""


class Tokens:
    """A tokenizer as a policy needs it. `ends` are the token ids that end a text."""

    def __init__(self, tokenizer: Any, ends: Sequence[int]) -> None:
        self.tokenizer = tokenizer
        self.ends = frozenset(ends)
        self._front = self._in_front()
        self._start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else min(self.ends, default=0)
        self._pieces: list[str] = []
        self.stops = lru_cache(maxsize=8)(self._stops)

    def _in_front(self) -> list[int]:
        """What the tokenizer puts in front of a text. What it would put after it has no place before a completion."""
        bare: list[int] = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        dressed: list[int] = self.tokenizer("a")["input_ids"]
        for at in range(len(dressed) - len(bare) + 1):
            if dressed[at : at + len(bare)] == bare:
                return dressed[:at]
        return []

    def encode(self, prompts: Sequence[str]) -> list[list[int]]:
        """Token ids of each prompt; at least one, so that there is something to write after."""
        if not prompts:
            return []
        front = self._front
        # Not verbose: a prompt that is too long for the model is the caller's to judge, not to be warned of.
        bare: list[list[int]] = self.tokenizer(list(prompts), add_special_tokens=False, verbose=False)["input_ids"]
        whole = [ids if ids[: len(front)] == front else front + ids for ids in bare]
        return [ids or [self._start] for ids in whole]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of some tokens as it stands, special tokens and spaces included."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def text(self, tokens: Sequence[int], stops: Stops) -> str:
        """A completion's text: without an end-of-text token, and cut after the first stop string."""
        text = self.decode(tokens[:-1] if tokens and tokens[-1] in stops.ends else tokens)
        found = [at + len(stop) for stop in stops.strings if (at := text.find(stop)) >= 0]
        return text[: min(found, default=len(text))]

    def stopped(self, tokens: Sequence[int], stops: Stops) -> bool:
        """Whether a stop string is complete in tokens whose last one is in `stops.completing`."""
        tail = self.decode(tokens[-stops.window :])
        return any(stop in tail for stop in stops.strings)

    def _stops(self, strings: tuple[str, ...]) -> Stops:
        strings = tuple(stop for stop in strings if stop)
        if strings and not self._pieces:
            singles = [[token] for token in range(len(self.tokenizer))]
            self._pieces = self.tokenizer.batch_decode(
                singles, skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        last = {stop[-1] for stop in strings}
        # Some tokenizers drop the space in front of a text, so that a token alone does not show it.
        every = any(character.isspace() for character in last)
        last.add(UNFINISHED)
        completing = frozenset(token for token, piece in enumerate(self._pieces) if every or not last.isdisjoint(piece))
        # Every token gives at least a byte; a few more, for tokens that show nothing.
        window = max((len(stop.encode()) for stop in strings), default=0) + 8
        return Stops(self.ends, strings, completing if strings else frozenset(), window)
