"""The tokenizer gives back every text, and spells digits and data one by one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from absolute_zero.components import WEIGHTS
from absolute_zero.pretraining.traces.documents import document
from absolute_zero.pretraining.training.tokenizer import SIZE, load_tokenizer, train_tokenizer
from absolute_zero.text import TAGS


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Trained, saved, and loaded again."""
    documents = [document(0, number)[0] for number in range(1000)]
    made = train_tokenizer(one.prompt + one.response for one in documents)
    folder = tmp_path_factory.mktemp("tokenizer")
    made.save_pretrained(folder)
    return load_tokenizer(Path(folder))


def test_the_library_loads_it_by_itself(tokenizer: Any, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer.save_pretrained(tmp_path)
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.encode("f(12)") == tokenizer.encode("f(12)")


TEXT = st.lists(
    st.sampled_from((*TAGS, "```python\n", "\n    ", "\n        return ", "12", "-3", "'ab'", " + ", "xs=", " yes"))
    | st.text(max_size=8),
    max_size=12,
).map("".join)


@settings(max_examples=300)
@given(text=TEXT)
def test_any_text_comes_back(tokenizer: Any, text: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return
    tokens = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(tokens) == text
    assert tokenizer.decode(tokens, skip_special_tokens=True) == text


def test_digits_letters_and_indentation(tokenizer: Any) -> None:
    def tokens(text: str) -> list[str]:
        return [tokenizer.decode([token]) for token in tokenizer.encode(text)]

    assert tokens("123") == ["1", "2", "3"]
    assert tokens("'bca'") == ["'", "b", "c", "a", "'"]
    assert tokens("def f(xs):\n    return xs[::-1]\n        x") == [
        "def ", "f(", "xs", "):", "\n    ", "return ", "xs", "[", ":", ":", "-", "1", "]", "\n        ", "x",
    ]  # fmt: skip
    assert tokens("</think><answer>[1, 2]</answer>") == ["</think>", "<answer>", "[", "1", ", ", "2", "]", "</answer>"]
    assert tokens("ys=[3]") == ["ys=", "[", "3", "]"]


def test_it_is_small_and_the_same_again(tokenizer: Any) -> None:
    documents = [document(0, number)[0] for number in range(1000)]
    again = train_tokenizer(one.prompt + one.response for one in documents)
    assert again.get_vocab() == tokenizer.get_vocab()
    assert len(tokenizer) <= SIZE
    assert tokenizer.eos_token_id is not None
    assert tokenizer.pad_token_id is not None


def test_the_package_has_the_one_that_the_recipe_makes() -> None:
    documents = (document(1 << 32, number)[0] for number in range(4000))
    made = train_tokenizer(one.prompt + one.response for one in documents)
    assert made.get_vocab() == load_tokenizer(WEIGHTS).get_vocab()


def test_pieces_of_a_response_join_in_tokens(tokenizer: Any) -> None:
    for number in range(100):
        one = document(5, number)[0]
        parts = (one.prompt, *(piece.text for piece in one.pieces))
        apart = [token for part in parts for token in tokenizer.encode(part)]
        assert apart == tokenizer.encode(one.prompt + one.response)
