"""Forms: how a model is asked, and how what it writes is read.

A task type says *what* is asked, and gives a prompt of messages: a question. A form says *how*: as chat messages or as
plain text, with which instruction, after how many worked examples, how the response is begun; and what of the response
is thought and what answer. A prompt of plain text is its author's own, and is taken as it is.

    strict    `<think>...</think><answer>...</answer>`, nothing outside (paper section 3.1)
    natural   what a chat model writes by itself: all before the last blocks of the right kind is the thought. An
              answer that the model's own end token closes is an answer, and `</answer>` ends a block that is open; a
              block without any end is none

Promises: pure functions of their arguments; `read` takes any text and never raises. What the strict form reads, the
natural one reads alike, but for blocks without an end of their own. Does not know models: what a chat template makes of
messages is `ports.Chat`. Floor 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, final

from absolute_zero import text
from absolute_zero.ports import Chat
from absolute_zero.text import ANSWER, ANSWERED, TAGS, THINK, THOUGHT, Answer, Block, Reason
from absolute_zero.types import Completion, Grade, Message, Prompt, Refusal, Role, Status

Slot = tuple[str, Role]
"""A kind and a role: what prompts have their shape in common."""
USER: Final = "\n\nUser: "
NEXT: Final = "\n\nAssistant: "
"""How turns of the user and of the assistant begin in plain text."""
PLAIN_LABELS: Final = frozenset(("", "text", "txt", "plaintext", "plain"))
"""Labels of a block that say nothing of what is in it."""


@final
@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: a question as the task type poses it, and the two parts of a good response."""

    prompt: Prompt
    thought: str
    answer: str


@final
@dataclass(frozen=True, slots=True)
class Form:
    """One way to ask and to read.

    >>> response = Completion("<think></think><answer>2</answer>", (1,), (0.0,))
    >>> Form().read(("deduction", Role.SOLVE), Prompt("1 + 1?"), response)
    Answer(thought='', text='2', strict=True)
    """

    reading: Literal["strict", "natural"] = "strict"
    chat: Chat | None = None
    """How the model takes messages; None: as plain text."""
    tagged: bool = True
    """The tags are asked for, and shown in worked examples."""
    opening: Literal["none", "thought", "fence"] = "thought"
    """What the response is begun with: nothing, the tag of the thought, or the fence of the only block of an answer."""
    system: str = ""
    """What the user of the model wants it to be told first."""
    tags: Sequence[str] = TAGS
    """The tags as the model knows them."""
    examples: Mapping[Slot, Sequence[Example]] = field(default_factory=dict[Slot, Sequence[Example]])
    labels: Mapping[Slot, Sequence[str]] = field(default_factory=dict[Slot, Sequence[str]])
    """The labels of the blocks that an answer is made of; none where a task type does not say."""
    strict_by: int = 0
    """From this step on, what only the natural form reads is paid as malformed; 0: never."""

    # --- asking ---------------------------------------------------------------------------------------------

    def dress(self, slot: Slot, prompt: Prompt) -> Prompt:
        """Return the prompt as the model gets it."""
        examples = self.examples.get(slot, ())
        if not prompt.messages:
            return replace(prompt, text="".join(map(self._as_text, examples)) + prompt.text)
        told = [message.content for message in prompt.messages if message.role == "system"]
        turns = [message for message in prompt.messages if message.role != "system"]
        own_beginning = turns[-1].role == "assistant"
        opening = "" if own_beginning else self._opening(slot)
        opened = prompt.opens_thought or opening.startswith(self.tags[0])
        shown = [turn for example in examples for turn in (*_question(example), self._reply(example))]
        if self.chat is None:
            begun = turns.pop().content if own_beginning else opening
            return Prompt(self._dialogue(told, [*shown, *turns], begun), opens_thought=opened)
        if shown and not self.chat.keeps_thoughts:
            shown, turns = [], [*_folded(shown, turns[0]), *turns[1:]]
        instruction = "\n\n".join((*filter(None, (self.system, *told)), self._instruction()))
        messages = [Message("system", instruction), *shown, *turns]
        if not self.chat.takes_system:
            _, first, *rest = messages
            messages = [Message(first.role, f"{instruction}\n\n{first.content}"), *rest]
        if self.chat.opens_thought and not own_beginning:
            return Prompt(messages=tuple(messages), opens_thought=True)
        begun = [Message("assistant", opening)] if opening else []
        return Prompt(messages=(*messages, *begun), opens_thought=opened)

    def stops(self, role: Role) -> tuple[str, ...]:
        """Return the strings after which a response is complete."""
        own = "\n```" if self.opening == "fence" and role is Role.SOLVE else ""
        turn = USER.rstrip() if self.chat is None and not self.tagged else ""
        return (self.tags[3], *filter(None, (own, turn)))

    def _instruction(self) -> str:
        if not self.tagged:
            return "Think step by step. Then answer in the form that is asked for, and write nothing after it."
        think, thought, answer, answered = self.tags
        return (
            f"Think first, between {think} and {thought}, and then answer, between {answer} and {answered}. Write"
            " nothing outside these tags."
        )

    def _opening(self, slot: Slot) -> str:
        if self.opening == "thought" and self.tagged:
            return self.tags[0] + "\n" * (self.chat is not None)
        labels = self.labels.get(slot, ())
        return f"```{labels[0]}\n" if self.opening == "fence" and slot[1] is Role.SOLVE and len(labels) == 1 else ""

    def _reply(self, example: Example) -> Message:
        thought, answer = example.thought.strip("\n"), example.answer.strip("\n")
        if not self.tagged:
            return Message("assistant", f"{thought}\n\n{answer}")
        think, ended, begun, answered = self.tags
        return Message("assistant", f"{think}\n{thought}\n{ended}\n{begun}\n{answer}\n{answered}")

    def _as_text(self, example: Example) -> str:
        """Return an example of a prompt that is its author's own text."""
        response = text.render_response(example.thought, example.answer, example.prompt.opens_thought)
        return f"{example.prompt.text}{response}\n\n"

    def _dialogue(self, told: Sequence[str], turns: Sequence[Message], begun: str) -> str:
        """Return messages as the plain text of a conversation, which ends where the response begins."""
        header = "A conversation between a user and an assistant."
        if self.tagged:
            think, thought, answer, answered = self.tags
            header += (
                f" The assistant thinks first, between {think} and {thought}, and then answers, between {answer} and"
                f" {answered}. It writes nothing outside these tags."
            )
        else:
            header += " The assistant thinks step by step, and then answers in the form that is asked for."
        parts = [f"{USER if turn.role == 'user' else NEXT}{turn.content}" for turn in turns]
        first = "\n\n".join((*filter(None, (self.system, *told)), header))
        return f"{first}{''.join(parts)}{NEXT}{begun}".rstrip(" ")

    # --- reading --------------------------------------------------------------------------------------------

    def read(self, slot: Slot, prompt: Prompt, completion: Completion) -> Answer | Grade:
        """Return thought and answer of a response, or why there is no answer."""
        if not completion.tokens:
            return Grade(Status.MASKED, reason="prompt_too_long")
        if completion.truncated:
            return Grade(Status.MALFORMED, reason="truncated")
        response = self._canonical(prompt, completion.text)
        parts = text.thought_and_answer(response, opened=prompt.opens_thought)
        if self.reading == "natural":
            labels = self.labels.get(slot, ())
            parts = natural(response, labels) if isinstance(parts, Refusal) else _with_its_end(parts, labels)
        if isinstance(parts, Refusal):
            return Grade(Status.MALFORMED, reason=parts.reason, detail=parts.detail)
        return parts

    def strictness(self, step: int) -> float:
        """Return how far the schedule from natural to strict has come, from 0 to 1."""
        return min(1.0, max(0, step) / self.strict_by) if self.strict_by else 0.0

    def _canonical(self, prompt: Prompt, response: str) -> str:
        """Return a response with what the prompt had begun of it, and with the tags that `text` knows."""
        if prompt.messages and prompt.messages[-1].role == "assistant" and not prompt.opens_thought:
            response = prompt.messages[-1].content + response
        if self.tags != TAGS:
            for own, ours in zip(self.tags, TAGS, strict=True):
                response = response.replace(own, ours)
        return response


def natural(response: str, labels: Sequence[str]) -> Answer | Refusal:
    """Return thought and answer of a response that keeps no rule but that its answer comes last.

    With `labels` the answer is the blocks under them, after the last end of a thought and the last `<answer>`, if
    there are such; where one label is asked for and no block has it, the last block without a label. Without `labels`
    it is what follows `<answer>`, else the last block, else the last line.

    >>> natural("f(1) is 2, so:\\n```output\\n2\\n```\\nDone.", ("output",)).text
    '```output\\n2\\n```'
    """
    rest, ended = response.rpartition(THOUGHT)[2], ""
    tagged = ANSWER in rest
    if tagged:
        rest, ended, _ = rest.rpartition(ANSWER)[2].partition(ANSWERED)
    if not rest.strip():
        return Refusal(Reason.EMPTY if tagged else Reason.NO_ANSWER)
    blocks, _ = text.split_blocks(rest, labels)
    if ended and blocks:  # the tag ends the block, too
        blocks[-1] = replace(blocks[-1], text=blocks[-1].text.rstrip("\n"), closed=True)
    if (tagged and not blocks) or (not labels and (tagged or not blocks)):
        answer = rest if tagged else rest.strip().splitlines()[-1]
        return Answer(_before(response, answer), answer, strict=False)
    kept = _chosen(blocks, labels) if labels else blocks[-1:] if blocks[-1].closed else Refusal(Reason.OPEN_BLOCK)
    if isinstance(kept, Refusal):
        return kept
    answer = "\n".join(text.render_block(block.label, block.text) for block in kept) if labels else kept[0].text
    return Answer(_before(response, kept[0].text), answer, strict=False)


def told_apart(prompt: Prompt, completion: Completion) -> Answer | None:
    """Return thought and answer of a response for a reader, by its strict form or else by its natural one; None for a
    response that has no answer."""
    if completion.truncated:
        return None
    parts = text.thought_and_answer(completion.text, prompt.opens_thought)
    parts = natural(completion.text, ()) if isinstance(parts, Refusal) else parts
    return None if isinstance(parts, Refusal) else parts


def _with_its_end(answer: Answer, labels: Sequence[str]) -> Answer:
    """Return an answer in tags whose last block has an end: that of the answer, if it has none of its own."""
    blocks, _ = text.split_blocks(answer.text, labels)
    if not blocks or blocks[-1].closed:
        return answer
    written = "\n".join(text.render_block(block.label, block.text.rstrip("\n")) for block in blocks)
    return Answer(answer.thought, written, strict=False)


def _chosen(blocks: Sequence[Block], labels: Sequence[str]) -> list[Block] | Refusal:
    """Return the blocks under the labels, in their order."""
    kept = [block for block in blocks if block.label in labels]
    if not kept and len(labels) == 1 and blocks and blocks[-1].label in PLAIN_LABELS:
        kept = [replace(blocks[-1], label=labels[0])]
    if not kept:
        return Refusal(Reason.NO_BLOCK, labels[0])
    for label in labels:
        own = [block for block in kept if block.label == label]
        if own and not own[-1].closed:
            return Refusal(Reason.OPEN_BLOCK, label)
    return [block for block in kept if block.closed]


def _before(response: str, answer: str) -> str:
    """Return what stands before the answer, without its fence and without tags."""
    thought = response[: response.rfind(answer)] if answer else response
    *lines, last = thought.rstrip("\n").split("\n")
    thought = "\n".join(lines if last.lstrip().startswith(("```", "~~~")) else [*lines, last])
    for tag in TAGS:
        thought = thought.replace(tag, "")
    return thought.strip()


def _question(example: Example) -> list[Message]:
    own = [message for message in example.prompt.messages if message.role != "system"]
    return own or [Message("user", example.prompt.text.removesuffix(THINK).rstrip())]


def _folded(shown: Sequence[Message], question: Message) -> list[Message]:
    """Return worked turns within the user's message, for chat templates that drop the thoughts of earlier turns."""
    worked = "\n\n".join(
        f"{'An example of a task' if turn.role == 'user' else 'A good response to it'}:\n\n{turn.content}"
        for turn in shown
    )
    return [Message("user", f"{worked}\n\nYour task:\n\n{question.content}")]
