"""Text to tokens and back: one BOS, tags that stay, and stop strings that lie across tokens."""

from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing

import tiny_models
from absolute_zero.policy.tokens import Tokens

STOP = "</answer>"


def words(front: str = "", after: str = "") -> Tokens:
    """Our tokenizer, which may put a token in front of a text and after it."""
    tokenizer: Any = tiny_models.tokenizer()
    single = [*([front] if front else []), "$A", *([after] if after else [])]
    special = [(text, tokenizer.convert_tokens_to_ids(text)) for text in {front, after} if text]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=single, special_tokens=special)
    return Tokens(tokenizer, [tokenizer.eos_token_id])


@pytest.mark.parametrize("after", ["", tiny_models.END])
def test_what_stands_in_front_of_a_text_stands_there_once(after: str) -> None:
    dressed = words(tiny_models.BEGIN, after)
    begin = dressed.tokenizer.convert_tokens_to_ids(tiny_models.BEGIN)
    bare = words().encode(["hello"])[0]
    assert dressed.encode(["hello", tiny_models.BEGIN + "hello"]) == [[begin, *bare]] * 2
    assert dressed.encode([""]) == [[begin]]


def test_an_empty_prompt_begins_at_an_end() -> None:
    plain = words()
    assert plain.encode([""]) == [[plain.tokenizer.eos_token_id]]
    assert plain.encode([]) == []


def test_text_shows_tags_and_hides_the_end() -> None:
    plain = words()
    text = " <think>å b</think>\n <answer>  1 , 2</answer>"
    [tokens] = plain.encode([text])
    assert plain.tokenizer.convert_tokens_to_ids("<think>") in tokens
    assert plain.text(tokens, plain.stops(())) == text
    assert plain.text([*tokens, plain.tokenizer.eos_token_id], plain.stops(())) == text


def first_stop(plain: Tokens, tokens: list[int], strings: tuple[str, ...]) -> int | None:
    """How many tokens there are when the sampler stops, which looks only where a token can complete one."""
    stops = plain.stops(strings)
    for count in range(1, len(tokens) + 1):
        if tokens[count - 1] in stops.completing and plain.stopped(tokens[:count], stops):
            return count
    return None


@pytest.mark.parametrize("text", ["</answer>", "x</answer>", "</</answer>", "<answer></answ</answer>", "é</answer>"])
def test_a_stop_string_is_found_across_tokens(text: str) -> None:
    plain = words()
    [tokens] = plain.encode([text + "\n</answer>"])
    ids = plain.encode(["</answer>"])[0]
    assert len(ids) > 1
    count = first_stop(plain, tokens, (STOP,))
    assert count is not None
    assert plain.text(tokens[:count], plain.stops((STOP,))) == text  # also where its last token goes on after it
    assert STOP not in plain.decode(tokens[: count - 1])


@pytest.mark.parametrize("stop", ["é", "a b", "b ", "€\n", "😀"])
def test_any_stop_string(stop: str) -> None:
    plain = words()
    [tokens] = plain.encode([f"x {stop} y {stop}"])
    count = first_stop(plain, tokens, ("never", stop))
    assert count is not None
    assert plain.text(tokens[:count], plain.stops(("never", stop))) == f"x {stop}"


def test_the_first_of_several_stop_strings() -> None:
    plain = words()
    [tokens] = plain.encode(["one, two; three"])
    assert first_stop(plain, tokens, (";", ",")) == first_stop(plain, tokens, (",",))
    assert plain.text(tokens, plain.stops((";", ","))) == "one,"
    assert first_stop(plain, tokens, ()) is None
