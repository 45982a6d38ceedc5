"""The forward pass of Llama, Qwen2 and Qwen3 over a flat list of tokens, on the weights of a transformers model.

Why not the model's own: it computes rows of equal length, one whole sequence each. Here tokens come in any order and
`attend` alone knows which of them see which, so that the sampler and the learner compute a prompt once for all of its
rollouts. Both run this same code: their log-probabilities differ by rounding of other shapes only.

Promises: the numbers of the model's own forward, to rounding, with matrix products in `dtype` and everything else in
float32 (what autocast does); gradients reach the model's parameters. Does not apply dropout, and takes only what
`supported` accepts; other models go through their own forward (`absolute_zero.policy.generic`).

Shapes: N tokens, E hidden size, H query heads, K key/value heads, D head size, F size of the inner layer, V vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from absolute_zero.policy import lora
from absolute_zero.policy.linear import Affine, LowRank, gated_down

FAMILIES = ("LlamaForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
FIXED_ROPE = ("default", "linear", "llama3", "yarn")
"""Rotary embeddings whose angles depend on the position alone, not on how long the sequence has become."""

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, q_NHD, k_NKD, v_NKD) -> what each token gathers, NHD. The products of q and k are the scores, scaled."""

Adapter = Literal["beside", "merged", "out"]


def supported(model: nn.Module) -> bool:
    """Return whether `forward` computes this model: one of FAMILIES without sliding windows or wrapped layers.

    Layers may have an adapter of peft, and the model may be peft's object.
    """
    whole: Any = lora.unwrapped(model)
    if type(whole).__name__ not in FAMILIES:
        return False
    config: Any = whole.config
    rope: dict[str, Any] = config.rope_parameters or {}
    return (
        all(kind == "full_attention" for kind in getattr(config, "layer_types", None) or ())
        and rope.get("rope_type", "default") in FIXED_ROPE
        and type(whole.model.embed_tokens) is nn.Embedding
        and all(lora.computable(m) for name, m in whole.named_modules() if name.endswith(("_proj", "lm_head")))
    )


class _RootMeanSquare(torch.autograd.Function):
    """y = x r scale with r = (mean(x^2) + epsilon) ** -1/2, over the last axis, in float32; y in `dtype`.

    By hand, because automatic differentiation goes over x a dozen times. With g = scale dy and n the size:
    dx = r g - x r^3 / n sum(g x), and dscale = sum(dy x r) over the rows.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        # One pass for the norm, where F.rms_norm takes a square and a mean.
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square() / x.shape[-1]
        r = (mean_square + epsilon).rsqrt()
        ctx.save_for_backward(x, scale, r)
        return (x * r).mul_(scale).to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None]:  # type: ignore[override]
        x, scale, r = ctx.saved_tensors
        dy = grads[0].float()
        xr = x * r
        dscale = (dy * xr).flatten(0, -2).sum(0) if ctx.needs_input_grad[1] else None
        g = dy * scale
        shared = torch.linalg.vecdot(g, xr).unsqueeze(-1) / x.shape[-1]
        return torch.addcmul(g, xr, -shared).mul_(r), dscale, None, None


@dataclass(frozen=True, slots=True)
class Norm:
    """A root-mean-square norm over the last axis, in float32 whatever comes in."""

    scale: Tensor
    epsilon: float

    def __call__(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        return _RootMeanSquare.apply(x.float(), self.scale, self.epsilon, dtype)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Layer:
    """One block's weights; queries, keys and values are one product.

    Within a head of queries or keys the coordinates are reordered, so that the two of a plane that is rotated stand
    side by side and are one complex number (transformers has them half a head apart). Scores do not change with it.
    """

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
    """The model's own rotary embedding: positions to cosines and sines, each plane twice."""
    heads: int
    kv_heads: int
    head_size: int
    dtype: torch.dtype

    @classmethod
    def of(cls, model: nn.Module, dtype: torch.dtype, adapter: Adapter = "beside") -> "Weights":
        """Return the weights of a supported model, with matrices in `dtype`; differentiable where gradients are on.

        What its adapter adds, if it has one, stays `beside` the weights, which takes no more memory; is `merged` into a
        copy of them, which computes as fast as without; or is left `out`.
        """
        whole: Any = lora.unwrapped(model)
        config, body = whole.config, whole.model

        size: int = body.layers[0].self_attn.head_dim

        def planes(rows: Tensor) -> Tensor:
            """Return the rows of heads reordered, from halves of a head to pairs."""
            return rows.view(-1, 2, size // 2, *rows.shape[1:]).transpose(1, 2).reshape(rows.shape)

        def combined(*parts: Any, order: Callable[[Tensor], Tensor]) -> Affine:
            """Return layers of the same input as a single one, the rows of all but the last in another order."""
            *others, last = parts

            def rows(of: Callable[[Any], Tensor]) -> list[Tensor]:
                return [*(order(of(part)) for part in others), of(last)]

            weights = rows(lambda part: part.weight)
            weight = (weights[0] if len(weights) == 1 else torch.cat(weights)).to(dtype)
            bias = None if last.bias is None else torch.cat(rows(lambda part: part.bias)).to(dtype)
            low = None if adapter == "out" else _low_rank(parts, order)
            if low is None:
                return Affine(weight, bias)
            whole = Affine(weight, bias, LowRank(low.a_RE.to(dtype), low.b_OR.to(dtype), low.scale))
            return whole.merged() if adapter == "merged" else whole

        def affine(part: Any) -> Affine:
            return combined(part, order=planes)

        def norm(module: Any) -> Norm:
            return Norm(module.weight.float(), module.variance_epsilon)

        def head_norm(module: Any) -> Norm | None:
            return None if module is None else Norm(planes(module.weight.float()), module.variance_epsilon)

        def qkv(attention: Any) -> Affine:
            return combined(attention.q_proj, attention.k_proj, attention.v_proj, order=planes)

        def layer(block: Any) -> Layer:
            attention, mlp = block.self_attn, block.mlp
            return Layer(
                norm(block.input_layernorm),
                qkv(attention),
                head_norm(getattr(attention, "q_norm", None)),
                head_norm(getattr(attention, "k_norm", None)),
                affine(attention.o_proj),
                norm(block.post_attention_layernorm),
                affine(mlp.gate_proj),
                affine(mlp.up_proj),
                affine(mlp.down_proj),
            )

        return cls(
            embedding_VE=body.embed_tokens.weight,
            layers=tuple(layer(block) for block in body.layers),
            norm=norm(body.norm),
            head=affine(whole.lm_head),
            act=body.layers[0].mlp.act_fn,
            rotary=body.rotary_emb,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_size=size,
            dtype=dtype,
        )


def _low_rank(layers: Sequence[Any], order: Callable[[Tensor], Tensor]) -> LowRank | None:
    """Return the adapters of layers of the same input as a single one; None if none has any.

    The rows of B are in the order of those of the weights. Scales are B's, unless there is a single one.
    """
    adapters = [lora.adapter_of(layer) for layer in layers]
    present = [low for low in adapters if low is not None]
    if not present:
        return None
    scale = present[0].scale
    columns: list[Tensor] = []
    for index, (layer, low) in enumerate(zip(layers, adapters, strict=True)):
        if low is None:
            columns.append(layer.weight.new_zeros(len(layer.weight), 0))
            continue
        b_OR = low.b_OR if low.scale == scale else low.b_OR * (low.scale / scale)
        columns.append(order(b_OR) if index < len(layers) - 1 else b_OR)
    a_RE = present[0].a_RE if len(present) == 1 else torch.cat([low.a_RE for low in present])
    return LowRank(a_RE, columns[0] if len(columns) == 1 else torch.block_diag(*columns), scale)


def _turns(w: Weights, positions_N: Tensor) -> Tensor:
    """Return the rotation of every plane at every position, as complex numbers: N, 1 (for heads), D / 2.

    Queries and keys are both scaled by D ** -1/4 with it, which is the scaling of their products by D ** -1/2.
    """
    cos_1ND, sin_1ND = w.rotary(positions_N.new_zeros(1, dtype=torch.float32), positions_N[None])
    turns = torch.complex(*(part[0, :, None, : w.head_size // 2].contiguous() for part in (cos_1ND, sin_1ND)))
    return turns * w.head_size**-0.25


def _rotated(x_NHD: Tensor, turns_N1D: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the heads with rotary position embedding, computed in float32."""
    planes = torch.view_as_complex(x_NHD.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(planes * turns_N1D).flatten(-2).to(dtype)


def _block(n: int, layer: Layer, w: Weights, h_NE: Tensor, turns_N1D: Tensor, attend: Attend) -> Tensor:
    qkv = layer.qkv(layer.norm_attention(h_NE, w.dtype)).view(len(h_NE), -1, w.head_size)
    qk, v = qkv.split((w.heads + w.kv_heads, w.kv_heads), 1)
    if layer.norm_q is not None and layer.norm_k is not None:
        q, k = qk.split((w.heads, w.kv_heads), 1)
        qk = torch.cat((layer.norm_q(q), layer.norm_k(k)), 1)
    q, k = _rotated(qk, turns_N1D, w.dtype).split((w.heads, w.kv_heads), 1)
    h_NE = h_NE + layer.out(attend(n, q, k, v).flatten(1))
    x_NE = layer.norm_mlp(h_NE, w.dtype)
    return h_NE + gated_down(w.act, layer.gate(x_NE), layer.up(x_NE), layer.down)


def forward(w: Weights, ids_N: Tensor, positions_N: Tensor, attend: Attend, recompute: bool = False) -> Tensor:
    """Return hidden states after the last norm, NE in `w.dtype`; logits are `w.head` of those that are wanted.

    With `recompute`, activations inside a block are not kept for the backward pass but computed again.
    """
    h_NE = F.embedding(ids_N, w.embedding_VE).float()
    turns_N1D = _turns(w, positions_N)
    for n, layer in enumerate(w.layers):
        if recompute:
            h_NE = checkpoint(_block, n, layer, w, h_NE, turns_N1D, attend, use_reentrant=False)
        else:
            h_NE = _block(n, layer, w, h_NE, turns_N1D, attend)
    return w.norm(h_NE, w.dtype)
