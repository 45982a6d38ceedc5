"""The tokenizer of the embedded model: trained on documents of the grammar, and on nothing else.

A byte-level BPE without merges: a piece of `pieces.PATTERN` that was frequent in training is one token, every other
one is spelled in bytes. So digits and the letters of data are tokens of their own, and the same letters are always
spelled alike, which is what reckoning and reversing need; words of the language, operators and fences are one token.

Promises: decoding gives back any text exactly (lone surrogates, which no UTF-8 holds, apart); the same documents give
the same tokenizer; `AutoTokenizer` loads what is saved.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from absolute_zero import text
from absolute_zero.pretraining.traces.pieces import PATTERN, outside_quotes, pieces

PAD, END = "<|pad|>", "<|end|>"
SIZE: Final = 512
"""Entries: two of our own, four tags, 256 bytes, and the most frequent pieces."""
LEAST: Final = 3
"""A piece seen less often is spelled in bytes."""


def train_tokenizer(texts: Iterable[str], size: int = SIZE) -> PreTrainedTokenizerFast:
    """Return a tokenizer whose words are the most frequent pieces of these texts, outside of quotes."""
    counts: Counter[str] = Counter()
    for text_ in texts:
        counts.update(piece for piece in pieces(outside_quotes(text_)) if len(piece) > 1)
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [piece for piece, count in counts.most_common() if count >= LEAST]
    kept = sorted(words[: size - len(bytes_) - len(text.TAGS) - 2])
    spelled = [_spelled(piece) for piece in kept]
    vocabulary = {token: number for number, token in enumerate([PAD, END, *text.TAGS, *bytes_, *spelled])}
    tokenizer: Any = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([PAD, END])
    # The tags are text like any other: a decoder that skips special tokens must keep them.
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in text.TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, clean_up_tokenization_spaces=False
    )


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer saved in a folder."""
    loader: Any = PreTrainedTokenizerFast
    return loader.from_pretrained(folder)


def _spelled(piece: str) -> str:
    """Return a piece in the letters that stand for bytes."""
    [(spelled, _)] = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(piece)
    return spelled
