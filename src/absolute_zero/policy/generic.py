"""Any causal language model of transformers: the sampler's other engine, on the model's own forward and cache.

Promises: what the model's own forward gives for each row by itself, to rounding, for every model that can generate
from a batch padded on the left. A prompt is computed once, and its cache repeated for its rollouts. Rows join only when
none are left. Slower than `absolute_zero.policy.decoding`, which knows some families only.

Shapes: P prompts, N rows, T tokens so far with padding, V vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportPrivateUsage=false

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

PLAIN_LONGEST = 1024
"""Tokens up to which attention on a CPU is by plain products: 1.5 GB for eight rows of six heads, over six layers."""


def left_padded(rows: Sequence[Sequence[int]], device: torch.device, longest: int = 0) -> tuple[Tensor, Tensor]:
    """Return token ids, and which of them count (1) or are padding (0): both NT, the ends of the rows in line."""
    longest = max(longest, *map(len, rows))
    ids_NT = torch.tensor([[*([0] * (longest - len(row))), *row] for row in rows], device=device)
    mask_NT = torch.tensor([[*([0] * (longest - len(row))), *([1] * len(row))] for row in rows], device=device)
    return ids_NT, mask_NT


def inputs(model: nn.Module, ids_NT: Tensor, mask_NT: Tensor, logits: int) -> Mapping[str, Any]:
    """Return the arguments of the model's forward: rows padded on the left, and logits wanted at the last positions.

    Models that compute positions from the mask take no positions; some compute all logits whatever is asked.
    """
    # At most the last one the model has: rows that are finished grow on until they are dropped.
    last: int = getattr(model.config, "max_position_embeddings", None) or 1 << 30
    positions_NT = (mask_NT.cumsum(-1) - 1).clamp_(min=0, max=last - 1)[:, -ids_NT.shape[1] :]
    optional = {"position_ids": positions_NT, "logits_to_keep": logits}
    accepted = inspect.signature(model.forward).parameters
    chosen = {name: value for name, value in optional.items() if name in accepted}
    return {"input_ids": ids_NT, "attention_mask": mask_NT, **chosen}


def fit_attention(model: nn.Module, longest: int) -> None:
    """Choose how the model attends on a CPU: by plain products, unless their memory forbids it.

    In bfloat16 they are faster there than the fused kernel; their memory grows with the square of the length. What the
    model was loaded with, which may be all it can do, is what it falls back to. Not while the model is at work.
    """
    whole: Any = model
    if next(model.parameters()).device.type != "cpu":
        return
    if not hasattr(whole, "loaded_attention"):
        whole.loaded_attention = whole.config._attn_implementation
    wanted = "eager" if longest <= PLAIN_LONGEST else whole.loaded_attention
    if whole.config._attn_implementation != wanted:
        whole.set_attn_implementation(wanted)


class Generic:
    """The rows in flight, and the model's cache of them."""

    joins = False
    prompt_tokens = 65_536
    """Padded tokens of prompts that are computed together: as many as may join."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        parameter = next(model.parameters())
        self.device = parameter.device
        config: Any = model.config
        text: Any = config.get_text_config()
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        self.bytes_per_token = int(2 * text.num_hidden_layers * heads * size * parameter.dtype.itemsize)
        # transformers 5.24 gave it another name, for the argument and for what comes out.
        accepted = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in accepted else "past_key_values"
        self._cache: Any = None
        self._mask_NT = torch.empty(0)

    def admit(self, prompts: Sequence[Sequence[int]], counts: Sequence[int]) -> Tensor:
        """Compute prompts, begin `counts[i]` rows after the i-th, and return the logits of their first tokens, NV."""
        ids, mask = left_padded(prompts, self.device)
        out: Any = self.model(**inputs(self.model, ids, mask, 1), use_cache=True)
        counts_P = torch.tensor(counts, device=self.device)
        rows = torch.arange(len(prompts), device=self.device).repeat_interleave(counts_P)
        self._cache = out[self._cache_name]
        self._cache.batch_select_indices(rows)
        self._mask_NT = mask[rows]
        return out.logits[rows, -1]

    def advance(self, tokens_N: Tensor) -> Tensor:
        """Append a token to every row, and return the logits of the next ones, NV."""
        self._mask_NT = torch.cat((self._mask_NT, self._mask_NT.new_ones(len(tokens_N), 1)), 1)
        wanted = inputs(self.model, tokens_N[:, None], self._mask_NT, 1)
        out: Any = self.model(**wanted, **{self._cache_name: self._cache}, use_cache=True)
        self._cache = out[self._cache_name]
        return out.logits[:, -1]

    def keep(self, rows_N: Tensor) -> None:
        """Drop all rows but these."""
        self._cache.batch_select_indices(rows_N)
        self._mask_NT = self._mask_NT[rows_N]
