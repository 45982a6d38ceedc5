"""The forward pass of Llama, Qwen2 and Qwen3 over a flat list of tokens, on the weights of a transformers model.

Why not the model's own: it computes rows of equal length, one whole sequence each. Here tokens come in any order and
`attend` alone knows which of them see which, so that the sampler and the learner compute a prompt once for all of its
tries. Both run this same code: their log-probabilities differ by rounding of other shapes only.

Promises: the numbers of the model's own forward, to rounding, with matrix products in `dtype` and everything else in
float32 (what autocast does); gradients reach the model's parameters. Does not apply dropout, and takes only what
`supported` accepts; other models go through their own forward (`absolute_zero.policy.generic`).

Shapes: N tokens, E hidden size, H query heads, K key/value heads, D head size, F size of the inner layer, V vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

FAMILIES = ("LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
FIXED_ROPE = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings whose angles depend on the position alone, not on how long the sequence has become."""

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, q_NHD, k_NKD, v_NKD) -> what each token gathers, NHD."""


def supported(model: nn.Module) -> bool:
    """Whether `forward` computes this model: a plain one of FAMILIES, without sliding windows or wrapped layers."""
    if type(model).__name__ not in FAMILIES:
        return False
    config: Any = model.config
    rope: dict[str, Any] = config.rope_parameters or {}
    return (
        all(kind == "full_attention" for kind in getattr(config, "layer_types", None) or ())
        and rope.get("rope_type", "default") in FIXED_ROPE
        and all(type(m) is nn.Linear for name, m in model.named_modules() if name.endswith(("_proj", "lm_head")))
    )


@dataclass(frozen=True, slots=True)
class Affine:
    """A linear layer's weight, in the precision of the products, and its bias."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


@dataclass(frozen=True, slots=True)
class Norm:
    """A root-mean-square norm over the last axis; scale in float32."""

    scale: Tensor
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.scale.shape, self.scale, self.epsilon)


@dataclass(frozen=True, slots=True)
class Layer:
    """One block's weights; queries, keys and values are one product."""

    norm_attention: Norm
    qkv: Affine
    norm_q: Norm | None
    norm_k: Norm | None
    out: Affine
    norm_mlp: Norm
    gate: Affine
    up: Affine
    down: Affine


@dataclass(frozen=True, slots=True)
class Weights:
    """All of a model that `forward` needs. Cheap to make, so make it anew whenever the parameters may have changed."""

    embedding_VE: Tensor
    layers: tuple[Layer, ...]
    norm: Norm
    head: Affine
    act: Callable[[Tensor], Tensor]
    rotary: Any
    """The model's own rotary embedding: positions to cosines and sines."""
    heads: int
    kv_heads: int
    head_size: int
    dtype: torch.dtype

    @classmethod
    def of(cls, model: nn.Module, dtype: torch.dtype) -> "Weights":
        """The weights of a supported model, with matrices in `dtype`; differentiable where gradients are on."""
        whole: Any = model
        config, body = whole.config, whole.model

        def affine(*parts: Any) -> Affine:
            weight = torch.cat([part.weight for part in parts]) if len(parts) > 1 else parts[0].weight
            biases = [part.bias for part in parts if part.bias is not None]
            bias = torch.cat(biases).to(dtype) if biases else None
            return Affine(weight.to(dtype), bias)

        def norm(module: Any) -> Norm | None:
            return None if module is None else Norm(module.weight.float(), module.variance_epsilon)

        def layer(block: Any) -> Layer:
            attention, mlp = block.self_attn, block.mlp
            return Layer(
                norm(block.input_layernorm),  # type: ignore[arg-type]
                affine(attention.q_proj, attention.k_proj, attention.v_proj),
                norm(getattr(attention, "q_norm", None)),
                norm(getattr(attention, "k_norm", None)),
                affine(attention.o_proj),
                norm(block.post_attention_layernorm),  # type: ignore[arg-type]
                affine(mlp.gate_proj),
                affine(mlp.up_proj),
                affine(mlp.down_proj),
            )

        return cls(
            embedding_VE=body.embed_tokens.weight,
            layers=tuple(layer(block) for block in body.layers),
            norm=norm(body.norm),  # type: ignore[arg-type]
            head=affine(whole.lm_head),
            act=body.layers[0].mlp.act_fn,
            rotary=body.rotary_emb,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_size=body.layers[0].self_attn.head_dim,
            dtype=dtype,
        )


def rotate(x_NHD: Tensor, cos_N1D: Tensor, sin_N1D: Tensor) -> Tensor:
    """Rotary position embedding in float32: the two halves of a head are the two coordinates of its planes."""
    x = x_NHD.float()
    a, b = x.chunk(2, -1)
    return (x * cos_N1D + torch.cat((-b, a), -1) * sin_N1D).to(x_NHD.dtype)


def _block(
    n: int, layer: Layer, w: Weights, h_NE: Tensor, cos_N1D: Tensor, sin_N1D: Tensor, attend: Attend
) -> Tensor:
    qkv = layer.qkv(layer.norm_attention(h_NE).to(w.dtype)).view(len(h_NE), -1, w.head_size)
    qk, v = qkv.split((w.heads + w.kv_heads, w.kv_heads), 1)
    if layer.norm_q is not None and layer.norm_k is not None:
        q, k = qk.split((w.heads, w.kv_heads), 1)
        qk = torch.cat((layer.norm_q(q), layer.norm_k(k)), 1).to(w.dtype)
    q, k = rotate(qk, cos_N1D, sin_N1D).split((w.heads, w.kv_heads), 1)
    h_NE = h_NE + layer.out(attend(n, q, k, v).flatten(1))
    x_NE = layer.norm_mlp(h_NE).to(w.dtype)
    return h_NE + layer.down(w.act(layer.gate(x_NE)) * layer.up(x_NE))


def forward(w: Weights, ids_N: Tensor, positions_N: Tensor, attend: Attend, recompute: bool = False) -> Tensor:
    """Hidden states behind the last norm, NE in `w.dtype`; logits are `w.head` of those that are wanted.

    With `recompute`, activations inside a block are not kept for the backward pass but computed again.
    """
    h_NE = F.embedding(ids_N, w.embedding_VE).float()
    cos_1ND, sin_1ND = w.rotary(h_NE[:1], positions_N[None])  # h only tells device and precision: float32
    cos_N1D, sin_N1D = cos_1ND[0, :, None], sin_1ND[0, :, None]
    for n, layer in enumerate(w.layers):
        if recompute:
            h_NE = checkpoint(_block, n, layer, w, h_NE, cos_N1D, sin_N1D, attend, use_reentrant=False)
        else:
            h_NE = _block(n, layer, w, h_NE, cos_N1D, sin_N1D, attend)
    return w.norm(h_NE).to(w.dtype)
