"""Between prompts and tokens: prompts in, completions out, and where a completion has to stop.

Promises: a text prompt gets what the tokenizer puts in front of a text (a BOS token) exactly once, and nothing after
it; a chat prompt is what the tokenizer's chat template makes of its messages, up to where the answer begins, and then
what the prompt begins of it; a completion's text shows special tokens such as tags, but not the end-of-text token; a
stop string is noticed however it lies across tokens.
"""
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from absolute_zero.ports import Chat
from absolute_zero.text import TAGS
from absolute_zero.types import Message, Prompt, UserError

UNFINISHED = "\ufffd"
"""What a tokenizer shows for the first bytes of a character whose other bytes are missing."""


@dataclass(frozen=True, slots=True)
class Stops:
    """When a completion ends: at one of `eos_ids`, or where one of `strings` is complete."""

    eos_ids: frozenset[int]
    strings: tuple[str, ...]
    completing: frozenset[int]
    """Tokens with which a stop string can become complete; after any other one nobody needs to look at the text."""
    window: int
    """A stop string lies within so many tokens."""


class Tokens:
    """A tokenizer as a policy needs it. `eos_ids` are the token ids that end a text, `think` the tags of a thought."""

    def __init__(self, tokenizer: Any, eos_ids: Sequence[int], think: Sequence[str] = TAGS[:2]) -> None:
        self.tokenizer = tokenizer
        self._think = tuple(think)
        self.eos_ids = frozenset(eos_ids)
        self._prefix = self._prefix_ids()
        self._start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else min(self.eos_ids, default=0)
        self._pieces: list[str] = []
        self.stops = lru_cache(maxsize=8)(self._stops)

    def _prefix_ids(self) -> list[int]:
        """Return what the tokenizer puts in front of a text. What it puts after it does not belong before an answer."""
        bare: list[int] = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        dressed: list[int] = self.tokenizer("a")["input_ids"]
        for first in range(len(dressed) - len(bare) + 1):
            if dressed[first : first + len(bare)] == bare:
                return dressed[:first]
        return []

    def encode(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """Return the token ids of each prompt; at least one, so that there is something to write after.

        Raises UserError for a chat prompt if the tokenizer has no chat template, or one that does not take it.
        """
        if not prompts:
            return []
        texts = [self._chat(prompt) if prompt.messages else prompt.text for prompt in prompts]
        # Not verbose: a prompt that is too long for the model is the caller's to judge, not to be warned of.
        bare: list[list[int]] = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        # A chat template writes its own special tokens, with or without a BOS token, as the model was trained.
        whole = [ids if prompt.messages else self._prefixed(ids) for prompt, ids in zip(prompts, bare, strict=True)]
        return [ids or [self._start] for ids in whole]

    def _prefixed(self, ids: list[int]) -> list[int]:
        return ids if ids[: len(self._prefix)] == self._prefix else self._prefix + ids

    @cached_property
    def chat(self) -> Chat | None:
        """How the tokenizer takes messages, found out by asking its chat template; None if it has none."""
        if not self.tokenizer.chat_template:
            return None
        user, probe = Message("user", "question"), "a thought of 417 words"
        think, ended = self._think
        asked, bare = self._rendered([user]), self._rendered([user], begins=False)
        return Chat(
            opens_thought=asked.removeprefix(bare).rstrip().endswith(think),
            takes_system=self._shows(probe, [Message("system", probe), user]),
            keeps_thoughts=self._shows(
                probe, [user, Message("assistant", f"{think}\n{probe}\n{ended}\n\nanswer"), user]
            ),
        )

    def _shows(self, words: str, messages: Sequence[Message]) -> bool:
        """Return whether these words of the messages get through the chat template."""
        try:
            return words in self._rendered(messages)
        except UserError:
            return False

    def _chat(self, prompt: Prompt) -> str:
        """Return the text of a chat prompt, up to where the model writes."""
        *before, last = prompt.messages
        if last.role != "assistant":
            return self._rendered(prompt.messages)
        return self._rendered(before) + last.content

    def _rendered(self, messages: Sequence[Message], begins: bool = True) -> str:
        """Return messages as the chat template has them; `begins`: with the beginning of the assistant's turn."""
        if not self.tokenizer.chat_template:
            raise UserError('the tokenizer has no chat template: set form.template = "text", or take a chat model')
        written = [message._asdict() for message in messages]
        try:
            return self.tokenizer.apply_chat_template(written, tokenize=False, add_generation_prompt=begins)
        except Exception as error:  # a template is a program: it may refuse a role in its own way
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(
                f'the tokenizer\'s chat template refuses a prompt ({reason}): set form.template = "text"'
            ) from error

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens as it stands, special tokens and spaces included."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def text(self, tokens: Sequence[int], stops: Stops) -> str:
        """Return a completion's text: without an end-of-text token, and up to the end of its first stop string."""
        text = self.decode(tokens[:-1] if tokens and tokens[-1] in stops.eos_ids else tokens)
        ends = [first + len(stop) for stop in stops.strings if (first := text.find(stop)) >= 0]
        return text[: min(ends, default=len(text))]

    def stopped(self, tokens: Sequence[int], stops: Stops) -> bool:
        """Return whether a stop string is complete in tokens whose last one is in `stops.completing`."""
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
        return Stops(self.eos_ids, strings, completing if strings else frozenset(), window)
