"""Text to values and back: `<think>` and `<answer>`, fenced blocks, and what the three tasks read and write.

Promises: every reading function takes any string and gives a value or a `Refusal` with one of `Reason`, never an
exception, in time linear in the text's length. What the `render_` functions write reads back as it was, character
by character: any program, any message, any input that is an argument list. Truncated anywhere, it is refused.

The rule for both: lenient with the frame, where it can mean only one thing (prose, order of blocks, longer or
indented fences, CRLF), strict with what is paid for (the tags; the label of a part; a closed end), and the content
of a block is never mended, but for a call `f(1, 2)` given as an input. Where there are two readings there is none.

Does not promise: that a program compiles or a literal reads; that is for whoever uses the part. Whether a response
was truncated is known from its completion, not from its text. Floor 1, standard library.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, final

from absolute_zero.types import Refusal
from absolute_zero.values import Unreadable, read, read_arguments

THINK, THOUGHT, ANSWER, ANSWERED = TAGS = ("<think>", "</think>", "<answer>", "</answer>")
"""Exact: upper case, blanks inside or `&lt;` make it no tag, as it would be none to a sampler's stop string."""

PROGRAM, INPUT, OUTPUT, MESSAGE, INPUTS = LABELS = ("python", "input", "output", "message", "inputs")
_SPELLINGS: Final = {"py": PROGRAM, "python3": PROGRAM}
_MARGIN: Final = 3
"""Columns by which a closing fence may be indented beyond its opening one (CommonMark 4.5): four are content, such as
a fence in a docstring."""


@final
class Reason(StrEnum):
    """Why a text is refused: the words that `Refusal.reason` has here. Those up to EMPTY are about the tags."""

    NO_THOUGHT = "no_thought"
    """There is no `<think>`, and the prompt has not opened it."""
    OPEN_THOUGHT = "open_thought"
    NO_ANSWER = "no_answer"
    """There is no `<answer>` after the thought."""
    OPEN_ANSWER = "open_answer"
    OUTSIDE = "outside"
    """There is text outside the tags."""
    STRAY_TAG = "stray_tag"
    """There is a tag in the answer, neither in a closed block nor in the string of a bare literal."""
    EMPTY = "empty"
    """The answer is blank."""
    NO_BLOCK = "no_block"
    """A part has no block; `Refusal.detail` is its label, as in the next."""
    OPEN_BLOCK = "open_block"
    """The last block of a part has no end."""
    COUNT = "count"
    """Not as many inputs as were asked for."""


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """A well-formed response: what stands between the tags, to the last blank.

    >>> Answer("1 + 1 is 2", "2").text
    '2'
    """

    thought: str
    text: str
    strict: bool = True
    """It has the tags as `thought_and_answer` wants them."""


def thought_and_answer(text: str, opened: bool) -> Answer | Refusal:
    """Return the two parts of a response, `<think>...</think><answer>...</answer>` with only whitespace outside.

    `opened`: the prompt ends with `<think>`, so the response starts inside the thought (one that opens it again has
    the tag in its thought). The thought ends at the first `</think>`, where a reader of the stream would end it; it
    may be empty, and mention the other tags. The answer ends with the text, so that a program may hold a `</answer>`
    in a string; a tag outside such a place is a second answer or a nested one, and refused. A blank answer is
    refused: it answers nothing, and must not earn the milder penalty of a wrong one.

    >>> thought_and_answer("Easy.</think> <answer>'</answer>'</answer>", opened=True)
    Answer(thought='Easy.', text="'</answer>'")
    """
    response = text.rstrip() if opened else text.strip()
    if not opened and not response.startswith(THINK):
        return Refusal(Reason.OUTSIDE if THINK in response else Reason.NO_THOUGHT)
    thought, closed, rest = response.removeprefix("" if opened else THINK).partition(THOUGHT)
    if not closed:
        return Refusal(Reason.OPEN_THOUGHT)
    rest = rest.lstrip()
    if not rest.startswith(ANSWER):
        return Refusal(Reason.OUTSIDE if ANSWER in rest else Reason.NO_ANSWER)
    answer = rest.removeprefix(ANSWER)
    if not answer.endswith(ANSWERED):
        return Refusal(Reason.OUTSIDE if ANSWERED in answer else Reason.OPEN_ANSWER)
    answer = answer.removesuffix(ANSWERED)
    if not answer.strip():
        return Refusal(Reason.EMPTY)
    if any(tag in answer for tag in TAGS):
        _, outside = split_blocks(answer)
        if any(tag in line for line in outside for tag in TAGS) and _bare(answer, INPUT) is None:
            return Refusal(Reason.STRAY_TAG)
    return Answer(thought, answer)


def fenced(answer: str, label: str) -> str | Refusal:
    """Return the part of an answer that is under a label: the content of its last block.

    The last, because a model that writes a part again has changed its mind; and only one, so that several attempts do
    not count as one answer. If that last one has no end, it is refused: an earlier one is what the model gave up.
    A block without a label stands for any part if it is the only block, as there is nothing to mistake it for; a
    block with another label says that it is something else. An answer without blocks is an input or an output if
    all of it is one line that reads as one, because base models answer so; a program always needs its block.

    >>> fenced("So:\\n```output\\n[1, 2]\\n```\\nDone.", "output"), fenced(" [1, 2] ", "output")
    ('[1, 2]', '[1, 2]')
    """
    blocks, _ = split_blocks(answer, (label,))
    if len(blocks) == 1 and not blocks[0].label:
        return _last(blocks, "", detail=label)
    bare = _bare(answer, label)  # never an answer with blocks: it has more lines, or is a fence
    return _last(blocks, label) if bare is None else bare


def blocks(answer: str, label: str) -> list[str] | Refusal:
    """Return the contents of all blocks under a label, in their order; refused if one of them has no end.

    >>> blocks("```a\\n1\\n```\\n```b\\n2\\n```\\n```a\\n3\\n```", "a")
    ['1', '3']
    """
    parts = [block for block in split_blocks(answer, (label,))[0] if block.label == label]
    return [part.text for part in parts] if all(part.closed for part in parts) else Refusal(Reason.OPEN_BLOCK, label)


# --- fences -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fence:
    """A line that begins with three or more backticks or tildes."""

    mark: str
    length: int
    indent: int
    """Blanks in front, in characters; `column` is where they end."""
    column: int
    info: str
    """What follows on the line, without blanks around it."""
    newline: str
    """`\\r` where the line ends with one: the whole block is then taken to be written with CRLF."""

    @property
    def label(self) -> str:
        """The label of the block this line opens: the first word after the fence, in lower case."""
        word = "".join(self.info.split(None, 1)[:1]).lower()
        return _SPELLINGS.get(word, word)

    @property
    def opens(self) -> bool:
        """A run of backticks with another one after it is code within a line (CommonMark 4.5)."""
        return self.mark == "~" or "`" not in self.info

    def ends(self, opening: "_Fence") -> bool:
        """Return whether this is a fence to the block that another opened, and not a line of its content."""
        same = self.mark == opening.mark and self.length >= opening.length
        return same and self.column <= opening.column + _MARGIN


@final
@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences."""

    label: str
    """In lower case; empty for none."""
    text: str
    closed: bool


def _fence(line: str) -> _Fence | None:
    bare = line.lstrip(" \t")
    mark = bare[:1]
    if mark not in ("`", "~"):
        return None
    info = bare.lstrip(mark)
    length = len(bare) - len(info)
    if length < 3:
        return None
    indent = len(line) - len(bare)
    column = len(line[:indent].expandtabs(4))
    return _Fence(mark, length, indent, column, info.strip(), "\r" if line.endswith("\r") else "")


def _block(opening: _Fence, lines: list[str], closed: bool) -> Block:
    """Return a block of these lines, freed of the indentation that its fence has."""
    if opening.newline:
        lines = [line.removesuffix(opening.newline) for line in lines]
    if opening.indent:
        lines = [line[min(opening.indent, len(line) - len(line.lstrip(" \t"))) :] for line in lines]
    return Block(opening.label, "\n".join(lines), closed)


def split_blocks(answer: str, labels: Sequence[str] = ()) -> tuple[list[Block], list[str]]:
    """Return the blocks of an answer in their order, and its lines that are content of no closed one.

    As in CommonMark, with two more ends to a block. A fence with one of our labels, or of `labels`, begins a part, so
    the block before it was left open, or was a wrapper around the parts. A closing fence may have a tag right after
    it."""
    blocks: list[Block] = []
    outside: list[str] = []
    opening: _Fence | None = None
    lines: list[str] = []
    for line in answer.split("\n"):
        fence = _fence(line)
        if opening is not None:
            closes = begins = False
            if fence is not None and fence.ends(opening):
                closes = not fence.info or fence.info.startswith(TAGS)
                begins = fence.opens and (fence.label in LABELS or fence.label in labels)
            if not closes and not begins:
                lines.append(line)
                continue
            blocks.append(_block(opening, lines, closes))
            if not closes:
                outside += lines
            opening, lines = fence if begins else None, []
        elif fence is not None and fence.opens:
            opening = fence
        outside.append(line)
    if opening is not None:
        blocks.append(_block(opening, lines, closed=False))
        outside += lines
    return blocks, outside


def _last(blocks: list[Block], label: str, detail: str = "") -> str | Refusal:
    parts = [block for block in blocks if block.label == label]
    if not parts:
        return Refusal(Reason.NO_BLOCK, detail or label)
    return parts[-1].text if parts[-1].closed else Refusal(Reason.OPEN_BLOCK, detail or label)


def _bare(answer: str, label: str) -> str | None:
    """Return an answer that is nothing but one literal, or one argument list that is not empty; None for any other.

    On one line, because the literals of two lines may read as one (two strings do), and without a comment, which may
    hold a second answer.
    """
    text = answer.strip()
    if label not in (INPUT, OUTPUT) or "\n" in text or "\r" in text:
        return None
    if label == INPUT:
        text = _arguments(text)
    # Only in a comment does a colon at the end do no harm.
    return text if _reads(text, label) and not _reads(text + ":", label) else None


def _reads(text: str, label: str) -> bool:
    """Return whether it is a literal, or an argument list that is not empty."""
    try:
        parts = (read(text),) if label == OUTPUT else read_arguments(text)
    except Unreadable:
        return False
    return label == OUTPUT or any(parts)


def _arguments(text: str) -> str:
    """Return the argument list in a call `f(...)`, and any other text as it is: no literal begins with `f(`."""
    call = text.strip()
    if not call.startswith("f(") or not call.endswith(")"):
        return text
    inside = call[2:-1]
    return inside if not inside.strip() or _reads(inside, INPUT) else text


# --- what the tasks read ------------------------------------------------------------------------------------


def read_output(answer: str) -> str | Refusal:
    """Return the text of an output, from an answer to a deduction task.

    >>> read_output("~~~ Output\\n'a'\\n~~~")
    "'a'"
    """
    return fenced(answer, OUTPUT)


def read_input(answer: str) -> str | Refusal:
    """Return the text of an argument list, from an answer to an abduction task.

    >>> read_input("f(1, x=2)")
    '1, x=2'
    """
    argument = fenced(answer, INPUT)
    return argument if isinstance(argument, Refusal) else _arguments(argument)


def read_program(answer: str) -> str | Refusal:
    """Return the text of a program, from an answer to an induction task.

    >>> read_program("```py\\ndef f(x):\\n    return x\\n```")
    'def f(x):\\n    return x'
    """
    return fenced(answer, PROGRAM)


def read_program_and_input(answer: str) -> tuple[str, str] | Refusal:
    """Return a program and the text of an argument list: a proposal of deduction or abduction. Both blocks need their
    label.

    >>> read_program_and_input("```python\\ndef f(x):\\n    return x\\n```\\n```input\\n1\\n```")
    ('def f(x):\\n    return x', '1')
    """
    blocks, _ = split_blocks(answer)
    program, argument = _last(blocks, PROGRAM), _last(blocks, INPUT)
    if isinstance(program, Refusal):
        return program
    return argument if isinstance(argument, Refusal) else (program, _arguments(argument))


def read_inputs_and_message(answer: str, count: int, least: int = 0) -> tuple[tuple[str, ...], str] | Refusal:
    """Return the texts of `count` argument lists and a message: a proposal of induction. The lists stand in one block,
    one a line, or in a block each.

    Exactly as many as were asked for: which of eleven are the ten is nothing to guess, and neither are the missing. Or,
    with `least`, any number from that on.

    >>> read_inputs_and_message("```inputs\n1\nf(2)\n```\n```message\nDouble it.\n```", count=2)
    (('1', '2'), 'Double it.')
    """
    lines = blocks(answer, INPUTS)
    if lines and not isinstance(lines, Refusal):
        lines = [line for line in lines[-1].split("\n") if line.strip()]
    arguments = lines or blocks(answer, INPUT)
    if isinstance(arguments, Refusal):
        return arguments
    if len(arguments) < least if least else len(arguments) != count:
        return Refusal(Reason.COUNT, f"{len(arguments)} inputs, {least or count} were asked for")
    message = _last(split_blocks(answer)[0], MESSAGE)
    return message if isinstance(message, Refusal) else (tuple(map(_arguments, arguments)), message)


# --- and write ----------------------------------------------------------------------------------------------


def render_response(thought: str, answer: str, opened: bool) -> str:
    """Return a response that `thought_and_answer` takes apart again; `answer` is what the functions below write.

    Raises ValueError for a thought that holds its own end.

    >>> render_response("Easy.", "2", opened=True)
    'Easy.</think><answer>2</answer>'
    """
    if THOUGHT in thought:
        raise ValueError(f"a thought ends at its first {THOUGHT}: take that out of the thought")
    return f"{'' if opened else THINK}{thought}{THOUGHT}{ANSWER}{answer}{ANSWERED}"


def render_output(output: str) -> str:
    """Return an answer that `read_output` takes apart again.

    >>> print(render_output("[1, 2]"))
    ```output
    [1, 2]
    ```
    """
    return render_block(OUTPUT, output)


def render_input(argument: str) -> str:
    """Return an answer that `read_input` takes apart again."""
    return render_block(INPUT, argument)


def render_program(program: str) -> str:
    """Return an answer that `read_program` takes apart again."""
    return render_block(PROGRAM, program)


def render_message(message: str) -> str:
    """Return a message as it is shown to a solver."""
    return render_block(MESSAGE, message)


def render_program_and_input(program: str, argument: str) -> str:
    """Return an answer that `read_program_and_input` takes apart again."""
    return f"{render_block(PROGRAM, program)}\n{render_block(INPUT, argument)}"


def render_inputs_and_message(inputs: Sequence[str], message: str) -> str:
    """Return an answer that `read_inputs_and_message` takes apart again."""
    return "\n".join([*[render_block(INPUT, argument) for argument in inputs], render_block(MESSAGE, message)])


def render_block(label: str, text: str) -> str:
    """Return a block whose fence is longer than any run of backticks inside, so that no line of it can end it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{label}\n{text}\n{fence}"
