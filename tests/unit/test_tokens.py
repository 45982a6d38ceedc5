"""Text to tokens and back: one BOS, tags that stay, and stop strings that lie across tokens."""

from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing

import tiny_models
from absolute_zero.policy.tokens import Tokens
from absolute_zero.ports import Chat
from absolute_zero.types import Message, Prompt, UserError

STOP = "</answer>"


def tokens_of(front: str = "", after: str = "") -> Tokens:
    """Return our tokenizer, which may put a token in front of a text and after it."""
    tokenizer: Any = tiny_models.tokenizer()
    single = [*([front] if front else []), "$A", *([after] if after else [])]
    special = [(text, tokenizer.convert_tokens_to_ids(text)) for text in {front, after} if text]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=single, special_tokens=special)
    return Tokens(tokenizer, [tokenizer.eos_token_id])


def ids(text: str) -> list[int]:
    return tokens_of().encode([Prompt(text)])[0]


@pytest.mark.parametrize("after", ["", tiny_models.END])
def test_what_stands_in_front_of_a_text_stands_there_once(after: str) -> None:
    dressed = tokens_of(tiny_models.BEGIN, after)
    begin = dressed.tokenizer.convert_tokens_to_ids(tiny_models.BEGIN)
    bare = ids("hello")
    assert dressed.encode([Prompt("hello"), Prompt(tiny_models.BEGIN + "hello")]) == [[begin, *bare]] * 2
    assert dressed.encode([Prompt("")]) == [[begin]]


def test_an_empty_prompt_begins_at_an_end() -> None:
    plain = tokens_of()
    assert plain.encode([Prompt("")]) == [[plain.tokenizer.eos_token_id]]
    assert plain.encode([]) == []


def test_text_shows_tags_and_hides_the_end() -> None:
    plain = tokens_of()
    text = " <think>å b</think>\n <answer>  1 , 2</answer>"
    tokens = ids(text)
    assert plain.tokenizer.convert_tokens_to_ids("<think>") in tokens
    assert plain.text(tokens, plain.stops(())) == text
    assert plain.text([*tokens, plain.tokenizer.eos_token_id], plain.stops(())) == text


def first_stop(plain: Tokens, tokens: list[int], strings: tuple[str, ...]) -> int | None:
    """Return after how many tokens the sampler stops, which looks only where a token can complete a string."""
    stops = plain.stops(strings)
    for count in range(1, len(tokens) + 1):
        if tokens[count - 1] in stops.completing and plain.stopped(tokens[:count], stops):
            return count
    return None


@pytest.mark.parametrize("text", ["</answer>", "x</answer>", "</</answer>", "<answer></answ</answer>", "é</answer>"])
def test_a_stop_string_is_noticed_across_tokens(text: str) -> None:
    plain = tokens_of()
    tokens = ids(text + "\n</answer>")
    assert len(ids(STOP)) > 1
    count = first_stop(plain, tokens, (STOP,))
    assert count is not None
    assert plain.text(tokens[:count], plain.stops((STOP,))) == text  # also where its last token goes on after it
    assert STOP not in plain.decode(tokens[: count - 1])


@pytest.mark.parametrize("stop", ["é", "a b", "b ", "€\n", "😀"])
def test_any_stop_string(stop: str) -> None:
    plain = tokens_of()
    tokens = ids(f"x {stop} y {stop}")
    count = first_stop(plain, tokens, ("never", stop))
    assert count is not None
    assert plain.text(tokens[:count], plain.stops(("never", stop))) == f"x {stop}"


def test_the_first_of_several_stop_strings() -> None:
    plain = tokens_of()
    tokens = ids("one, two; three")
    assert first_stop(plain, tokens, (";", ",")) == first_stop(plain, tokens, (",",))
    assert plain.text(tokens, plain.stops((";", ","))) == "one,"
    assert first_stop(plain, tokens, ()) is None


TEMPLATE = (
    "<|begin|>{% for message in messages %}"
    "{% if message.role == 'system' %}{{ raise_exception('no system role\nhere') }}{% endif %}"
    "[{{ message.role }}]{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
CHAT = Prompt(messages=(Message("user", "a b"), Message("assistant", "c"), Message("user", "<think>")))


def test_a_chat_goes_through_the_tokenizers_template() -> None:
    # The template writes the token in front by itself; the tokenizer does not add another, and nothing comes after.
    for chatty in (tokens_of(), tokens_of(tiny_models.BEGIN, tiny_models.END)):
        chatty.tokenizer.chat_template = TEMPLATE
        text = "<|begin|>[user]a b<|end|>[assistant]c<|end|>[user]<think><|end|>[assistant]"
        expected = chatty.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert chatty.encode([CHAT]) == [expected]
        [first, second, third] = chatty.encode([Prompt("x"), CHAT, Prompt("x")])
        assert second == expected
        assert first == third == chatty.encode([Prompt("x")])[0]


def test_a_tokenizer_without_a_template_takes_no_chat() -> None:
    with pytest.raises(UserError, match="no chat template: set form") as raised:
        tokens_of().encode([Prompt("x"), CHAT])
    assert "\n" not in str(raised.value)


def test_a_template_that_refuses_a_chat_is_one_line() -> None:
    chatty = tokens_of()
    chatty.tokenizer.chat_template = TEMPLATE
    with pytest.raises(UserError, match=r"refuses a prompt \(no system role here\)") as raised:
        chatty.encode([Prompt(messages=(Message("system", "be kind"), Message("user", "x")))])
    assert "\n" not in str(raised.value)


def test_a_chat_may_begin_the_response() -> None:
    chatty = tokens_of()
    chatty.tokenizer.chat_template = TEMPLATE
    begun = Prompt(messages=(Message("user", "a b"), Message("assistant", "<think>\n")))
    text = "<|begin|>[user]a b<|end|>[assistant]<think>\n"
    assert chatty.encode([begun]) == [chatty.tokenizer(text, add_special_tokens=False)["input_ids"]]


DROPS = (  # as Qwen3's: of earlier turns only what comes after the thought; and the response begins with a thought
    "{% for message in messages %}[{{ message.role }}]"
    "{{ message.content.split('</think>')[-1] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]<think>\n{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "chat"),
    [
        (None, None),
        (TEMPLATE, Chat(opens_thought=False, takes_system=False, keeps_thoughts=True)),
        (DROPS, Chat(opens_thought=True, takes_system=True, keeps_thoughts=False)),
    ],
)
def test_how_a_chat_template_takes_messages_is_found_out(template: str | None, chat: Chat | None) -> None:
    chatty = tokens_of()
    chatty.tokenizer.chat_template = template
    assert chatty.chat == chat
