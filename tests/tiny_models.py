"""Tiny models with random weights and their tokenizer, made on the spot: what the tests of the policy run on."""

from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

END, PAD, BEGIN = "<|end|>", "<|pad|>", "<|begin|>"
TAGS = ("<think>", "</think>", "<answer>")
"""Special tokens of their own; `</answer>` is not one, so that it lies across several tokens."""
PAIRS = ("< /", "a n", "s w", "e r", "an sw", "er >", "Ġ a", "> Ċ", "answ er")
MERGES = [(pair.split()[0], pair.split()[1]) for pair in PAIRS]


def tokenizer() -> Any:
    """Return a byte-level tokenizer of about 270 entries, with special tokens and without a chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate([*alphabet, *("".join(pair) for pair in MERGES)])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(text, special=True) for text in (END, PAD, BEGIN, *TAGS)])
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END, pad_token=PAD)


VOCABULARY = len(tokenizer())
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "max_position_embeddings": 256,
    **dict.fromkeys(("eos_token_id", "bos_token_id", "pad_token_id")),
}
GPT2_SIZES: dict[str, Any] = {"vocab_size": VOCABULARY, "n_embd": 24, "n_layer": 2, "n_head": 4, "n_positions": 256}
CONFIGS: dict[str, Any] = {
    "llama": LlamaConfig(**SIZES, num_attention_heads=4, num_key_value_heads=2),
    "llama-one-kv": LlamaConfig(**SIZES, num_attention_heads=6, num_key_value_heads=1, tie_word_embeddings=True),
    "llama-biased": LlamaConfig(
        **SIZES, num_attention_heads=4, num_key_value_heads=4, attention_bias=True, mlp_bias=True
    ),
    "qwen2": Qwen2Config(**SIZES, num_attention_heads=6, num_key_value_heads=2),
    "qwen3": Qwen3Config(**SIZES, num_attention_heads=4, num_key_value_heads=2, head_dim=16),
    "gpt2": GPT2Config(**GPT2_SIZES, eos_token_id=None, bos_token_id=None),
    "gemma2": Gemma2Config(**SIZES, num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=8),
}
FAST = ("llama", "llama-one-kv", "llama-biased", "qwen2", "qwen3")
"""What the policy computes by its own forward; the others go through transformers' own."""


def model(name: str, seed: int = 0, spread: float = 0.2) -> Any:
    """Return a model of CONFIGS with random weights, larger than usual, so that it is far from uniform."""
    torch.manual_seed(seed)
    random = AutoModelForCausalLM.from_config(CONFIGS[name], attn_implementation="eager")
    with torch.no_grad():
        for parameter in random.parameters():
            parameter.normal_(1.0 if parameter.dim() == 1 else 0.0, spread)
    return random.float().eval()
