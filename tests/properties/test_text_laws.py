"""Laws of text: any string gives a value or a refusal, what is written reads back, and what is cut does not."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from absolute_zero.text import (
    LABELS,
    TAGS,
    Answer,
    Reason,
    fenced,
    read_input,
    read_inputs_and_message,
    read_output,
    read_program,
    read_program_and_input,
    render_input,
    render_inputs_and_message,
    render_output,
    render_program,
    render_program_and_input,
    render_response,
    thought_and_answer,
)
from absolute_zero.types import Refusal
from absolute_zero.values import Unreadable, canonical, read_arguments

READERS: tuple[Callable[[str], Any], ...] = (
    read_output, read_input, read_program, read_program_and_input, lambda text: read_inputs_and_message(text, 2),
    lambda text: thought_and_answer(text, False), lambda text: thought_and_answer(text, True),
    *[lambda text, label=label: fenced(text, label) for label in (*LABELS, "", "py", "\ud800")],
)  # fmt: skip

# Any characters, lone surrogates and NULs among them, and the marks of the format far more often than chance has them.
MARKS = st.sampled_from((
    *TAGS, *LABELS, "`", "``", "```", "````", "~~~", "```python\n", "```input\n", "\n```\n", "\n```", "\n", "\r",
    "\r\n", " ", "    ", "\t", "f(", ")", "1", ", ", "'", "\\", "#", "x=", "\0", "\ud800", "\udfff", "\u2028", "\x85",
    "\ufeff", "<", "</",
))  # fmt: skip
TEXT = st.lists(MARKS | st.characters() | st.text(max_size=5), max_size=25).map("".join)
BLANK = st.text(st.sampled_from(" \t\n\r\f\v\x1c\x85\u3000"), max_size=5)
THOUGHT = TEXT.filter(lambda text: "</think>" not in text)

# Inputs are argument lists: values as their canonical texts, spread over lines and with tags and fences in strings.
STRING = TEXT.map(repr) | TEXT.map(lambda text: f'"""{text}"""')
LITERAL = (
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary(max_size=5),
        lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=2),
        max_leaves=5,
    ).map(canonical)
    | STRING
)


def is_arguments(text: str) -> bool:
    try:
        read_arguments(text)
    except Unreadable:
        return False
    return True


ARGUMENTS = (
    st.lists(LITERAL, max_size=3)
    .flatmap(lambda parts: st.sampled_from((", ", ",\n  ", ",")).map(lambda mark: mark.join(parts)))
    .filter(is_arguments)
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[str, Callable[[str], Any], Any]:
    """An answer as it is written, what reads it, and what must come back."""
    program, output, message = draw(TEXT), draw(TEXT), draw(TEXT)
    inputs = tuple(draw(st.lists(ARGUMENTS, min_size=1, max_size=4)))
    return draw(
        st.sampled_from(
            (
                (render_output(output), read_output, output),
                (render_input(inputs[0]), read_input, inputs[0]),
                (render_program(program), read_program, program),
                (render_program_and_input(program, inputs[0]), read_program_and_input, (program, inputs[0])),
                (
                    render_inputs_and_message(inputs, message),
                    lambda text: read_inputs_and_message(text, len(inputs)),
                    (inputs, message),
                ),
            )
        )
    )


Written = tuple[str, Callable[[str], Any], Any]


def parse(text: str, opened: bool, read: Callable[[str], Any]) -> Any:
    found = thought_and_answer(text, opened)
    return found if isinstance(found, Refusal) else read(found.text)


@given(TEXT | st.text(st.characters()))
@example("\0")
@example("\ud800</think><answer>\udfff")
@example("</think><answer>```input\n" * 3)
def test_any_text_gives_a_value_or_a_refusal(text: str) -> None:
    for wrapped in (text, f"<think>{text}", f"</think><answer>{text}</answer>"):
        for read in READERS:
            found = read(wrapped)
            if isinstance(found, Refusal):
                assert isinstance(found.reason, Reason)
                assert "\n" not in found.detail
            else:
                assert isinstance(found, str | tuple | Answer)


@given(TEXT)
def test_no_part_is_made_up(text: str) -> None:
    for label in LABELS:
        found = fenced(text, label)
        if isinstance(found, str):
            assert all(line in text for line in found.split("\n"))


@given(answers())
def test_what_is_written_reads_back(written: Written) -> None:
    answer, read, expected = written
    assert read(answer) == expected


@given(TEXT, st.sampled_from(LABELS))
@example("```\n", "python")
@example("\r\n\r", "message")
@example("~~~\n", "output")
def test_any_block_reads_back(text: str, label: str) -> None:
    longest = next(k for k in range(len(text) + 1) if "`" * (k + 1) not in text)
    fence = "`" * max(3, longest + 1)
    assert fenced(f"{fence}{label}\n{text}\n{fence}", label) == text


@given(THOUGHT, answers(), st.booleans())
def test_a_whole_response_reads_back(thought: str, written: Written, opened: bool) -> None:
    answer, read, expected = written
    response = render_response(thought, answer, opened)
    assert thought_and_answer(response, opened) == Answer(thought, answer)
    assert parse(response, opened, read) == expected


@given(THOUGHT, answers(), st.booleans(), BLANK, BLANK, BLANK)
def test_whitespace_outside_the_tags_is_nothing(
    thought: str, written: Written, opened: bool, before: str, between: str, after: str
) -> None:
    answer = written[0]
    start = "" if opened else before + "<think>"
    response = f"{start}{thought}</think>{between}<answer>{answer}</answer>{after}"
    assert thought_and_answer(response, opened) == Answer(thought, answer)


@given(THOUGHT, answers(), st.booleans(), st.sampled_from([".", "\ufeff", "\0", "</answer>", "`", "<", "\ud800"]))
def test_anything_else_outside_the_tags_is_refused(thought: str, written: Written, opened: bool, odd: str) -> None:
    answer, read, _ = written
    response = render_response(thought, answer, opened)
    closed = len(response) - len(f"<answer>{answer}</answer>")
    behind, between = f"{response}{odd}", f"{response[:closed]}{odd}{response[closed:]}"
    for broken in (behind, between) if opened else (behind, between, odd + response):
        assert isinstance(parse(broken, opened, read), Refusal), broken


@given(THOUGHT, answers(), st.booleans())
@example("", (render_output("'</answer>'"), read_output, None), True)
@example("", (render_program("```</answer>\n```"), read_program, None), True)
def test_a_cut_response_is_refused(thought: str, written: Written, opened: bool) -> None:
    answer, read, _ = written
    response = render_response(thought, answer, opened)
    for end in range(len(response)):
        assert isinstance(parse(response[:end], opened, read), Refusal), response[:end]


@given(answers(), answers(), st.text(st.characters(exclude_characters="`~"), max_size=9))
def test_two_answers_are_none(first: Written, second: Written, between: str) -> None:
    response = f"</think><answer>{first[0]}</answer>{between}<answer>{second[0]}</answer>"
    assert thought_and_answer(response, True) == Refusal(Reason.STRAY_TAG)


@given(answers(), st.lists(st.text(st.characters(exclude_characters="`~"), max_size=20), min_size=2, max_size=2))
def test_prose_around_the_blocks_is_nothing(written: Written, prose: list[str]) -> None:
    answer, read, expected = written
    assert read(f"{prose[0]}\n{answer}\n{prose[1]}") == expected


@given(ARGUMENTS)
def test_a_call_is_its_arguments(arguments: str) -> None:
    assert read_input(render_input(f"f({arguments})")) == arguments
    assert read_input(render_input(arguments)) == arguments


@pytest.mark.parametrize("label", LABELS)
def test_every_label_is_read_as_it_is_written(label: str) -> None:
    assert fenced(f"```{label}\nx\n```", label) == "x"
